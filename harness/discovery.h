/*
 * A discovery: the first time that an image made a call, and the folder with its evidence.
 *
 * The hook makes DIR/discoveries/SLOT-ABI-NR whole (by rename): `scenario`, `evidence` (lines of
 * `key value`), `maps` and `stack`; the supervisor adds `backtrace`. The database keeps what is
 * needed for lists, and what replays said.
 */
#ifndef SR_DISCOVERY_H
#define SR_DISCOVERY_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "sysreach/set.h"

#define SR_REPLAYS        10
#define SR_REPLAYS_STEADY 9 /* a call is steady when this many of SR_REPLAYS made it again */

enum sr_state {
    SR_STATE_PENDING,  /* not replayed yet */
    SR_STATE_STEADY,   /* SR_REPLAYS_STEADY and more of SR_REPLAYS made the call again */
    SR_STATE_UNSTEADY, /* fewer did */
    SR_STATE_REFUTED,  /* an instrumented build made the call, the stock binary never did */
    SR_STATES
};

struct sr_discovery {
    unsigned image; /* slot in the union that the hook wrote to */
    struct sr_call call;
    char instance[32];
    uint64_t input;    /* running number on its instance */
    uint64_t epoch_ms; /* when */
    uint64_t time_ms;  /* the same as time of the campaign */
    unsigned replays, replayed;
    enum sr_state state;
};

const char *sr_state_name(enum sr_state s);
enum sr_state sr_state_of(bool instrumented, unsigned replays, unsigned replayed);

/* The folder's name: "0-0-39" is getpid of the program under test. */
void sr_discovery_name(unsigned image, struct sr_call call, char buf[NAME_MAX + 1]);
bool sr_discovery_parse_name(const char *name, unsigned *image, struct sr_call *call);

/* Fills in a discovery from its folder; false when the name or the evidence is none. */
bool sr_discovery_read(const char *discoveries_dir, const char *name, struct sr_discovery *out);

/* All of a folder, by time; *out is malloc'ed. Returns how many, or -1: the folder is unreadable.
 */
long sr_discoveries_scan(const char *discoveries_dir, struct sr_discovery **out);

#endif
