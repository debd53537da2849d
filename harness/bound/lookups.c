/*
 * Names that a program looks up at run time.
 *
 * dlsym(3) finds an export by its name, and the name is a string that lies somewhere: where dlsym
 * is reachable, every export whose name stands as a string in the data of an object that imports it
 * counts as taken. A name that is put together at run time, or read from a file, is not found that
 * way: docs/limitations.md.
 */
#include <elf.h>
#include <string.h>

#include "graph.h"

static const char *const lookup_functions[] = {"dlsym", "dlvsym"};

#define N_LOOKUPS (sizeof lookup_functions / sizeof *lookup_functions)

static bool is_lookup(const char *name) {
    for (size_t i = 0; i < N_LOOKUPS; i++)
        if (strcmp(name, lookup_functions[i]) == 0)
            return true;
    return false;
}

static bool imports_lookup(const struct sr_object *o) {
    for (size_t i = 1; i < o->n_dynsym; i++)
        if (!o->dynsym[i].defined && is_lookup(o->dynsym[i].name))
            return true;
    return false;
}

size_t sr_graph_lookup_nodes(struct sr_graph *g, uint32_t *nodes, size_t max) {
    struct sr_target t;
    size_t n = 0;

    for (size_t i = 0; i < N_LOOKUPS; i++)
        for (size_t at = 0;
             n < max && sr_closure_exports(g->closure, lookup_functions[i], &at, &t);)
            nodes[n++] = sr_graph_node(g, t.object, t.value);
    return n;
}

static void try_name(struct sr_graph *g, const char *name, sr_graph_visit *visit, void *ctx) {
    struct sr_target t;

    for (size_t at = 0; sr_closure_exports(g->closure, name, &at, &t);) {
        uint32_t node = t.type == STT_FUNC || t.type == STT_GNU_IFUNC
                            ? sr_graph_node(g, t.object, t.value)
                            : SR_NODE_NONE;
        if (node != SR_NODE_NONE)
            visit(ctx, node, SR_STEP_TAKEN, 0);
    }
}

static bool name_byte(uint8_t c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The string table of .dynsym is no data of the program's. */
struct names {
    const uint8_t *lo, *hi;
};

static struct names dynamic_names(const struct sr_object *o) {
    struct names n = {(const uint8_t *)UINTPTR_MAX, NULL};

    for (size_t i = 1; i < o->n_dynsym; i++) {
        const uint8_t *p = (const uint8_t *)o->dynsym[i].name;

        if (*p && p < n.lo)
            n.lo = p;
        if (*p && p > n.hi)
            n.hi = p;
    }
    return n;
}

static void scan(struct sr_graph *g, const struct sr_segment *s, struct names skip,
                 sr_graph_visit *visit, void *ctx) {
    uint64_t run = 0;

    for (uint64_t i = 0; i < s->file_bytes; i++) {
        const uint8_t *begin = s->bytes + i - run;

        if (name_byte(s->bytes[i])) {
            run++;
            continue;
        }
        if (!s->bytes[i] && run >= 2 && run < 256 && (begin < skip.lo || begin > skip.hi))
            try_name(g, (const char *)begin, visit, ctx);
        run = 0;
    }
}

void sr_graph_lookups(struct sr_graph *g, sr_graph_visit *visit, void *ctx) {
    for (size_t i = 0; i < g->closure->n; i++) {
        const struct sr_object *o = g->closure->objects[i];
        struct names skip = dynamic_names(o);

        for (size_t k = 0; imports_lookup(o) && k < o->n_segments; k++)
            if (!o->segments[k].exec)
                scan(g, &o->segments[k], skip, visit, ctx);
    }
}
