/*
 * Shares of time by depth: an entry of a depth that has had more than its share is left out.
 */
#include "budget.h"

/* AFL++ may pass over the entries that are due for reasons of its own; then others are taken. */
#define SKIPPED_MAX 10000

static bool has_shares(const struct sr_budget *b) {
    for (int i = 0; i < SR_DEPTHS; i++)
        if (b->share[i])
            return true;
    return false;
}

bool sr_budget_take(struct sr_budget *b, enum sr_depth depth, uint64_t now) {
    uint64_t shares = 0, spent = 0;

    if (!has_shares(b))
        return true;
    if (b->running && now > b->since)
        b->spent[b->current] += now - b->since;
    b->running = false;
    b->seen[depth] = true;
    for (int i = 0; i < SR_DEPTHS; i++)
        if (b->seen[i]) {
            shares += b->share[i];
            spent += b->spent[i];
        }
    /* More than its share of what all have had. Where only depths without a share exist, all go. */
    if (shares && spent && b->spent[depth] * shares > b->share[depth] * spent &&
        b->skipped < SKIPPED_MAX) {
        b->skipped++;
        return false;
    }
    b->skipped = 0;
    b->running = true;
    b->current = depth;
    b->since = now;
    return true;
}
