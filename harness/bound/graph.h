/*
 * The call graph over a closure: nodes are functions and data regions of all objects, edges are
 * what their instructions and words refer to, bound as the loader binds them.
 */
#ifndef SR_BOUND_GRAPH_H
#define SR_BOUND_GRAPH_H

#include "bound.h"
#include "code.h"
#include "regions.h"

#define SR_NODE_NONE UINT32_MAX

struct sr_graph {
    struct sr_closure *closure;
    struct sr_code **code;      /* by object */
    struct sr_regions *regions; /* by object */
    uint32_t *functions; /* by object: node of its first function; [n]: of the first region */
    uint32_t *data;      /* by object: node of its first region; [n]: number of nodes */
    uint32_t n_nodes;
};

/* Decodes everything. The closure belongs to the graph. NULL: out of memory. */
struct sr_graph *sr_graph_new(struct sr_closure *closure);
void sr_graph_free(struct sr_graph *g);

static inline bool sr_graph_is_data(const struct sr_graph *g, uint32_t node) {
    return node >= g->functions[g->closure->n];
}

/* The object that a node belongs to, and its index there as function or region. */
uint32_t sr_graph_object(const struct sr_graph *g, uint32_t node);
const struct sr_function *sr_graph_function(const struct sr_graph *g, uint32_t node);
uint64_t sr_graph_address(const struct sr_graph *g, uint32_t node); /* where it begins */

/* The node at an address of an object; NONE: nothing there. PLT stubs: the function they lead to.
 */
uint32_t sr_graph_node(struct sr_graph *g, uint32_t object, uint64_t addr);

/* kind: enum sr_step_kind; from: the instruction or word in the node that leads to the other. */
typedef void sr_graph_visit(void *ctx, uint32_t to, uint8_t kind, uint64_t from);

/* All that a node leads to. */
void sr_graph_edges(struct sr_graph *g, uint32_t node, sr_graph_visit *visit, void *ctx);

/* What one reference, and one word, leads to. */
void sr_graph_ref(struct sr_graph *g, uint32_t object, const struct sr_ref *ref,
                  sr_graph_visit *visit, void *ctx);
void sr_graph_reloc(struct sr_graph *g, uint32_t object, const struct sr_reloc *r,
                    sr_graph_visit *visit, void *ctx);

/* What a direct call or jump (ref of kind CALL, JUMP or FALL) leads to. */
void sr_graph_call(struct sr_graph *g, uint32_t object, const struct sr_ref *ref,
                   sr_graph_visit *visit, void *ctx);

/* What runs without being called by code: why is a phrase. */
typedef void sr_graph_root(void *ctx, uint32_t node, const char *why);
void sr_graph_roots(struct sr_graph *g, sr_graph_root *root, void *ctx);

/* The functions that look names up (dlsym), at most max; and what such a lookup may find. */
size_t sr_graph_lookup_nodes(struct sr_graph *g, uint32_t *nodes, size_t max);
void sr_graph_lookups(struct sr_graph *g, sr_graph_visit *visit, void *ctx);

/* Every code address that any instruction or any word of any object holds: the roots of `sound`. */
void sr_graph_taken(struct sr_graph *g, sr_graph_root *root, void *ctx);

#endif
