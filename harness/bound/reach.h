/*
 * Reachability: breadth first over the call graph, so that the way back from a node to its root is
 * a shortest one.
 */
#ifndef SR_BOUND_REACH_H
#define SR_BOUND_REACH_H

#include "graph.h"

struct sr_reached {
    uint32_t depth;  /* 0: not reached; 1: a root */
    uint32_t parent; /* SR_NODE_NONE: a root */
    uint64_t from;   /* instruction or word in the parent */
    const char *why; /* root */
    uint8_t kind;    /* enum sr_step_kind */
    bool taken;      /* function: its address is held somewhere that is reached: callers unknown */
};

/* A direct call or jump of reachable code, by the function that it leads to. */
struct sr_caller {
    uint32_t callee, caller; /* nodes */
    uint64_t at;             /* the instruction, in the caller */
};

struct sr_reach {
    struct sr_graph *g;
    enum sr_policy policy;
    struct sr_reached *nodes;  /* by node */
    struct sr_caller *callers; /* by callee */
    size_t n_callers;
};

/* The graph is not the reach's. NULL: out of memory. */
struct sr_reach *sr_reach_compute(struct sr_graph *g, enum sr_policy policy);
void sr_reach_free(struct sr_reach *r);

/* The callers of a function: *n of them. */
const struct sr_caller *sr_reach_callers(const struct sr_reach *r, uint32_t function, size_t *n);

#endif
