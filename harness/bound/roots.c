/*
 * Where code begins to run without being called by code of the closure: entry points, initialisers,
 * exports of loaded modules, names that the loader looks up itself; and for `sound` every address
 * that is taken anywhere.
 */
#include <elf.h>
#include <string.h>

#include "graph.h"

struct rooting {
    struct sr_graph *g;
    sr_graph_root *root;
    void *ctx;
    const char *why;
};

static void root_at(const struct rooting *r, uint32_t object, uint64_t addr) {
    uint32_t node = sr_graph_node(r->g, object, addr);

    if (node != SR_NODE_NONE)
        r->root(r->ctx, node, r->why);
}

static void root_named(struct rooting *r, const char *name, const char *why) {
    struct sr_target t;
    size_t at = 0;

    r->why = why;
    while (sr_closure_exports(r->g->closure, name, &at, &t))
        root_at(r, t.object, t.value);
}

/* Whatever a module exports, the program may look up. */
static void root_exports(struct rooting *r, uint32_t object) {
    const struct sr_object *o = r->g->closure->objects[object];

    for (size_t i = 1; i < o->n_dynsym; i++) {
        const struct sr_symbol *s = &o->dynsym[i];

        if (s->defined && s->bind != STB_LOCAL &&
            (s->type == STT_FUNC || s->type == STT_GNU_IFUNC || s->type == STT_OBJECT ||
             s->type == STT_NOTYPE))
            root_at(r, object, s->value);
    }
}

static void ignore_data(void *ctx, uint32_t to, uint8_t kind, uint64_t from) {
    struct rooting *r = ctx;

    (void)kind;
    (void)from;
    if (!sr_graph_is_data(r->g, to))
        r->root(r->ctx, to, r->why);
}

/* The loader runs the resolver of every indirect function that a relocation binds to. */
static void root_resolvers(struct rooting *r, uint32_t object) {
    const struct sr_object *o = r->g->closure->objects[object];
    struct sr_target t;

    r->why = "resolver of an indirect function, run by the loader";
    for (size_t i = 0; i < o->n_relocs; i++) {
        const struct sr_reloc *reloc = &o->relocs[i];

        if (reloc->kind == SR_RELOC_IRELATIVE)
            root_at(r, object, reloc->target);
        else if (reloc->kind == SR_RELOC_SYMBOL && reloc->symbol &&
                 sr_closure_bind(r->g->closure, object, reloc->symbol, false, &t) &&
                 t.type == STT_GNU_IFUNC)
            root_at(r, t.object, t.value);
    }
}

/* Initial thread-local data: copied for each thread, so no instruction names it. */
static void root_tls(struct rooting *r, uint32_t object) {
    const struct sr_object *o = r->g->closure->objects[object];
    const uint64_t *cuts = r->g->regions[object].cuts;
    int64_t at = o->tls_hi > o->tls_lo ? sr_regions_find(&r->g->regions[object], o->tls_lo) : -1;

    for (; at >= 0 && (size_t)at < r->g->regions[object].n && cuts[at] < o->tls_hi; at++)
        r->root(r->ctx, r->g->data[object] + (uint32_t)at, "initial thread-local data");
}

/* Words between the code of an object at a fixed address: no region of data holds them. */
static void root_words_in_code(struct rooting *r, uint32_t object) {
    const struct sr_object *o = r->g->closure->objects[object];

    r->why = "address in a word between code";
    for (size_t i = 0; o->fixed && i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE && sr_object_is_code(o, o->relocs[i].where))
            root_at(r, object, o->relocs[i].target);
}

/* glibc's ld.so: elf/rtld.c (_dl_call_libc_early_init), elf/dl-minimal.c
 * (__rtld_malloc_init_real). musl's: ldso/dynlink.c, whose stages find each other by name. */
static const char *const looked_up[] = {"__libc_early_init", "malloc", "calloc", "realloc", "free",
                                        "__dls2b",           "__dls3"};

void sr_graph_roots(struct sr_graph *g, sr_graph_root *root, void *ctx) {
    struct rooting r = {g, root, ctx, "entry point of the program"};
    struct sr_closure *c = g->closure;

    if (c->objects[0]->entry)
        root_at(&r, 0, c->objects[0]->entry);
    r.why = "entry point of the dynamic loader";
    if (c->interp != SIZE_MAX)
        root_at(&r, (uint32_t)c->interp, c->objects[c->interp]->entry);
    for (size_t i = 0; c->interp != SIZE_MAX && i < sizeof looked_up / sizeof *looked_up; i++)
        root_named(&r, looked_up[i], "the dynamic loader looks it up by name");
    for (uint32_t i = 0; i < c->n; i++) {
        r.why = "initialiser or finaliser";
        for (size_t k = 0; k < c->objects[i]->n_inits; k++)
            root_at(&r, i, c->objects[i]->inits[k]);
        root_resolvers(&r, i);
        root_tls(&r, i);
        root_words_in_code(&r, i);
        r.why = c->module[i] ? "export of a module that is loaded at run time"
                             : "export of a shared object without an entry point";
        if (c->module[i] || (i == 0 && !c->objects[0]->entry))
            root_exports(&r, i);
    }
}

void sr_graph_taken(struct sr_graph *g, sr_graph_root *root, void *ctx) {
    struct rooting r = {g, root, ctx, "its address is taken somewhere"};

    for (uint32_t i = 0; i < g->closure->n; i++) {
        const struct sr_object *o = g->closure->objects[i];
        const struct sr_code *code = g->code[i];

        for (size_t k = 0; k < code->n_refs; k++)
            if (code->refs[k].kind == SR_REF_CODE)
                sr_graph_ref(g, i, &code->refs[k], ignore_data, &r);
        for (size_t k = 0; k < o->n_relocs; k++)
            if (!o->relocs[k].jump_slot)
                sr_graph_reloc(g, i, &o->relocs[k], ignore_data, &r);
    }
}
