/*
 * Which entries of AFL++'s queue get time: each depth (sysreach/depth.h) has a share of it.
 *
 * Whole sessions cost a hundred times what a run costs that ends at once, and find other calls;
 * left alone, either kind could take all of the time. Nothing here reads a clock: callers give the
 * time, so the same calls give the same answers.
 */
#ifndef SR_MUTATOR_BUDGET_H
#define SR_MUTATOR_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "sysreach/depth.h"

struct sr_budget {
    unsigned share[SR_DEPTHS]; /* percent; all 0: every entry is taken */
    uint64_t spent[SR_DEPTHS]; /* in the caller's unit of time */
    bool seen[SR_DEPTHS];      /* the queue has such entries; the others' shares are given away */
    bool running;              /* an entry of depth `current` has been worked on since `since` */
    enum sr_depth current;
    uint64_t since;
    unsigned skipped; /* in a row */
};

/*
 * Whether the queue's next entry, of this depth, is to be worked on. The time since the entry that
 * was taken before is charged to that one's depth. Never says no for ever.
 */
bool sr_budget_take(struct sr_budget *b, enum sr_depth depth, uint64_t now);

#endif
