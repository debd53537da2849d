/*
 * Functions of libc that run only after another one did: for `tight`.
 *
 * Some code is reachable in the graph through a test of state that a single exported function can
 * bring about. Such a function is not entered before that one is reachable. docs/bound.md argues
 * each.
 */
#ifndef SR_BOUND_GUARDS_H
#define SR_BOUND_GUARDS_H

#include "graph.h"

#define SR_GUARDS_MAX 16

struct sr_guard {
    uint32_t guarded, key; /* nodes: guarded is entered only if key is reachable */
};

/* Returns how many were found, at most SR_GUARDS_MAX. */
size_t sr_guards_find(struct sr_graph *g, struct sr_guard *out);

#endif
