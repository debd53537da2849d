/*
 * The closure: the program, its interpreter, what they need as ld.so resolves it, and modules that
 * the program loads at run time. And symbol lookup over it, as the loader does it.
 *
 * ld.so(8): for each DT_NEEDED, DT_RPATH (of the object and its loaders, where there is no
 * RUNPATH), DT_RUNPATH, /etc/ld.so.cache, /lib and /usr/lib. $ORIGIN, $LIB and $PLATFORM are
 * expanded. LD_LIBRARY_PATH and LD_PRELOAD are not considered: they are the environment's, not the
 * program's. An object of another architecture on the way is passed over, as ld.so does.
 */
#ifndef SR_BOUND_CLOSURE_H
#define SR_BOUND_CLOSURE_H

#include "object.h"

#define SR_CLOSURE_MAX 1024 /* objects */

struct sr_closure_request {
    const char *program;
    const char *root;           /* another tree ("" or NULL: /); symlinks stay inside it */
    const char *const *modules; /* paths of objects that are loaded at run time */
    size_t n_modules;
};

struct sr_closure {
    struct sr_object **objects; /* [0] the program; then breadth first; then modules and theirs */
    size_t n;
    size_t interp;  /* index of the interpreter; SIZE_MAX: static */
    size_t n_start; /* objects [0, n_start) are there at start; the rest came with modules */
    bool *module;   /* by index: it was dlopened itself (named as a module, not only needed) */
    char **notes;   /* things to tell */
    size_t n_notes;
    void *private_;
};

/* NULL: *err says why (a needed object that is not found is an error that names who needs it).
 * A module that cannot be read is an error as well. */
struct sr_closure *sr_closure_open(const struct sr_closure_request *r, struct sr_object_error *err);
void sr_closure_close(struct sr_closure *c);

struct sr_target {
    uint32_t object;
    uint32_t symbol; /* index into its dynsym */
    uint64_t value;
    uint8_t type; /* STT_FUNC, STT_GNU_IFUNC, STT_OBJECT, … */
};

/* Definition that symbol `index` of object `from` binds to. The global scope is objects [0,
 * n_start) in order; an object that came with a module looks there first, then in its own module's
 * scope, breadth first. Versions match as in ld.so (do_lookup_x). False: nobody defines it (weak,
 * or an error at run time). copy: the lookup of a COPY relocation, which skips the program itself.
 * Answers are remembered. */
bool sr_closure_bind(struct sr_closure *c, uint32_t from, uint32_t index, bool copy,
                     struct sr_target *out);

/* Each object's own definition of an exported name, whatever the version; for names that are
 * looked up at run time (dlsym). Begin with *at = 0; false: no more. */
bool sr_closure_exports(const struct sr_closure *c, const char *name, size_t *at,
                        struct sr_target *out);

#endif
