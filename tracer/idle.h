/*
 * When nothing more will happen in a run, as far as one can tell: for a while no process has made
 * a call, and none of them computes.
 *
 * A client and a server that wait for each other would take the whole time of their scenario. That
 * a sleeper's alarm would have come later cannot be known, so a scenario says how long it is to be
 * waited for.
 */
#ifndef SR_IDLE_H
#define SR_IDLE_H

#include "recorder.h"

struct sr_idle {
    uint32_t quiet_ms; /* since the last call; the owner sets it to 0 at each one */
    int64_t looked_ms; /* CLOCK_MONOTONIC */
};

/* At the beginning of a run. now_ms: CLOCK_MONOTONIC. */
void sr_idle_begin(struct sr_idle *w, int64_t now_ms);

/* At each tick. Whether it has been quiet for limit_ms (0: never) and no thread of r can run. */
bool sr_idle_look(struct sr_idle *w, const struct sr_recorder *r, int64_t now_ms,
                  uint32_t limit_ms);

#endif
