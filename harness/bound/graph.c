/*
 * The call graph, see graph.h.
 */
#include "graph.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

struct sr_graph *sr_graph_new(struct sr_closure *closure) {
    struct sr_graph *g = calloc(1, sizeof *g);
    size_t n = closure->n;
    uint64_t nodes = 0;
    bool ok;

    if (!g)
        return NULL;
    g->closure = closure;
    g->code = calloc(n, sizeof(struct sr_code *));
    g->regions = calloc(n, sizeof *g->regions);
    g->functions = calloc(n + 1, sizeof *g->functions);
    g->data = calloc(n + 1, sizeof *g->data);
    ok = g->code && g->regions && g->functions && g->data;
    for (size_t i = 0; ok && i < n; i++) {
        g->code[i] = sr_code_scan(closure->objects[i]);
        ok = g->code[i] && sr_regions_make(&g->regions[i], g->code[i]);
        g->functions[i] = (uint32_t)nodes;
        if (ok)
            nodes += g->code[i]->n_functions;
    }
    if (ok)
        g->functions[n] = (uint32_t)nodes;
    for (size_t i = 0; ok && i < n; i++) {
        g->data[i] = (uint32_t)nodes;
        nodes += g->regions[i].n;
    }
    if (!ok || nodes >= SR_NODE_NONE) {
        sr_graph_free(g);
        return NULL;
    }
    g->data[n] = g->n_nodes = (uint32_t)nodes;
    return g;
}

void sr_graph_free(struct sr_graph *g) {
    for (size_t i = 0; g && i < g->closure->n; i++) {
        if (g->code)
            sr_code_free(g->code[i]);
        if (g->regions)
            sr_regions_free(&g->regions[i]);
    }
    if (!g)
        return;
    sr_closure_close(g->closure);
    free(g->code);
    free(g->regions);
    free(g->functions);
    free(g->data);
    free(g);
}

