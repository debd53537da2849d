/*
 * Jumps between functions and entries, see edges.h. What is taken for an entry without being one
 * costs a value that is not known; what is missed would lose values.
 */
#include "edges.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

static int by_edge(const void *a, const void *b) {
    const struct sr_edge *x = a, *y = b;

    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

size_t sr_edges_first(const struct sr_edges *f, uint64_t to) {
    size_t lo = 0, hi = f->n_edges;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (f->edges[mid].to < to)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct sr_edge *sr_edges_to(const struct sr_edges *f, uint64_t addr, size_t *n) {
    size_t first = sr_edges_first(f, addr), end = first;

    while (end < f->n_edges && f->edges[end].to == addr)
        end++;
    *n = end - first;
    return f->edges + first;
}

static bool is_outer(const struct sr_edges *f, uint64_t addr) {
    size_t n;

    sr_edges_to(f, addr, &n);
    return n > 0;
}

/* Parts that the compiler moved away have symbols, but nobody calls them. */
static bool is_entry_symbol(const struct sr_edges *f, const struct sr_symbol *s) {
    if (!s->defined || (s->type != STT_FUNC && s->type != STT_GNU_IFUNC && s->type != STT_NOTYPE))
        return false;
    return !strstr(s->name, ".cold") || !is_outer(f, s->value);
}

bool sr_edges_is_label(const struct sr_function *fn, const struct sr_ref *r) {
    return r->kind == SR_REF_CODE && fn->indirect_jump && r->to > fn->lo && r->to < fn->hi;
}

/* Does the instruction of reference i (by function and address) name data? A jump does not. */
static bool names_data(const struct sr_code *c, const struct sr_function *fn, uint32_t i) {
    for (uint32_t k = i; k > fn->first_ref && c->refs[k - 1].from == c->refs[i].from; k--)
        if (c->refs[k - 1].kind == SR_REF_DATA)
            return true;
    for (uint32_t k = i + 1; k < fn->first_ref + fn->n_refs && c->refs[k].from == c->refs[i].from;
         k++)
        if (c->refs[k].kind == SR_REF_DATA)
            return true;
    return false;
}

static void collect_edges(struct sr_edges *f) {
    const struct sr_code *c = f->code;

    for (size_t i = 0; i < c->n_functions; i++) {
        const struct sr_function *fn = &c->functions[i];

        for (uint32_t k = fn->first_ref; k < fn->first_ref + fn->n_refs; k++) {
            const struct sr_ref *r = &c->refs[k];

            if ((r->kind == SR_REF_JUMP || r->kind == SR_REF_FALL) && !r->slot)
                f->edges[f->n_edges++] = (struct sr_edge){r->to, r->from, names_data(c, fn, k)};
        }
    }
    if (f->n_edges)
        qsort(f->edges, f->n_edges, sizeof *f->edges, by_edge);
}

static bool is_entry(const struct sr_edges *f, uint64_t addr) {
    return bsearch(&addr, f->entries, f->n_entries, sizeof addr, by_value) != NULL;
}

/* A jump table leads to moved parts of its function. What seems to lead into the midst of a
 * function that somebody calls is the next table, read as this one. */
static void drop_edges(struct sr_edges *f) {
    size_t n = 0;

    for (size_t i = 0; i < f->n_edges; i++) {
        const struct sr_edge *e = &f->edges[i];
        int64_t to = e->table ? sr_code_function(f->code, e->to) : -1;
        uint64_t lo = to >= 0 ? f->code->functions[to].lo : e->to;

        if (!e->table || lo == e->to || !is_entry(f, lo))
            f->edges[n++] = *e;
    }
    f->n_edges = n;
}

/* A word that leads into the midst of a function with indirect jumps (or of its moved part) is one
 * of a table for them. */
static bool is_label_word(const struct sr_edges *f, uint64_t to) {
    int64_t function = sr_code_function(f->code, to);
    size_t n;
    const struct sr_edge *e = sr_edges_to(f, to, &n);

    if (function < 0 || f->code->functions[function].lo == to)
        return false;
    return f->code->functions[function].indirect_jump || (n && e->table);
}

static void collect_entries(struct sr_edges *f) {
    const struct sr_code *c = f->code;
    const struct sr_object *o = c->object;
    uint64_t *e = f->entries;
    size_t n = 0;

    for (size_t i = 0; i < c->n_functions; i++) {
        const struct sr_function *fn = &c->functions[i];

        for (uint32_t k = 0; k < fn->n_refs; k++) {
            const struct sr_ref *r = &c->refs[fn->first_ref + k];

            if ((r->kind == SR_REF_CALL || r->kind == SR_REF_CODE) && !r->slot &&
                !sr_edges_is_label(fn, r))
                e[n++] = r->to;
        }
    }
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE && is_label_word(f, o->relocs[i].target))
            f->labels[f->n_labels++] = o->relocs[i].target;
        else if (o->relocs[i].kind == SR_RELOC_RELATIVE || o->relocs[i].kind == SR_RELOC_IRELATIVE)
            e[n++] = o->relocs[i].target;
    for (size_t i = 0; i < o->n_dynsym; i++)
        if (is_entry_symbol(f, &o->dynsym[i]))
            e[n++] = o->dynsym[i].value;
    for (size_t i = 0; i < o->n_symtab; i++)
        if (is_entry_symbol(f, &o->symtab[i]))
            e[n++] = o->symtab[i].value;
    for (size_t i = 0; i < o->n_inits; i++)
        e[n++] = o->inits[i];
    e[n++] = o->entry;
    qsort(e, n, sizeof *e, by_value);
    f->n_entries = n;
    if (f->n_labels)
        qsort(f->labels, f->n_labels, sizeof *f->labels, by_value);
}

size_t sr_edges_first_value(const uint64_t *list, size_t n, uint64_t low) {
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (list[mid] < low)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool sr_edges_collect(struct sr_edges *f, const struct sr_code *code) {
    const struct sr_object *o = code->object;

    *f = (struct sr_edges){.code = code};
    f->edges = calloc(code->n_refs + 1, sizeof *f->edges);
    f->labels = calloc(o->n_relocs + 1, sizeof *f->labels);
    f->entries = calloc(code->n_refs + o->n_relocs + o->n_dynsym + o->n_symtab + o->n_inits + 1,
                        sizeof *f->entries);
    if (!f->edges || !f->labels || !f->entries)
        return false;
    collect_edges(f);
    collect_entries(f);
    drop_edges(f);
    return true;
}

void sr_edges_free(struct sr_edges *f) {
    free(f->edges);
    free(f->labels);
    free(f->entries);
}
