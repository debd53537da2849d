/*
 * Why a call is in the bound: a shortest chain from a root to the function that sets its number, on
 * through the calls that hand the number on, to the instruction that enters the kernel.
 */
#include <errno.h>
#include <stdlib.h>

#include "bound_private.h"

struct chain {
    struct sr_step *steps;
    int n, cap;
};

static bool push(struct chain *c, struct sr_step step) {
    if (c->n == c->cap) {
        int cap = c->cap ? 2 * c->cap : 32;
        struct sr_step *more = realloc(c->steps, (size_t)cap * sizeof *more);

        if (!more)
            return false;
        c->steps = more;
        c->cap = cap;
    }
    c->steps[c->n++] = step;
    return true;
}

static struct sr_step step_to(const struct sr_graph *g, uint32_t node, uint8_t kind,
                              uint64_t from) {
    return (struct sr_step){.kind = kind,
                            .data = sr_graph_is_data(g, node),
                            .object = sr_graph_object(g, node),
                            .at = sr_graph_address(g, node),
                            .from = from};
}

static bool push_path(const struct sr_bound *b, struct chain *c, uint32_t node) {
    const struct sr_reached *nodes = b->reach->nodes;
    int first = c->n;

    for (; node != SR_NODE_NONE; node = nodes[node].parent) {
        struct sr_step s = step_to(b->g, node, nodes[node].kind, nodes[node].from);

        s.why = nodes[node].why;
        if (!push(c, s))
            return false;
    }
    for (int i = first, k = c->n - 1; i < k; i++, k--) {
        struct sr_step swap = c->steps[i];

        c->steps[i] = c->steps[k];
        c->steps[k] = swap;
    }
    return true;
}

/* The function where the number is set: the outermost of those that hand it on. */
static uint32_t outermost(const struct sr_found *f) {
    return f->n_via ? f->via[f->n_via - 1].caller : f->function;
}

static int tell(const struct sr_bound *b, const struct sr_found *f, struct sr_step **steps) {
    struct chain c = {0};
    bool ok = push_path(b, &c, outermost(f));

    for (uint32_t i = f->n_via; ok && i-- > 0;) {
        uint32_t callee = i ? f->via[i - 1].caller : f->function;

        ok = push(&c, step_to(b->g, callee, SR_STEP_CALL, f->via[i].at));
    }
    ok = ok && push(&c, (struct sr_step){.kind = SR_STEP_SITE, .object = f->object, .at = f->site});
    if (!ok) {
        free(c.steps);
        return -ENOMEM;
    }
    *steps = c.steps;
    return c.n;
}

int sr_bound_why(const struct sr_bound *b, struct sr_call call, struct sr_step **steps) {
    const struct sr_found *best = NULL;
    uint32_t best_length = UINT32_MAX;

    for (size_t i = 0; i < b->resolved.n_found; i++) {
        const struct sr_found *f = &b->resolved.found[i];
        uint32_t length = b->reach->nodes[outermost(f)].depth + f->n_via;

        if (sr_call_equal(f->call, call) && length < best_length) {
            best = f;
            best_length = length;
        }
    }
    return best ? tell(b, best, steps) : 0;
}

int sr_bound_why_unresolved(const struct sr_bound *b, size_t index, struct sr_step **steps) {
    return index < b->resolved.n_unknown ? tell(b, &b->resolved.unknown[index].found, steps) : 0;
}
