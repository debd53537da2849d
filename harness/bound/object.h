/*
 * One ELF object as the bound needs it: memory image, dynamic section, symbols, relocations,
 * functions of .eh_frame. Nothing here needs section headers; where they are there, they help.
 *
 * The file is somebody else's: every offset is checked before use, sizes are bounded by the file's,
 * and what is damaged is an error with a sentence, never a crash. All addresses are virtual ones as
 * the file states them (no load base). An object does not change after sr_object_open.
 */
#ifndef SR_BOUND_OBJECT_H
#define SR_BOUND_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buildid.h"

/* PT_LOAD segments, by address. bytes: file_bytes of them; what follows up to hi is zero. */
struct sr_segment {
    uint64_t lo, hi;
    uint64_t file_bytes;
    const uint8_t *bytes;
    bool exec, write;
};

/* .dynsym by its own index; and .symtab where there is one (its local symbols are names for
 * functions, entries and data boundaries). */
struct sr_symbol {
    const char *name;    /* never NULL */
    const char *version; /* "GLIBC_2.34": wanted (undefined) or given (defined); NULL: none */
    uint64_t value, size;
    uint8_t type, bind; /* STT_*, STB_* */
    uint8_t visibility; /* STV_* */
    bool defined;
    bool hidden; /* defined, and not the default version ("name@VERSION") */
    bool oldest; /* defined, and its version is the object's first (index 2 in DT_VERSYM): the one
                    that a reference without version takes, hidden or not */
};

enum sr_reloc_kind {
    SR_RELOC_RELATIVE,  /* the word is target (a vaddr of this object) + base: also DT_RELR's, and
                           absolute words without relocation in objects loaded at a fixed address */
    SR_RELOC_SYMBOL,    /* the word is the address of a symbol + addend (64, GLOB_DAT, JUMP_SLOT) */
    SR_RELOC_IRELATIVE, /* target is a resolver; what it returns becomes the word */
    SR_RELOC_COPY,      /* the symbol's initial bytes are copied here */
};

struct sr_reloc {
    uint64_t where;
    uint64_t target; /* RELATIVE, IRELATIVE */
    int64_t addend;  /* SYMBOL */
    uint32_t symbol; /* SYMBOL, COPY: index into dynsym (0: none, then the word is addend) */
    uint8_t kind;
    bool jump_slot; /* read by a PLT stub only */
    bool got;       /* GLOB_DAT: a slot of the GOT */
};

/* A function: an FDE of .eh_frame. */
struct sr_fde {
    uint64_t lo, hi;
};

/* Data that the unwinder reads on behalf of a function: the slots that hold the typeinfo pointers
 * of its handlers, and the personality routine. slot false: to is the routine or object itself. */
struct sr_handler {
    uint64_t function; /* lo of its FDE */
    uint64_t to;
    bool slot;
};

struct sr_object {
    char *path;   /* as found, without --root's prefix */
    char *file;   /* the file that was read */
    char *soname; /* DT_SONAME or NULL */
    char build_id[SR_BUILD_ID_BYTES];
    bool fixed;     /* ET_EXEC: addresses in instructions and data are absolute */
    bool dynamic;   /* has PT_DYNAMIC with DT_NEEDED or PT_INTERP: other objects take part */
    bool symbolic;  /* DT_SYMBOLIC / DF_SYMBOLIC: looks into itself first */
    bool deepbind;  /* never set by a file; for dlopened modules */
    uint64_t entry; /* 0: none */
    char *interp;   /* PT_INTERP or NULL */
    uint64_t id_dev, id_ino; /* the file's identity: the same object by two names is one */

    struct sr_segment *segments;
    size_t n_segments;

    char **needed; /* DT_NEEDED in order */
    size_t n_needed;
    char *rpath, *runpath; /* or NULL */

    struct sr_symbol *dynsym; /* [0] is the null symbol; n_dynsym may be 0 */
    size_t n_dynsym;
    struct sr_symbol *symtab; /* functions and objects of .symtab; may be none */
    size_t n_symtab;

    struct sr_reloc *relocs; /* by where */
    size_t n_relocs;

    struct sr_fde *fdes; /* by lo, not empty, not overlapping (the later one is cut), in exec
                            segments */
    size_t n_fdes;
    struct sr_handler *handlers; /* by function */
    size_t n_handlers;

    uint64_t *inits; /* DT_INIT, DT_FINI, and the words of preinit, init and fini arrays: code */
    size_t n_inits;

    /* Boundaries that no object of data crosses: begin and end of sections, of PT_TLS, PT_DYNAMIC,
     * PT_GNU_RELRO, of the tables that the dynamic section names. Sorted, unique. */
    uint64_t *borders;
    size_t n_borders;
    uint64_t tls_lo, tls_hi; /* PT_TLS's initial image (file bytes); equal: none */

    void *private_; /* the mapping and what is allocated; sr_object_close frees it */
};

struct sr_object_error {
    char text[512];   /* "FILE: why; what to do next" */
    bool environment; /* not the file's fault: it cannot be opened, no memory */
};

/* Reads file; path is the name that is shown (and stored), NULL: the same. NULL: *err says why:
 * not ELF, not x86-64 (says which), 32-bit, big-endian, truncated, damaged tables, too large. */
struct sr_object *sr_object_open(const char *file, const char *path, struct sr_object_error *err);

/* The same for bytes in memory (tests, fuzzing); they must outlive the object. */
struct sr_object *sr_object_parse(const char *name, const uint8_t *bytes, size_t len,
                                  struct sr_object_error *err);
void sr_object_close(struct sr_object *o);

/* Bytes of the file at addr, *left of them in this segment's file part. NULL: not mapped from it.
 */
const uint8_t *sr_object_at(const struct sr_object *o, uint64_t addr, size_t *left);
bool sr_object_is_code(const struct sr_object *o, uint64_t addr); /* in an executable segment */
bool sr_object_is_data(const struct sr_object *o, uint64_t addr); /* in any other segment */

/* The relocation whose word begins exactly there, or NULL; and the index of the first at or after.
 */
const struct sr_reloc *sr_object_reloc(const struct sr_object *o, uint64_t where);
size_t sr_object_reloc_from(const struct sr_object *o, uint64_t where);

/* The function symbol that covers addr, else the nearest before it within the same FDE; *off gets
 * the distance. NULL: none; then "object+address" is its name. */
const char *sr_object_name_at(const struct sr_object *o, uint64_t addr, uint64_t *off);

#endif
