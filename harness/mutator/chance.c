/*
 * Chance: a small generator (xorshift64*), whose state is in the edit.
 */
#include "edit.h"

uint32_t sr_below(struct sr_edit *e, uint32_t n) {
    e->rng ^= e->rng >> 12;
    e->rng ^= e->rng << 25;
    e->rng ^= e->rng >> 27;
    return (uint32_t)(((e->rng * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n) >> 32);
}

bool sr_one_in(struct sr_edit *e, uint32_t n) {
    return sr_below(e, n) == 0;
}
