/*
 * Ways into functions of an object, beside falling through: jumps from other functions, and what
 * calls or points to an instruction. Collected once from the references, relocations and symbols.
 */
#ifndef SR_BOUND_EDGES_H
#define SR_BOUND_EDGES_H

#include "code.h"

struct sr_edge {
    uint64_t to, from;
    bool table; /* from the jump table that the instruction at `from` names */
};

struct sr_edges {
    const struct sr_code *code;
    struct sr_edge *edges; /* by to, from */
    size_t n_edges;
    uint64_t *entries; /* sorted: called, pointed to, named by a symbol */
    size_t n_entries;
    uint64_t *labels; /* sorted: in jump tables and tables of labels that have relocations */
    size_t n_labels;
};

/* False: out of memory; sr_edges_free all the same. */
bool sr_edges_collect(struct sr_edges *f, const struct sr_code *code);
void sr_edges_free(struct sr_edges *f);

/* Index of the first edge to an address at or after `to`; those to one: *n of them. */
size_t sr_edges_first(const struct sr_edges *f, uint64_t to);
const struct sr_edge *sr_edges_to(const struct sr_edges *f, uint64_t addr, size_t *n);

/* Index of the first in a sorted list that is not below low. */
size_t sr_edges_first_value(const uint64_t *list, size_t n, uint64_t low);

/* A label whose address its own function takes for an indirect jump is not called. */
bool sr_edges_is_label(const struct sr_function *fn, const struct sr_ref *r);

#endif
