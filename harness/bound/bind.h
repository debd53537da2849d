/*
 * Symbol lookup over a closure: behind sr_closure_bind and sr_closure_exports (closure.h).
 *
 * All exported definitions of all objects are hashed once, so that a lookup costs as much as there
 * are objects that define the name. Whatever closure.c keeps of a closure beyond its public part is
 * here: the modules' scopes.
 */
#ifndef SR_BOUND_BIND_H
#define SR_BOUND_BIND_H

#include "closure.h"

struct sr_bind;

/* ranks[scope * c->n + object]: 1 + the object's place in that module's scope; 0: not in it. Taken
 * over (from malloc), also where it fails. musl: versions are not compared. NULL: no memory. */
struct sr_bind *sr_bind_new(const struct sr_closure *c, uint16_t *ranks, size_t n_scopes,
                            bool musl);
void sr_bind_free(struct sr_bind *b);

#endif
