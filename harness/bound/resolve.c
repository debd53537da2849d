/*
 * From system-call instructions to numbers, see resolve.h.
 *
 * Each site asks numbers.h for the origin of its rax. Where that is the function's argument, every
 * reachable caller is asked in turn; where it is memory behind an argument or a global pointer,
 * every caller for what it stored there. A function whose address is taken has callers that are not
 * known: then the site has a number that is not known, besides those that are.
 */
#include "resolve.h"

#include <stdlib.h>
#include <string.h>

#include "pointers.h"

#define WORK_MAX   5000        /* calls that are asked for one site */
#define ASKED_MAX  1024        /* functions whose callers are asked for one site */
#define SCAN_BYTES (32u << 20) /* of code that is searched for calls through pointers, in all */
#define OPEN_MAX   256         /* ways to one site that end in the unknown: then it is given up */

/* What is looked for at each call of a function: the value of an argument, or the word that it
 * points to. */
struct query {
    uint8_t reg;
    bool memory;
    int64_t offset;
    int64_t add; /* to the value that is found */
};

struct asked {
    uint32_t function;
    struct query q;
};

struct resolver {
    const struct sr_reach *r;
    struct sr_numbers **numbers;
    struct sr_resolved *out;
    uint8_t kind; /* of the site: enum sr_entry_kind */
    unsigned work;
    uint64_t scanned; /* bytes of code, for calls through pointers */
    unsigned open;    /* ways of this site that ended in the unknown */
    bool failed;
    struct asked asked[ASKED_MAX]; /* for this site: asking again tells nothing new */
    unsigned n_asked;
};

static bool same_query(const struct query *a, const struct query *b) {
    return a->reg == b->reg && a->memory == b->memory && a->offset == b->offset && a->add == b->add;
}

/* False: this was asked before. */
static bool ask_once(struct resolver *v, uint32_t function, const struct query *q) {
    for (unsigned i = 0; i < v->n_asked; i++)
        if (v->asked[i].function == function && same_query(&v->asked[i].q, q))
            return false;
    if (v->n_asked < ASKED_MAX)
        v->asked[v->n_asked++] = (struct asked){function, *q};
    return true;
}

static struct sr_numbers *numbers_of(struct resolver *v, uint32_t object) {
    if (!v->numbers[object])
        v->numbers[object] = sr_numbers_new(v->r->g->code[object]);
    if (!v->numbers[object])
        v->failed = true;
    return v->numbers[object];
}

static void *grown(struct resolver *v, void *list, size_t n, size_t size) {
    void *more = list;

    if ((n & (n - 1)) == 0)
        more = realloc(list, (n ? 2 * n : 1) * size);
    if (!more)
        v->failed = true;
    return more;
}

static void found(struct resolver *v, const struct sr_found *way, int64_t value) {
    struct sr_found *more = grown(v, v->out->found, v->out->n_found, sizeof *more);

    if (!more)
        return;
    v->out->found = more;
    more[v->out->n_found] = *way;
    more[v->out->n_found++].call =
        sr_call_from_entry(v->kind != SR_ENTRY_SYSCALL, (uint64_t)value & UINT32_MAX);
}

static void unknown(struct resolver *v, const struct sr_found *way, uint64_t at, const char *why) {
    struct sr_unknown *more;
    uint32_t last = way->n_via ? way->via[way->n_via - 1].caller : way->function;

    if (v->open == OPEN_MAX)
        return;
    more = grown(v, v->out->unknown, v->out->n_unknown, sizeof *more);
    if (!more)
        return;
    if (++v->open == OPEN_MAX)
        why = "and more ways to the same site: it was given up";
    v->out->unknown = more;
    more[v->out->n_unknown++] =
        (struct sr_unknown){{sr_graph_object(v->r->g, last), at, why}, *way};
}

static void follow(struct resolver *v, const struct sr_found *way, uint32_t object, uint64_t at,
                   const struct sr_origins *origins, const struct query *q);

/* One call of a function whose argument is looked for. */
static void ask_caller(struct resolver *v, const struct sr_found *way, uint32_t caller, uint64_t at,
                       const struct query *q) {
    uint32_t object = sr_graph_object(v->r->g, caller);
    struct sr_numbers *numbers = numbers_of(v, object);
    struct sr_found next = *way;
    int reg = sr_numbers_arg_register(q->reg);
    struct sr_origins origins;

    if (v->open == OPEN_MAX)
        return;
    if (!numbers || ++v->work > WORK_MAX)
        return unknown(v, way, at, "too many calls to look at");
    next.via[next.n_via].caller = caller;
    next.via[next.n_via++].at = at;
    if (q->memory)
        sr_numbers_pointee(numbers, at, reg, q->offset, &origins);
    else
        sr_numbers_register(numbers, at, reg, &origins);
    follow(v, &next, object, at, &origins, q);
}

struct asking {
    struct resolver *v;
    const struct sr_found *way;
    const struct query *q;
};

static void ask_pointer_call(void *ctx, uint32_t caller, uint64_t at) {
    const struct asking *a = ctx;

    ask_caller(a->v, a->way, caller, at, a->q);
}

/* sound does not assume that a pointer stays in its object; then the site stays open, whatever is
 * found. */
