/*
 * Guarded functions, see guards.h.
 *
 * glibc's __pthread_tpp_change_priority and __pthread_current_priority have no name in a stripped
 * libc. They are known by what they do: of the functions that libc does not export and whose
 * address nobody takes, they alone call both sched_getparam and sched_getscheduler. They are
 * entered when a mutex has the protocol PTHREAD_PRIO_PROTECT (nptl/pthread_mutex_lock.c and its
 * relatives, nptl/tpp.c), which a mutex gets from pthread_mutexattr_setprotocol(3) only.
 */
#include "guards.h"

#include <elf.h>

#define CALLS 2

static const char *const priority_calls[CALLS] = {"sched_getparam", "sched_getscheduler"};

static uint32_t exported(struct sr_graph *g, uint32_t object, const char *name) {
    struct sr_target t;

    for (size_t at = 0; sr_closure_exports(g->closure, name, &at, &t);)
        if (t.object == object)
            return sr_graph_node(g, object, t.value);
    return SR_NODE_NONE;
}

struct calls {
    const uint32_t *wanted;
    bool found[CALLS];
};

static void note_call(void *ctx, uint32_t to, uint8_t kind, uint64_t from) {
    struct calls *c = ctx;

    (void)kind;
    (void)from;
    for (size_t i = 0; i < CALLS; i++)
        c->found[i] |= c->wanted[i] == to;
}

static bool calls_all(struct sr_graph *g, uint32_t object, const struct sr_function *f,
                      const uint32_t *wanted) {
    struct calls c = {.wanted = wanted};
    bool all = true;

    for (uint32_t i = 0; i < f->n_refs; i++) {
        const struct sr_ref *ref = &g->code[object]->refs[f->first_ref + i];

        if (ref->kind == SR_REF_CALL && !ref->slot)
            sr_graph_call(g, object, ref, note_call, &c);
    }
    for (size_t i = 0; i < CALLS; i++)
        all &= c.found[i];
    return all;
}

/* Only direct calls of its own object can lead to it. */
static bool is_local(const struct sr_graph *g, uint32_t object, uint64_t lo) {
    const struct sr_object *o = g->closure->objects[object];
    const struct sr_code *code = g->code[object];

    for (size_t i = 1; i < o->n_dynsym; i++)
        if (o->dynsym[i].defined && o->dynsym[i].value == lo)
            return false;
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind != SR_RELOC_SYMBOL && o->relocs[i].target == lo)
            return false;
    for (size_t i = 0; i < code->n_refs; i++)
        if (code->refs[i].kind == SR_REF_CODE && code->refs[i].to == lo)
            return false;
    return true;
}

size_t sr_guards_find(struct sr_graph *g, struct sr_guard *out) {
    struct sr_target lock;
    size_t n = 0;

    for (size_t at = 0; sr_closure_exports(g->closure, "pthread_mutex_lock", &at, &lock);) {
        uint32_t key = exported(g, lock.object, "pthread_mutexattr_setprotocol");
        uint32_t wanted[CALLS];
        bool all = key != SR_NODE_NONE;

        for (size_t i = 0; i < CALLS; i++) {
            wanted[i] = exported(g, lock.object, priority_calls[i]);
            all &= wanted[i] != SR_NODE_NONE;
        }
        for (size_t i = 0; all && i < g->code[lock.object]->n_functions; i++) {
            const struct sr_function *f = &g->code[lock.object]->functions[i];

            if (n < SR_GUARDS_MAX && calls_all(g, lock.object, f, wanted) &&
                is_local(g, lock.object, f->lo))
                out[n++] = (struct sr_guard){g->functions[lock.object] + (uint32_t)i, key};
        }
    }
    return n;
}
