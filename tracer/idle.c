/*
 * Quiet runs, see idle.h.
 */
#include "idle.h"
#include "tracees.h"

/* A look that comes late says more about this process than about those that it follows: what they
 * did meanwhile has not been handled yet. */
#define STEP_MAX_MS 20

void sr_idle_begin(struct sr_idle *w, int64_t now_ms) {
    w->quiet_ms = 0;
    w->looked_ms = now_ms;
}

/* On a processor or waiting for one, or for a disk. A thread that is gone is about to be news. */
static bool can_run(pid_t tid) {
    char state = sr_thread_state(tid);

    return state == 'R' || state == 'D' || state == 0;
}

static bool any_can_run(const struct sr_recorder *r) {
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->table[i].tid > 0 && can_run(r->table[i].tid))
            return true;
    return false;
}

bool sr_idle_look(struct sr_idle *w, const struct sr_recorder *r, int64_t now_ms,
                  uint32_t limit_ms) {
    int64_t step = now_ms - w->looked_ms;

    w->looked_ms = now_ms;
    w->quiet_ms += (uint32_t)(step < STEP_MAX_MS ? step : STEP_MAX_MS);
    if (!limit_ms || w->quiet_ms < limit_ms)
        return false;
    w->quiet_ms = 0;
    return !any_can_run(r);
}
