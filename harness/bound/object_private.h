/*
 * What the readers of one ELF object share while it is being opened: the image, its headers, and
 * how they fail. Only object.c, headers.c, split.c, dynamic.c, symbols.c, relocs.c and ehframe.c
 * include this.
 *
 * What the loader reads (segments, the dynamic section and its tables) must be sound, or the object
 * is damaged. Section headers are nobody's but ours: what is wrong in them is passed over.
 */
#ifndef SR_BOUND_OBJECT_PRIVATE_H
#define SR_BOUND_OBJECT_PRIVATE_H

#include <elf.h>
#include <libelf.h>
#include <string.h>

#include "object.h"

#define SR_ADDRESS_END  (UINT64_C(1) << 47)
#define SR_SEGMENTS_MAX 64

struct sr_object_section {
    uint64_t addr, size, offset, flags;
    uint32_t type, link, index;
    const char *name; /* never NULL */
};

struct sr_object_dynamic {
    uint64_t tag[DT_NUM]; /* by DT_*, 0: not there */
    uint64_t gnu_hash, versym, verdef, verdefnum, verneed, verneednum;
    uint64_t lo, bytes;  /* the section itself; bytes 0: there is none */
    const char *strings; /* the last of strings_bytes is NUL */
    size_t strings_bytes;
};

/* A function's name; by value, one for each value. */
struct sr_object_name {
    uint64_t value, size;
    const char *text;
    uint8_t bind;
};

/* sr_object's private_. */
struct sr_object_private {
    void *bytes;   /* NULL: the caller's */
    size_t mapped; /* bytes of the mapping; 0: bytes is from malloc */
    struct sr_object_name *names;
    size_t n_names;
};

struct sr_object_build {
    struct sr_object *o;
    struct sr_object_error *err;
    const char *file; /* for messages */
    const uint8_t *image;
    size_t size;
    Elf64_Phdr *phdrs;
    size_t n_phdrs;
    struct sr_object_section *sections;
    size_t n_sections;
    struct sr_object_dynamic dyn;
    size_t borders_room;
};

static inline uint64_t sr_get64(const void *p) {
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint32_t sr_get32(const void *p) {
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

/* All of these fill b->err and return false. */
bool sr_object_fail(const struct sr_object_build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool sr_object_damaged(const struct sr_object_build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool sr_object_no_memory(const struct sr_object_build *b);

/* Room for one more after n elements of size bytes; NULL: no memory, and list is as it was. */
void *sr_object_room(void *list, size_t n, size_t *room, size_t size);

/* bytes of the file at addr, all in one segment; NULL: b->err says that what lies elsewhere. */
const uint8_t *sr_object_table(const struct sr_object_build *b, uint64_t addr, uint64_t bytes,
                               const char *what);

/* The section that begins there and has this type; NULL: none. */
const struct sr_object_section *sr_object_section_at(const struct sr_object_build *b, uint64_t addr,
                                                     uint32_t type);

/* The first program header of this type; NULL: none. */
const Elf64_Phdr *sr_object_phdr(const struct sr_object_build *b, uint32_t type);

/* No data crosses addr or addr + bytes. */
bool sr_object_border(struct sr_object_build *b, uint64_t addr, uint64_t bytes);

/* The readers, in the order in which they run. */
bool sr_object_read_headers(struct sr_object_build *b);
bool sr_object_read_dynamic(struct sr_object_build *b);
bool sr_object_read_symbols(struct sr_object_build *b);
bool sr_object_read_frames(struct sr_object_build *b);
bool sr_object_read_relocs(struct sr_object_build *b);
bool sr_object_read_inits(struct sr_object_build *b);
bool sr_object_read_names(struct sr_object_build *b);

/* Tells code and constants of one segment apart, as far as sections do (split.c). */
bool sr_object_split(struct sr_object_build *b, uint64_t entry);

/* The highest index of a symbol that the relocation tables name. */
bool sr_object_relocs_highest(const struct sr_object_build *b, uint32_t *highest);

/* String at offset of the dynamic string table; NULL: outside. */
static inline const char *sr_object_string(const struct sr_object_build *b, uint64_t offset) {
    return offset < b->dyn.strings_bytes ? b->dyn.strings + offset : NULL;
}

#endif
