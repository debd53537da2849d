/*
 * Reading a content (segments with repetitions) piece by piece.
 */
#ifndef SR_CONTENT_H
#define SR_CONTENT_H

#include "sysreach/scenario.h"

/* Where a reader stands; all zero at the start. */
struct sr_content_at {
    uint32_t segment, repeat, byte;
};

/* Copies up to cap bytes and moves on; 0: the end. */
static inline size_t sr_content_read(const struct sr_scenario *s, struct sr_content c,
                                     struct sr_content_at *at, char *buf, size_t cap) {
    size_t n = 0;

    while (n < cap && at->segment < c.n) {
        const struct sr_segment *g = &s->segments[c.first + at->segment];
        size_t left = g->text.len - at->byte, take = left < cap - n ? left : cap - n;

        __builtin_memcpy(buf + n, g->text.p + at->byte, take);
        n += take;
        at->byte += (uint32_t)take;
        if (at->byte < g->text.len)
            break;
        at->byte = 0;
        if (++at->repeat >= g->repeat) {
            at->repeat = 0;
            at->segment++;
        }
    }
    return n;
}

#endif
