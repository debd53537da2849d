/*
 * A bound's chains, unresolved sites and counts as text for people.
 */
#ifndef SR_BOUND_PRINT_H
#define SR_BOUND_PRINT_H

#include "bound_check.h"
#include "bound_view.h"

/* How far a chain rests on addresses: calls that nobody may ever make. */
struct sr_chain_kinds {
    int steps;       /* from the root to the instruction */
    int taken, data; /* addresses that code takes, that data holds */
};

struct sr_chain_kinds sr_chain_kinds(const struct sr_step *steps, int n);

/* One step a line and a sentence that sums them up. name: the call's. */
void sr_bound_print_chain(const struct sr_bound_view *v, const char *name,
                          const struct sr_step *steps, int n);
void sr_bound_print_unresolved(const struct sr_bound_view *v);
void sr_bound_print_stats(const struct sr_bound_view *v);
void sr_bound_print_check(const struct sr_bound_view *v, const struct sr_bound_check *c);

/* Most memory that this process has held, in KiB. */
long sr_bound_peak_kib(void);

#endif
