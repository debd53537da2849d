/*
 * Constants in executable segments: linked by lld, gold or with -z noseparate-code, an object has
 * .rodata and its dynamic tables in the segment of its code. Where section headers tell the two
 * apart, such a segment is taken for several, so that strings are not followed as code, and
 * pointers to constants lead to data.
 */
#include <stdlib.h>

#include "object_private.h"

struct piece {
    uint64_t lo, hi;
};

static int by_lo(const void *x, const void *y) {
    const struct piece *a = x, *b = y;

    return a->lo < b->lo ? -1 : a->lo > b->lo;
}

static bool is_within(const struct sr_object_section *s, const struct sr_segment *seg) {
    return (s->flags & SHF_ALLOC) && s->size && s->addr >= seg->lo && s->addr < seg->hi &&
           s->size <= seg->hi - s->addr;
}

/* The sections of a segment that are executable (or not), by address, adjacent ones joined: what
 * lies between two of them belongs to no other section. Returns how many; -1: no memory. */
static int code_pieces(const struct sr_object_build *b, const struct sr_segment *seg,
                       struct piece **out) {
    struct piece *p = malloc((b->n_sections + 1) * sizeof *p);
    size_t n = 0, joined = 0;

    if (!p)
        return -1;
    for (size_t i = 0; i < b->n_sections; i++)
        if (is_within(&b->sections[i], seg) && (b->sections[i].flags & SHF_EXECINSTR))
            p[n++] = (struct piece){b->sections[i].addr, b->sections[i].addr + b->sections[i].size};
    qsort(p, n, sizeof *p, by_lo);
    for (size_t i = 1; i < n; i++) {
        bool data_between = false;

        for (size_t k = 0; k < b->n_sections && !data_between; k++)
            data_between = is_within(&b->sections[k], seg) &&
                           !(b->sections[k].flags & SHF_EXECINSTR) &&
                           b->sections[k].addr >= p[joined].hi && b->sections[k].addr < p[i].lo;
        if (data_between)
            p[++joined] = p[i];
        else if (p[i].hi > p[joined].hi)
            p[joined].hi = p[i].hi;
    }
    *out = p;
    return n ? (int)joined + 1 : 0;
}

static bool has_data(const struct sr_object_build *b, const struct sr_segment *seg) {
    for (size_t i = 0; i < b->n_sections; i++)
        if (is_within(&b->sections[i], seg) && !(b->sections[i].flags & SHF_EXECINSTR))
            return true;
    return false;
}

static void put(struct sr_object *o, const struct sr_segment *whole, uint64_t lo, uint64_t hi,
                bool exec) {
    struct sr_segment *s = &o->segments[o->n_segments];
    uint64_t skip = lo - whole->lo;

    if (lo >= hi)
        return;
    *s = *whole;
    s->lo = lo;
    s->hi = hi;
    s->exec = exec;
    s->file_bytes = skip < whole->file_bytes ? whole->file_bytes - skip : 0;
    if (s->file_bytes > hi - lo)
        s->file_bytes = hi - lo;
    s->bytes = s->file_bytes ? whole->bytes + skip : whole->bytes;
    o->n_segments++;
}

/* The entry point is code, whatever the section headers say: else they are not to be believed. */
static bool believable(const struct piece *p, int n, const struct sr_segment *seg, uint64_t entry) {
    if (!entry || entry < seg->lo || entry >= seg->hi)
        return true;
    for (int i = 0; i < n; i++)
        if (entry >= p[i].lo && entry < p[i].hi)
            return true;
    return false;
}

static bool split_one(struct sr_object_build *b, const struct sr_segment *seg, uint64_t entry) {
    struct sr_object *o = b->o;
    struct piece *p = NULL;
    int n = seg->exec && has_data(b, seg) ? code_pieces(b, seg, &p) : 0;
    uint64_t at = seg->lo;

    if (n < 0)
        return sr_object_no_memory(b);
    if (n == 0 || o->n_segments + 2 * (size_t)n + 1 > SR_SEGMENTS_MAX / 2 ||
        !believable(p, n, seg, entry)) {
        o->segments[o->n_segments++] = *seg;
    } else {
        for (int i = 0; i < n; at = p[i++].hi) {
            put(o, seg, at, p[i].lo, false);
            put(o, seg, p[i].lo, p[i].hi, true);
        }
        put(o, seg, at, seg->hi, false);
    }
    free(p);
    return true;
}

bool sr_object_split(struct sr_object_build *b, uint64_t entry) {
    struct sr_object *o = b->o;
    struct sr_segment whole[SR_SEGMENTS_MAX];
    size_t n = o->n_segments;

    /* A piece more than there were needs room: files with very many segments stay as they are. */
    if (n > SR_SEGMENTS_MAX / 4 || !b->n_sections)
        return true;
    memcpy(whole, o->segments, n * sizeof *whole);
    o->n_segments = 0;
    for (size_t i = 0; i < n; i++)
        if (!split_one(b, &whole[i], entry))
            return false;
    return true;
}
