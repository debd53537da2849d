/*
 * What came of a scan: functions, each with its references.
 *
 * Code without FDE is cut into functions where references or symbols say that one begins; what
 * jumps alone lead to belongs to the function before it. Only then is it known which jumps leave
 * their function, and which functions' jump tables do.
 */
#include <stdlib.h>
#include <string.h>

#include "scan.h"

/* The functions in the making. */
struct maker {
    struct scan *s;
    struct sr_function *out;
    size_t n, room;
    uint64_t last; /* the instruction that was met last; of the function that is open */
    bool open;     /* out[n - 1] goes on behind its hi */
};

static void begin_function(struct maker *m, const struct sr_function *f) {
    m->out = sr_scan_grow(m->s, m->out, m->n, &m->room, sizeof *m->out);
    if (!m->s->failed)
        m->out[m->n++] = *f;
}

/* The open function ends with the last instruction, before limit. Here a call may return: that a
 * function begins behind it is only a guess. */
static void end_function(struct maker *m, const struct area *a, uint64_t limit) {
    struct sr_instr in = {.flow = SR_FLOW_STOP};
    struct sr_function *f;
    uint64_t end;

    if (!m->open)
        return;
    m->open = false;
    if (!sr_instr_decode(&m->s->decoder, a->bytes + (m->last - a->lo), (size_t)(a->hi - m->last),
                         m->last, &in))
        return;
    f = &m->out[m->n - 1];
    end = m->last + in.length;
    f->hi = end < limit ? end : limit;
    if (in.flow != SR_FLOW_STOP && in.flow != SR_FLOW_JUMP)
        sr_scan_add_ref(m->s, &(struct sr_ref){.from = m->last, .to = end, .kind = SR_REF_FALL});
}

/* Between two FDEs. The function before goes on there if instructions follow it directly. */
static void make_between(struct maker *m, const struct area *a, uint64_t lo, uint64_t hi) {
    const struct scan *s = m->s;
    bool joins = m->n > 0 && m->out[m->n - 1].hi == lo;

    for (uint64_t at = lo; at < hi && !s->failed; at++) {
        uint64_t bit = a->first_bit + (at - a->lo);

        if (s->code.starts[bit / 8] == 0) {
            at += 7 - bit % 8;
            continue;
        }
        if (!get_bit(s->code.starts, bit))
            continue;
        if (get_bit(s->heads, bit) || !(m->open || (joins && at - lo < 15))) {
            end_function(m, a, at);
            begin_function(m, &(struct sr_function){.lo = at, .hi = at + 1});
        }
        joins = false;
        m->open = true;
        m->last = at;
    }
    if (!s->failed)
        end_function(m, a, hi);
}

void sr_scan_make_functions(struct scan *s) {
    struct maker m = {.s = s};
    size_t next = 0;

    for (size_t i = 0; i < s->n_areas && !s->failed; i++) {
        const struct area *a = &s->areas[i];
        uint64_t at = a->lo;

        for (; next < s->code.n_functions && s->code.functions[next].lo < a->hi; next++) {
            const struct sr_function *f = &s->code.functions[next];

            make_between(&m, a, at, f->lo);
            begin_function(&m, f);
            at = f->hi;
        }
        make_between(&m, a, at, a->hi);
    }
    free(s->code.functions);
    s->code.functions = m.out;
    s->code.n_functions = m.n;
}

/* The function that holds addr; often it is the same as last time, or the next. */
static struct sr_function *locate(const struct scan *s, uint64_t addr, size_t *near) {
    struct sr_function *f = s->code.functions;
    int64_t found;

    for (size_t i = *near; i < s->code.n_functions && i < *near + 2; i++)
        if (addr >= f[i].lo && addr < f[i].hi) {
            *near = i;
            return &f[i];
        }
    found = sr_code_function(&s->code, addr);
    if (found < 0)
        return NULL;
    *near = (size_t)found;
    return &f[found];
}

static void set_flags(struct scan *s) {
    size_t near = 0;

    for (size_t i = 0; i < s->code.n_refs; i++) {
        const struct sr_ref *r = &s->code.refs[i];
        struct sr_function *f;

        if (r->kind < SR_REF_KINDS || !(f = locate(s, r->from, &near)))
            continue;
        if (r->kind == MARK_CALL)
            f->indirect_call = true;
        else
            f->indirect_jump = true;
    }
}

