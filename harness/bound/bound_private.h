/*
 * Between bound.c and why.c.
 */
#ifndef SR_BOUND_PRIVATE_H
#define SR_BOUND_PRIVATE_H

#include "bound.h"
#include "resolve.h"

struct sr_shared;

struct sr_bound {
    struct sr_shared *shared;
    struct sr_graph *g; /* shared's */
    struct sr_reach *reach;
    struct sr_resolved resolved;
    struct sr_bound_result result;
};

#endif