/* The last object whose first node is at or before. */
uint32_t sr_graph_object(const struct sr_graph *g, uint32_t node) {
    const uint32_t *first = sr_graph_is_data(g, node) ? g->data : g->functions;
    size_t lo = 0, hi = g->closure->n;

    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (first[mid] <= node)
            lo = mid;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

const struct sr_function *sr_graph_function(const struct sr_graph *g, uint32_t node) {
    uint32_t object = sr_graph_object(g, node);

    return &g->code[object]->functions[node - g->functions[object]];
}

uint64_t sr_graph_address(const struct sr_graph *g, uint32_t node) {
    uint32_t object = sr_graph_object(g, node);

    return sr_graph_is_data(g, node) ? g->regions[object].cuts[node - g->data[object]]
                                     : sr_graph_function(g, node)->lo;
}

/* Where a word, a call or a symbol leads. */
struct walk {
    struct sr_graph *g;
    sr_graph_visit *visit;
    void *ctx;
    uint64_t from;
    uint8_t code_kind; /* for functions: how the address gets there */
    unsigned depth;    /* a stub's slot may point at a stub */
};

static void walk_word(const struct walk *w, uint32_t object, uint64_t where);

static void walk_address(const struct walk *w, uint32_t object, uint64_t addr) {
    struct sr_graph *g = w->g;
    const struct sr_object *o = g->closure->objects[object];
    int64_t at;
    uint64_t slot;

    if (sr_object_is_code(o, addr)) {
        if (w->depth < 4 && sr_code_stub(o, addr, &slot)) {
            struct walk deeper = *w;

            deeper.depth++;
            walk_word(&deeper, object, slot);
            return;
        }
        at = sr_code_function(g->code[object], addr);
        if (at >= 0)
            w->visit(w->ctx, g->functions[object] + (uint32_t)at, w->code_kind, w->from);
        return;
    }
    at = sr_regions_find(&g->regions[object], addr);
    if (at >= 0)
        w->visit(w->ctx, g->data[object] + (uint32_t)at, SR_STEP_NAMES, w->from);
}

static void walk_symbol(const struct walk *w, uint32_t object, uint32_t symbol, int64_t addend,
                        bool copy) {
    struct sr_closure *c = w->g->closure;
    const struct sr_symbol *own = &c->objects[object]->dynsym[symbol];
    struct sr_target t;
    bool bound = sr_closure_bind(c, object, symbol, copy, &t);

    if (bound)
        walk_address(w, t.object, t.value + (uint64_t)addend);
    /* The loader relocates itself before it knows any other object, and again afterwards. */
    if (object == c->interp && own->defined && (!bound || t.object != object))
        walk_address(w, object, own->value + (uint64_t)addend);
}

static void walk_reloc(const struct walk *w, uint32_t object, const struct sr_reloc *r) {
    switch (r->kind) {
    case SR_RELOC_RELATIVE:
    case SR_RELOC_IRELATIVE:
        walk_address(w, object, r->target);
        break;
    case SR_RELOC_SYMBOL:
    case SR_RELOC_COPY:
        if (r->symbol)
            walk_symbol(w, object, r->symbol, r->addend, r->kind == SR_RELOC_COPY);
        break;
    default:
        break;
    }
}

static void walk_word(const struct walk *w, uint32_t object, uint64_t where) {
    const struct sr_reloc *r = sr_object_reloc(w->g->closure->objects[object], where);

    if (r)
        walk_reloc(w, object, r);
}

/* All words in [lo, hi). region: not by name; the slots of the GOT that lie in it are read by the
 * instructions that name them one by one, never through a pointer to the region. */
static void walk_words(const struct walk *w, uint32_t object, uint64_t lo, uint64_t hi,
                       bool region) {
    const struct sr_object *o = w->g->closure->objects[object];

    for (size_t i = sr_object_reloc_from(o, lo); i < o->n_relocs && o->relocs[i].where < hi; i++) {
        struct walk each = *w;

        if (region && (o->relocs[i].jump_slot || o->relocs[i].got))
            continue;
        if (!each.from)
            each.from = o->relocs[i].where;
        walk_reloc(&each, object, &o->relocs[i]);
    }
}

void sr_graph_call(struct sr_graph *g, uint32_t object, const struct sr_ref *ref,
                   sr_graph_visit *visit, void *ctx) {
    struct walk w = {g, visit, ctx, ref->from, ref->slot ? SR_STEP_SLOT : SR_STEP_CALL, 0};

    if (ref->slot)
        walk_word(&w, object, ref->to);
    else
        walk_address(&w, object, ref->to);
}

void sr_graph_reloc(struct sr_graph *g, uint32_t object, const struct sr_reloc *r,
                    sr_graph_visit *visit, void *ctx) {
    struct walk w = {g, visit, ctx, r->where, SR_STEP_DATA, 0};

    walk_reloc(&w, object, r);
}

void sr_graph_ref(struct sr_graph *g, uint32_t object, const struct sr_ref *ref,
                  sr_graph_visit *visit, void *ctx) {
    struct walk w = {g, visit, ctx, ref->from, SR_STEP_TAKEN, 0};

    switch (ref->kind) {
    case SR_REF_CALL:
    case SR_REF_JUMP:
    case SR_REF_FALL:
        sr_graph_call(g, object, ref, visit, ctx);
        break;
    case SR_REF_CODE:
        if (ref->slot)
            walk_word(&w, object, ref->to);
        else
            walk_address(&w, object, ref->to);
        break;
    case SR_REF_DATA:
        walk_address(&w, object, ref->to);
        break;
    case SR_REF_READ:
        walk_words(&w, object, ref->to, ref->to + ref->bytes, false);
        break;
    default:
        break;
    }
}

static void handler_edges(struct sr_graph *g, uint32_t object, const struct sr_function *f,
                          sr_graph_visit *visit, void *ctx) {
    const struct sr_object *o = g->closure->objects[object];
    struct walk w = {g, visit, ctx, f->lo, SR_STEP_TAKEN, 0};
    size_t lo = 0, hi = o->n_handlers;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (o->handlers[mid].function < f->lo)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < o->n_handlers && o->handlers[lo].function < f->hi; lo++) {
        if (o->handlers[lo].slot)
            walk_word(&w, object, o->handlers[lo].to);
        else
            walk_address(&w, object, o->handlers[lo].to);
    }
}

void sr_graph_edges(struct sr_graph *g, uint32_t node, sr_graph_visit *visit, void *ctx) {
    uint32_t object = sr_graph_object(g, node);

    if (sr_graph_is_data(g, node)) {
        const uint64_t *cut = g->regions[object].cuts + (node - g->data[object]);
        struct walk w = {g, visit, ctx, 0, SR_STEP_DATA, 0};

        walk_words(&w, object, cut[0], cut[1], true);
        return;
    }
    const struct sr_function *f = sr_graph_function(g, node);
    for (uint32_t i = 0; i < f->n_refs; i++)
        sr_graph_ref(g, object, &g->code[object]->refs[f->first_ref + i], visit, ctx);
    handler_edges(g, object, f, visit, ctx);
}

struct one {
    uint32_t node;
};

static void keep_node(void *ctx, uint32_t to, uint8_t kind, uint64_t from) {
    (void)kind;
    (void)from;
    ((struct one *)ctx)->node = to;
}

uint32_t sr_graph_node(struct sr_graph *g, uint32_t object, uint64_t addr) {
    struct one one = {SR_NODE_NONE};
    struct walk w = {g, keep_node, &one, 0, SR_STEP_TAKEN, 0};

    walk_address(&w, object, addr);
    return one.node;
}
