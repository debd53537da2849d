/*
 * The numbers of the reachable system-call instructions, looked for through the functions that pass
 * them on, and where each came from.
 */
#ifndef SR_BOUND_RESOLVE_H
#define SR_BOUND_RESOLVE_H

#include "numbers.h"
#include "reach.h"

#define SR_VIA_MAX 8

/* One number of one site: set at the last of via[] (or in the site's own function), handed on from
 * call to call. */
struct sr_found {
    struct sr_call call;
    uint32_t object, function; /* the site's; function: node */
    uint64_t site;
    uint32_t n_via;
    struct {
        uint32_t caller; /* node */
        uint64_t at;     /* the call in it */
    } via[SR_VIA_MAX];   /* from the site outwards */
};

struct sr_unknown {
    struct sr_bound_unresolved u;
    struct sr_found found; /* the way to where it ended; its call says nothing */
};

struct sr_resolved {
    struct sr_found *found;
    size_t n_found;
    struct sr_unknown *unknown;
    size_t n_unknown;
};

/* numbers: one for each object, made on demand and kept there by the caller. False: out of memory.
 */
bool sr_resolve(const struct sr_reach *r, struct sr_numbers **numbers, struct sr_resolved *out);
void sr_resolved_free(struct sr_resolved *r);

#endif