static void ask_pointer_calls(struct resolver *v, const struct sr_found *way, uint32_t function,
                              const struct query *q) {
    uint32_t object = sr_graph_object(v->r->g, function);
    struct sr_numbers *numbers = numbers_of(v, object);
    struct asking a = {v, way, q};

    v->scanned += v->r->g->code[object]->bytes;
    if (!numbers || v->scanned > SCAN_BYTES ||
        !sr_pointer_calls(v->r, function, numbers, ask_pointer_call, &a) ||
        v->r->policy == SR_POLICY_SOUND)
        unknown(v, way, sr_graph_address(v->r->g, function),
                "its function is called through a pointer, with a number not known here");
}

/* The callers of a function, each asked for what it hands over. */
static void ask_callers(struct resolver *v, const struct sr_found *way, uint32_t function,
                        const struct query *q) {
    size_t n;
    const struct sr_caller *callers = sr_reach_callers(v->r, function, &n);

    if (v->open >= OPEN_MAX || !ask_once(v, function, q))
        return;
    if (way->n_via == SR_VIA_MAX || v->n_asked == ASKED_MAX)
        return unknown(v, way, sr_graph_address(v->r->g, function),
                       "handed on through too many calls");
    if (v->r->nodes[function].taken)
        ask_pointer_calls(v, way, function, q);
    for (size_t i = 0; i < n && !v->failed && v->open < OPEN_MAX; i++)
        ask_caller(v, way, callers[i].caller, callers[i].at, q);
}

/* A word behind a global pointer: what was stored to the pointer says where to look. */
static void follow_pointer(struct resolver *v, const struct sr_found *way, uint32_t object,
                           const struct sr_origin *o) {
    struct sr_numbers *numbers = numbers_of(v, object);
    struct sr_origins stores;

    if (!numbers)
        return;
    sr_numbers_global(numbers, o->address, &stores);
    for (size_t i = 0; i < stores.n; i++) {
        const struct sr_origin *s = &stores.o[i];
        struct query q = {s->reg, true, s->value + o->offset, 0};

        if (s->kind == SR_ORIGIN_ARG)
            ask_callers(v, way, v->r->g->functions[object] + s->function, &q);
        else if (s->kind != SR_ORIGIN_CONST || s->value != 0) /* 0: not set yet */
            unknown(v, way, s->at, "a word behind a global pointer that is set elsewhere");
    }
    if (stores.overflow)
        unknown(v, way, o->at, "too many stores to a global pointer");
}

static void follow_global(struct resolver *v, const struct sr_found *way, uint32_t object,
                          const struct sr_origin *o, const struct query *q) {
    struct sr_numbers *numbers = numbers_of(v, object);
    struct sr_origins stores;

    if (!numbers)
        return;
    sr_numbers_global(numbers, o->address, &stores);
    for (size_t i = 0; i < stores.n; i++)
        if (stores.o[i].kind == SR_ORIGIN_GLOBAL) { /* one global copied to another */
            stores.o[i].kind = SR_ORIGIN_UNKNOWN;
            stores.o[i].why = "copied from one global word to another";
        }
    follow(v, way, object, o->at, &stores, q);
}

static void follow(struct resolver *v, const struct sr_found *way, uint32_t object, uint64_t at,
                   const struct sr_origins *origins, const struct query *q) {
    for (size_t i = 0; i < origins->n && !v->failed; i++) {
        const struct sr_origin *o = &origins->o[i];
        uint32_t function = v->r->g->functions[object] + o->function;
        struct query next = {o->reg, o->kind == SR_ORIGIN_ARG_MEM, o->offset, q->add};

        switch (o->kind) {
        case SR_ORIGIN_CONST:
            found(v, way, o->value + q->add);
            break;
        case SR_ORIGIN_ARG:
            next.add += o->value;
            ask_callers(v, way, function, &next);
            break;
        case SR_ORIGIN_ARG_MEM:
            ask_callers(v, way, function, &next);
            break;
        case SR_ORIGIN_GLOBAL_MEM:
            follow_pointer(v, way, object, o);
            break;
        case SR_ORIGIN_GLOBAL:
            follow_global(v, way, object, o, q);
            break;
        default:
            unknown(v, way, o->at ? o->at : at, o->why);
            break;
        }
    }
    if (origins->overflow || !origins->n)
        unknown(v, way, at, origins->n ? "too many values" : "no value found");
}

bool sr_resolve(const struct sr_reach *r, struct sr_numbers **numbers, struct sr_resolved *out) {
    struct resolver v = {.r = r, .numbers = numbers, .out = out};
    struct sr_graph *g = r->g;

    *out = (struct sr_resolved){0};
    for (uint32_t object = 0; object < g->closure->n; object++) {
        const struct sr_code *code = g->code[object];

        for (size_t i = 0; i < code->n_sites && !v.failed; i++) {
            const struct sr_entry_site *site = &code->sites[i];
            struct sr_found way = {.object = object, .site = site->at};
            struct sr_origins origins;
            const struct query q = {0};

            way.function = g->functions[object] + site->function;
            if (!r->nodes[way.function].depth || !numbers_of(&v, object))
                continue;
            v.kind = site->kind;
            v.work = v.n_asked = v.open = 0;
            sr_numbers_register(numbers[object], site->at, SR_REG_RAX, &origins);
            follow(&v, &way, object, site->at, &origins, &q);
        }
    }
    return !v.failed;
}

void sr_resolved_free(struct sr_resolved *r) {
    free(r->found);
    free(r->unknown);
    *r = (struct sr_resolved){0};
}
