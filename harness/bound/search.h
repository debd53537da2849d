/*
 * Where the loader looks for a library's name, glibc's and musl's way, in this tree or another.
 *
 * With a root every path is resolved inside it, symbolic links included, by the kernel
 * (openat2, RESOLVE_IN_ROOT); nothing outside can be reached. Relative folders in RPATH or RUNPATH
 * are relative to the current directory, as they are for the loader (with a root: to it).
 */
#ifndef SR_BOUND_SEARCH_H
#define SR_BOUND_SEARCH_H

#include <stdbool.h>

#include "object.h"

struct sr_search;

/* Who asks: an object, its folder, and who loaded it (NULL: the kernel, or dlopen). */
struct sr_search_from {
    const struct sr_object *object;
    char *origin; /* the folder $ORIGIN stands for */
    const struct sr_search_from *loader;
};

/* A file: the path as searched, its real path in the tree, and what to open. */
struct sr_found {
    char *path, *real, *file;
    uint64_t dev, ino;
};

/* root: NULL or "": this system's. 0 or negative errno: -ENOSYS: root needs a kernel with openat2.
 */
int sr_search_new(const char *root, struct sr_search **out);
void sr_search_free(struct sr_search *s);

/* The program's loader, by its path: which rules count. */
void sr_search_loader(struct sr_search *s, const char *interp);
bool sr_search_is_musl(const struct sr_search *s);

/* The file at a path. 0 or negative errno. */
int sr_search_path(const struct sr_search *s, const char *path, struct sr_found *out);

/* The file that DT_NEEDED name stands for. program: the program itself, whose RPATH counts for
 * modules too. 0, or negative errno (-ENOENT: nowhere). */
int sr_search_needed(struct sr_search *s, const char *name, const struct sr_search_from *from,
                     const struct sr_search_from *program, struct sr_found *out);
void sr_found_clear(struct sr_found *f);

/* The places of that search in words, for a message. */
void sr_search_places(const struct sr_search *s, const char *name,
                      const struct sr_search_from *from, char *buf, size_t size);

#endif
