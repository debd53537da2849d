/*
 * The bound put together, see bound.h: closure, graph, reachability, numbers, counts.
 */
#include "bound_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Both policies share the closure and its decoding. */
struct sr_shared {
    struct sr_graph *g;
    struct sr_numbers **numbers;
    unsigned users;
    double seconds;
};

static double cpu_seconds(void) {
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void release(struct sr_shared *s) {
    if (!s || --s->users)
        return;
    for (size_t i = 0; s->g && s->numbers && i < s->g->closure->n; i++)
        sr_numbers_free(s->numbers[i]);
    free(s->numbers);
    sr_graph_free(s->g);
    free(s);
}

static bool no_memory(struct sr_object_error *err) {
    snprintf(err->text, sizeof err->text, "out of memory; free some");
    err->environment = true;
    return false;
}

static struct sr_shared *share(const struct sr_closure_request *r, struct sr_object_error *err) {
    struct sr_shared *s = calloc(1, sizeof *s);
    double began = cpu_seconds();
    struct sr_closure *c;

    if (!s) {
        no_memory(err);
        return NULL;
    }
    s->users = 1;
    c = sr_closure_open(r, err);
    if (c && !(s->g = sr_graph_new(c)))
        no_memory(err);
    if (s->g && !(s->numbers = calloc(c->n, sizeof(struct sr_numbers *))))
        no_memory(err);
    if (!s->numbers) {
        release(s);
        return NULL;
    }
    s->seconds = cpu_seconds() - began;
    return s;
}

static void count_object(const struct sr_bound *b, uint32_t object, struct sr_bound_object *out) {
    const struct sr_graph *g = b->shared->g;
    const struct sr_code *code = g->code[object];
    const struct sr_reached *nodes = &b->reach->nodes[g->functions[object]];

    out->object = g->closure->objects[object];
    out->module = g->closure->module[object];
    out->functions = code->n_functions;
    out->decoded_bytes = code->bytes;
    out->sites = code->n_sites;
    for (size_t i = 0; i < out->object->n_segments; i++)
        if (out->object->segments[i].exec)
            out->code_bytes += out->object->segments[i].file_bytes;
    for (size_t i = 0; i < code->n_functions; i++)
        if (nodes[i].depth) {
            out->reachable_functions++;
            out->reachable_bytes += code->functions[i].hi - code->functions[i].lo;
        }
    for (size_t i = 0; i < code->n_sites; i++)
        out->reachable_sites += nodes[code->sites[i].function].depth != 0;
}

static int by_place(const void *a, const void *b) {
    const struct sr_bound_unresolved *x = &((const struct sr_unknown *)a)->u,
                                     *y = &((const struct sr_unknown *)b)->u;

    if (x->object != y->object)
        return x->object < y->object ? -1 : 1;
    return x->at != y->at ? (x->at < y->at ? -1 : 1) : strcmp(x->why, y->why);
}

/* One place is listed once for each reason, however many ways lead there. */
static bool list_unknown(struct sr_bound *b) {
    struct sr_resolved *r = &b->resolved;
    size_t out = 0;

    if (r->n_unknown)
        qsort(r->unknown, r->n_unknown, sizeof *r->unknown, by_place);
    for (size_t i = 0; i < r->n_unknown; i++)
        if (!out || by_place(&r->unknown[i], &r->unknown[out - 1]) != 0)
            r->unknown[out++] = r->unknown[i];
    r->n_unknown = out;
    b->result.unresolved = calloc(out ? out : 1, sizeof *b->result.unresolved);
    for (size_t i = 0; b->result.unresolved && i < out; i++)
        b->result.unresolved[i] = r->unknown[i].u;
    b->result.n_unresolved = out;
    b->result.closed = !out;
    return b->result.unresolved;
}

static bool fill(struct sr_bound *b) {
    struct sr_bound_result *res = &b->result;
    const struct sr_graph *g = b->shared->g;

    for (size_t i = 0; i < b->resolved.n_found; i++)
        sr_set_add(&res->set, b->resolved.found[i].call);
    res->n_objects = g->closure->n;
    res->objects = calloc(g->closure->n, sizeof *res->objects);
    if (!res->objects || !list_unknown(b))
        return false;
    for (uint32_t i = 0; i < g->closure->n; i++) {
        count_object(b, i, &res->objects[i]);
        res->sites += res->objects[i].sites;
        res->reachable_sites += res->objects[i].reachable_sites;
    }
    return true;
}

static struct sr_bound *compute(struct sr_shared *s, enum sr_policy policy,
                                struct sr_object_error *err) {
    struct sr_bound *b = calloc(1, sizeof *b);
    double began = cpu_seconds();

    if (!b) {
        no_memory(err);
        return NULL;
    }
    b->shared = s;
    b->g = s->g;
    s->users++;
    b->reach = sr_reach_compute(s->g, policy);
    if (!b->reach || !sr_resolve(b->reach, s->numbers, &b->resolved) || !fill(b)) {
        no_memory(err);
        sr_bound_free(b);
        return NULL;
    }
    b->result.seconds = s->seconds + cpu_seconds() - began;
    return b;
}

struct sr_bound *sr_bound_compute(const struct sr_bound_request *r, struct sr_object_error *err) {
    struct sr_shared *s = share(&r->closure, err);
    struct sr_bound *b = s ? compute(s, r->policy, err) : NULL;

    release(s);
    return b;
}

bool sr_bound_both(const struct sr_closure_request *r, struct sr_bound *out[2],
                   struct sr_object_error *err) {
    struct sr_shared *s = share(r, err);

    out[SR_POLICY_SOUND] = s ? compute(s, SR_POLICY_SOUND, err) : NULL;
    out[SR_POLICY_TIGHT] = out[SR_POLICY_SOUND] ? compute(s, SR_POLICY_TIGHT, err) : NULL;
    release(s);
    if (out[SR_POLICY_TIGHT])
        return true;
    sr_bound_free(out[SR_POLICY_SOUND]);
    out[SR_POLICY_SOUND] = NULL;
    return false;
}

const struct sr_bound_result *sr_bound_result(const struct sr_bound *b) {
    return &b->result;
}

const struct sr_closure *sr_bound_closure(const struct sr_bound *b) {
    return b->g->closure;
}

void sr_bound_free(struct sr_bound *b) {
    if (!b)
        return;
    sr_resolved_free(&b->resolved);
    sr_reach_free(b->reach);
    free(b->result.objects);
    free(b->result.unresolved);
    release(b->shared);
    free(b);
}

/* By its path, the name it was found under, or its soname. */
static int64_t find_object(const struct sr_closure *c, const char *name) {
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->objects[i]->path, name) == 0 || strcmp(c->objects[i]->file, name) == 0 ||
            (c->objects[i]->soname && strcmp(c->objects[i]->soname, name) == 0))
            return (int64_t)i;
    return -1;
}

int sr_bound_reaches(const struct sr_bound *b, const char *object, uint64_t addr) {
    int64_t o = find_object(b->g->closure, object);
    int64_t f = o < 0 ? -1 : sr_code_function(b->g->code[o], addr);

    if (o < 0)
        return -ENOENT;
    if (f < 0)
        return -EFAULT;
    return b->reach->nodes[b->g->functions[o] + (uint32_t)f].depth != 0;
}

void sr_bound_name(const struct sr_bound *b, uint32_t object, uint64_t at, char *buf, size_t size) {
    const struct sr_object *o = b->g->closure->objects[object];
    const char *base = strrchr(o->path, '/');
    uint64_t off;
    const char *name = sr_object_name_at(o, at, &off);

    if (name && off)
        snprintf(buf, size, "%s+0x%llx", name, (unsigned long long)off);
    else if (name)
        snprintf(buf, size, "%s", name);
    else
        snprintf(buf, size, "%s+0x%llx", base ? base + 1 : o->path, (unsigned long long)at);
}
