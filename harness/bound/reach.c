/*
 * Breadth-first reachability, see reach.h.
 */
#include "reach.h"

#include <stdlib.h>
#include <string.h>

#include "guards.h"

#define LOOKUPS_MAX 16 /* definitions of dlsym and dlvsym in one closure */

/* A guarded function and the first edge that led to it while its key was not reached. */
struct pending {
    struct sr_guard guard;
    bool met;
    uint32_t parent;
    uint64_t from;
    uint8_t kind;
};

struct search {
    struct sr_reach *r;
    uint32_t *queue;
    size_t head, tail;
    uint32_t at; /* the node whose edges are walked; NONE: roots */
    const char *why;
    struct pending pending[SR_GUARDS_MAX];
    size_t n_pending;
};

static bool is_taken(uint8_t kind) {
    return kind == SR_STEP_ENTRY || kind == SR_STEP_TAKEN || kind == SR_STEP_DATA;
}

/* True: not yet; its edge is remembered. */
static bool held_back(struct search *s, uint32_t node, uint8_t kind, uint64_t from) {
    for (size_t i = 0; i < s->n_pending; i++) {
        struct pending *p = &s->pending[i];

        if (p->guard.guarded != node || s->r->nodes[p->guard.key].depth)
            continue;
        if (!p->met)
            *p = (struct pending){p->guard, true, s->at, from, kind};
        return true;
    }
    return false;
}

static void reach(struct search *s, uint32_t node, uint8_t kind, uint64_t from) {
    struct sr_reached *n = &s->r->nodes[node];

    if (held_back(s, node, kind, from))
        return;

    n->taken |= is_taken(kind) && !sr_graph_is_data(s->r->g, node);
    if (n->depth)
        return;
    n->depth = s->at == SR_NODE_NONE ? 1 : s->r->nodes[s->at].depth + 1;
    n->parent = s->at;
    n->from = from;
    n->kind = kind;
    n->why = s->why;
    s->queue[s->tail++] = node;
}

/* The key is reached: what was held back is entered from where it was first called. */
static void let_go(struct search *s, uint32_t key) {
    uint32_t at = s->at;

    for (size_t i = 0; i < s->n_pending; i++) {
        struct pending *p = &s->pending[i];

        if (p->guard.key != key || !p->met)
            continue;
        s->at = p->parent;
        reach(s, p->guard.guarded, p->kind, p->from);
        s->at = at;
    }
}

static void visit(void *ctx, uint32_t to, uint8_t kind, uint64_t from) {
    struct search *s = ctx;

    /* sound: data needs no walk, for all that it holds is a root. */
    if (s->r->policy == SR_POLICY_TIGHT || !sr_graph_is_data(s->r->g, to))
        reach(s, to, kind, from);
}

static void root(void *ctx, uint32_t node, const char *why) {
    struct search *s = ctx;

    s->why = why;
    visit(s, node, SR_STEP_ENTRY, 0);
    s->why = NULL;
}

struct collector {
    struct sr_caller *out;
    size_t n, cap;
    uint32_t caller;
    bool failed;
};

static void collect(void *ctx, uint32_t to, uint8_t kind, uint64_t from) {
    struct collector *c = ctx;

    (void)kind;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 4096;
        struct sr_caller *more = realloc(c->out, cap * sizeof *more);

        if (!more) {
            c->failed = true;
            return;
        }
        c->out = more;
        c->cap = cap;
    }
    c->out[c->n++] = (struct sr_caller){to, c->caller, from};
}

static int by_callee(const void *a, const void *b) {
    const struct sr_caller *x = a, *y = b;

    if (x->callee != y->callee)
        return x->callee < y->callee ? -1 : 1;
    if (x->caller != y->caller)
        return x->caller < y->caller ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static bool find_callers(struct sr_reach *r) {
    struct sr_graph *g = r->g;
    struct collector c = {0};

    for (uint32_t node = 0; node < g->functions[g->closure->n]; node++) {
        const struct sr_function *f = r->nodes[node].depth ? sr_graph_function(g, node) : NULL;
        uint32_t object = f ? sr_graph_object(g, node) : 0;

        c.caller = node;
        for (uint32_t i = 0; f && i < f->n_refs; i++) {
            const struct sr_ref *ref = &g->code[object]->refs[f->first_ref + i];

            if (ref->kind <= SR_REF_FALL)
                sr_graph_call(g, object, ref, collect, &c);
        }
    }
    if (c.n)
        qsort(c.out, c.n, sizeof *c.out, by_callee);
    r->callers = c.out;
    r->n_callers = c.n;
    return !c.failed;
}

static void find_guards(struct search *s) {
    struct sr_guard guards[SR_GUARDS_MAX];

    s->n_pending = sr_guards_find(s->r->g, guards);
    for (size_t i = 0; i < s->n_pending; i++)
        s->pending[i].guard = guards[i];
}

struct sr_reach *sr_reach_compute(struct sr_graph *g, enum sr_policy policy) {
    struct sr_reach *r = calloc(1, sizeof *r);
    struct search s = {.r = r, .at = SR_NODE_NONE};
    uint32_t lookups[LOOKUPS_MAX];
    size_t n_lookups = sr_graph_lookup_nodes(g, lookups, LOOKUPS_MAX);
    bool ok;

    if (!r)
        return NULL;
    r->g = g;
    r->policy = policy;
    r->nodes = calloc(g->n_nodes ? g->n_nodes : 1, sizeof *r->nodes);
    s.queue = malloc((g->n_nodes ? g->n_nodes : 1) * sizeof *s.queue);
    ok = r->nodes && s.queue;
    if (ok && policy == SR_POLICY_TIGHT)
        find_guards(&s);
    if (ok) {
        sr_graph_roots(g, root, &s);
        if (policy == SR_POLICY_SOUND)
            sr_graph_taken(g, root, &s);
    }
    while (ok && s.head < s.tail) {
        s.at = s.queue[s.head++];
        let_go(&s, s.at);
        sr_graph_edges(g, s.at, visit, &s);
        for (size_t i = 0; i < n_lookups; i++)
            if (lookups[i] == s.at)
                sr_graph_lookups(g, visit, &s);
    }
    free(s.queue);
    if (!ok || !find_callers(r)) {
        sr_reach_free(r);
        return NULL;
    }
    return r;
}

void sr_reach_free(struct sr_reach *r) {
    if (!r)
        return;
    free(r->nodes);
    free(r->callers);
    free(r);
}

const struct sr_caller *sr_reach_callers(const struct sr_reach *r, uint32_t function, size_t *n) {
    size_t lo = 0, hi = r->n_callers;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (r->callers[mid].callee < function)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (*n = 0; lo + *n < r->n_callers && r->callers[lo + *n].callee == function;)
        ++*n;
    return *n ? r->callers + lo : NULL;
}
