/*
 * Cutting data into regions, see regions.h.
 *
 * Cuts are made at borders (sections, segments), at the begin and end of sized symbols, and at
 * addresses that some instruction or word of the object holds: a compiler refers to an object of
 * data by its begin. It may also refer to a member, so such an address is a cut only where an
 * object can begin by the ABI's alignment, and never inside a sized symbol.
 */
#include "regions.h"

#include <stdlib.h>

struct cutter {
    const struct sr_object *o;
    uint64_t *at;
    size_t n, cap;
    bool failed;
};

static void add(struct cutter *c, uint64_t at) {
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 1024;
        uint64_t *more = realloc(c->at, cap * sizeof *more);

        if (!more) {
            c->failed = true;
            return;
        }
        c->at = more;
        c->cap = cap;
    }
    c->at[c->n++] = at;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void sort(struct cutter *c) {
    size_t out = 0;

    if (c->n)
        qsort(c->at, c->n, sizeof *c->at, by_value);
    for (size_t i = 0; i < c->n; i++)
        if (!out || c->at[i] != c->at[out - 1])
            c->at[out++] = c->at[i];
    c->n = out;
}

struct extent {
    uint64_t lo, hi;
};

static int by_extent(const void *a, const void *b) {
    const struct extent *x = a, *y = b;

    return x->lo != y->lo ? (x->lo < y->lo ? -1 : 1) : x->hi < y->hi ? 1 : x->hi > y->hi ? -1 : 0;
}

/* Sized data symbols, sorted, with those that overlap merged: nothing is cut inside. */
static struct extent *symbol_extents(const struct sr_object *o, size_t *n) {
    size_t total = o->n_dynsym + o->n_symtab, out = 0;
    struct extent *e = malloc((total ? total : 1) * sizeof *e);

    *n = 0;
    for (size_t i = 0; e && i < total; i++) {
        const struct sr_symbol *s = i < o->n_dynsym ? &o->dynsym[i] : &o->symtab[i - o->n_dynsym];

        if (s->defined && s->type == 1 /* STT_OBJECT */ && s->size &&
            s->value + s->size > s->value && sr_object_is_data(o, s->value))
            e[out++] = (struct extent){s->value, s->value + s->size};
    }
    if (!e || !out)
        return e;
    qsort(e, out, sizeof *e, by_extent);
    for (size_t i = 1; i < out; i++) {
        if (e[i].lo < e[*n].hi) {
            if (e[i].hi > e[*n].hi)
                e[*n].hi = e[i].hi;
        } else {
            e[++*n] = e[i];
        }
    }
    ++*n;
    return e;
}

static bool inside(const struct extent *e, size_t n, uint64_t at) {
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (e[mid].lo < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && at < e[lo - 1].hi;
}

/* Of an address at which data is cut: gcc aligns what holds a cache line or more so. An address of
 * a member is that round by chance only; what is aligned to less is not cut off from its neighbour.
 */
#define ALIGN 64

static void add_named(struct cutter *c, uint64_t at) {
    if (at % ALIGN == 0 && sr_object_is_data(c->o, at))
        add(c, at);
}

static void add_candidates(struct cutter *c, const struct sr_code *code) {
    const struct sr_object *o = c->o;

    for (size_t i = 0; i < code->n_refs; i++)
        if (code->refs[i].kind == SR_REF_DATA)
            add_named(c, code->refs[i].to);
    for (size_t i = 0; i < o->n_relocs; i++) {
        const struct sr_reloc *r = &o->relocs[i];

        if (r->kind == SR_RELOC_RELATIVE)
            add_named(c, r->target);
    }
}

static void add_certain(struct cutter *c, const struct extent *e, size_t n) {
    const struct sr_object *o = c->o;

    for (size_t i = 0; i < n; i++) {
        add(c, e[i].lo);
        add(c, e[i].hi);
    }
    for (size_t i = 0; i < o->n_borders; i++)
        add(c, o->borders[i]);
    for (size_t i = 0; i < o->n_segments; i++) {
        add(c, o->segments[i].lo);
        add(c, o->segments[i].hi);
    }
}

bool sr_regions_make(struct sr_regions *r, const struct sr_code *code) {
    struct cutter c = {.o = code->object};
    size_t n_extents, out = 0;
    struct extent *e = symbol_extents(code->object, &n_extents);

    *r = (struct sr_regions){0};
    if (!e)
        return false;
    add_certain(&c, e, n_extents);
    add_candidates(&c, code);
    sort(&c);
    for (size_t i = 0; i < c.n; i++)
        if (!inside(e, n_extents, c.at[i]))
            c.at[out++] = c.at[i];
    free(e);
    if (c.failed) {
        free(c.at);
        return false;
    }
    r->cuts = c.at;
    r->n = out > 1 ? out - 1 : 0;
    return true;
}

void sr_regions_free(struct sr_regions *r) {
    free(r->cuts);
    *r = (struct sr_regions){0};
}

int64_t sr_regions_find(const struct sr_regions *r, uint64_t addr) {
    size_t lo = 0, hi = r->n;

    if (!r->n || addr < r->cuts[0] || addr >= r->cuts[r->n])
        return -1;
    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (r->cuts[mid] <= addr)
            lo = mid;
        else
            hi = mid;
    }
    return (int64_t)lo;
}
