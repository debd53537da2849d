/*
 * The state of one scan, shared by code.c (decoding) and functions.c (what came of it). Private to
 * the two.
 */
#ifndef SR_BOUND_SCAN_H
#define SR_BOUND_SCAN_H

#include "instr.h"

/* Marks among the refs while the scan lasts: calls and jumps that lead nobody knows where. */
enum { MARK_CALL = SR_REF_KINDS, MARK_JUMP };

/* The file bytes of an executable segment. Its bits in the bitmaps begin at first_bit. */
struct area {
    uint64_t lo, hi;
    uint64_t first_bit; /* a multiple of 8 */
    const uint8_t *bytes;
};

/* What sr_code_scan returns is the beginning of one. */
struct scan {
    struct sr_code code;
    struct area *areas;
    size_t n_areas;
    uint64_t n_bits;
    size_t room_refs, room_sites, room_functions;
    size_t n_swept; /* refs before this one are by from */
    uint64_t *todo; /* entries that were found outside the sweep */
    size_t n_todo, room_todo;
    uint8_t *wanted; /* bit: some reference leads there */
    uint8_t *heads;  /* bit: outside FDEs, a function begins there */
    struct sr_decoder decoder;
    uint64_t table_budget;       /* entries of jump tables that may still be read */
    uint64_t blind_lo, blind_hi; /* the code that was followed blindly last */
    uint64_t blind_budget;       /* bytes that may still be */
    bool following;              /* new entries go to todo */
    bool failed;                 /* out of memory */
};

/* An address's bit, or UINT64_MAX: it is not in an area. */
uint64_t sr_scan_bit(const struct scan *s, uint64_t addr);
const struct area *sr_scan_area(const struct scan *s, uint64_t addr);

static inline bool get_bit(const uint8_t *map, uint64_t bit) {
    return (map[bit / 8] >> (bit % 8)) & 1;
}

static inline void set_bit(uint8_t *map, uint64_t bit) {
    map[bit / 8] = (uint8_t)(map[bit / 8] | (1u << (bit % 8)));
}

/* Appends to one of the scan's arrays; room grows by doubling. False: s->failed. */
void *sr_scan_grow(struct scan *s, void *array, size_t n, size_t *room, size_t size);
void sr_scan_add_ref(struct scan *s, const struct sr_ref *r);

/* FDE functions grow by what they fall into; functions are made of what was followed between
 * them. */
void sr_scan_make_functions(struct scan *s);
/* Refs in their functions' order, without those that stay inside; flags of functions; sites. */
void sr_scan_finish(struct scan *s);

#endif