/* The entries of a table that leave the function (into its cold part). */
static void add_table(struct scan *s, const struct sr_function *f, uint64_t from, uint64_t addr,
                      bool wide) {
    struct sr_table t;
    uint64_t before = f->lo;

    if (!sr_table_open(s->code.object, addr, wide, &t))
        return;
    for (size_t i = 0; i < t.n && s->table_budget > 0; i++, s->table_budget--) {
        uint64_t to = sr_table_entry(&t, i);

        if (!sr_code_is_start(&s->code, to))
            return;
        if ((to < f->lo || to >= f->hi) && to != before)
            sr_scan_add_ref(s, &(struct sr_ref){.from = from, .to = to, .kind = SR_REF_JUMP});
        before = to;
    }
}

/* Tables may lie among the code, or in a segment that holds code and constants. */
static void add_tables(struct scan *s) {
    size_t n = s->code.n_refs, near = 0;

    for (size_t i = 0; i < n && !s->failed; i++) {
        const struct sr_ref r = s->code.refs[i];
        const struct sr_function *f;

        if ((r.kind != SR_REF_DATA && r.kind != SR_REF_CODE) || !(f = locate(s, r.from, &near)) ||
            !f->indirect_jump)
            continue;
        add_table(s, f, r.from, r.to, false);
        if (s->code.object->fixed)
            add_table(s, f, r.from, r.to, true);
    }
}

static int by_from(const void *a, const void *b) {
    const struct sr_ref *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static bool same_ref(const struct sr_ref *a, const struct sr_ref *b) {
    return a->from == b->from && a->to == b->to && a->kind == b->kind && a->slot == b->slot;
}

/* Does a reference of this function tell anything? */
static bool is_worth(const struct scan *s, const struct sr_function *f, const struct sr_ref *r) {
    if (!f || r->kind >= SR_REF_KINDS)
        return false;
    if (r->slot || (r->kind != SR_REF_JUMP && r->kind != SR_REF_FALL))
        return true;
    if (r->to >= f->lo && r->to < f->hi)
        return false;
    return r->kind == SR_REF_JUMP || sr_code_function(&s->code, r->to) >= 0;
}

/* The sweep's refs are in order; the others are sorted and merged in. */
static void order_refs(struct scan *s) {
    size_t n = s->code.n_refs, i = 0, k = s->n_swept, out = 0, near = 0;
    struct sr_ref *in = s->code.refs, *refs = malloc((n + 1) * sizeof *refs);

    if (!refs || n > UINT32_MAX) {
        free(refs);
        s->failed = true;
        return;
    }
    if (n > k)
        qsort(in + k, n - k, sizeof *in, by_from);
    while (i < s->n_swept || k < n) {
        const struct sr_ref *r =
            k == n || (i < s->n_swept && in[i].from <= in[k].from) ? &in[i++] : &in[k++];
        struct sr_function *f = locate(s, r->from, &near);

        if (!is_worth(s, f, r) || (out > 0 && same_ref(&refs[out - 1], r)))
            continue;
        if (f->n_refs++ == 0)
            f->first_ref = (uint32_t)out;
        refs[out++] = *r;
    }
    free(in);
    s->code.refs = refs;
    s->code.n_refs = out;
}

static int by_at(const void *a, const void *b) {
    const struct sr_entry_site *x = a, *y = b;

    return x->at < y->at ? -1 : x->at > y->at;
}

static void order_sites(struct scan *s) {
    struct sr_code *c = &s->code;
    size_t out = 0;

    if (c->n_sites > 0)
        qsort(c->sites, c->n_sites, sizeof *c->sites, by_at);
    for (size_t i = 0; i < c->n_sites; i++) {
        int64_t f = sr_code_function(c, c->sites[i].at);

        if (f < 0)
            continue;
        c->sites[out] = c->sites[i];
        c->sites[out++].function = (uint32_t)f;
    }
    c->n_sites = out;
}

void sr_scan_finish(struct scan *s) {
    set_flags(s);
    add_tables(s);
    if (s->failed)
        return;
    order_refs(s);
    order_sites(s);
}
