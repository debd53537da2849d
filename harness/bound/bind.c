/*
 * Symbol lookup as the loaders do it; glibc's _dl_lookup_symbol_x is the model.
 *
 * In each object of a scope, in order: a definition (not local, not hidden or internal, of a type
 * that names code or data) matches a reference with a version when it has that version, or none and
 * is not hidden; a reference without one takes an unversioned definition or one of the object's
 * first version, else its only default one. Not followed: a function's canonical PLT entry in a
 * program at a fixed address (the answer is the function itself), and STB_GNU_UNIQUE across
 * modules' scopes (data only).
 */
#include "bind.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    uint32_t hash;
    uint32_t object, symbol;
    uint32_t next; /* 1 + index, by object and symbol; 0: the last */
};

struct answer {
    uint32_t object; /* 1 + object, NOBODY, or 0: not asked yet */
    uint32_t symbol;
};
#define NOBODY UINT32_MAX

struct sr_bind {
    const struct sr_closure *c;
    struct entry *entries;
    uint32_t *heads; /* 1 + index */
    uint32_t mask;
    struct answer **answers; /* by object, by symbol */
    uint16_t *ranks;
    size_t n_scopes;
    bool musl;
};

/* What of the closure a search looks at; else the index of a module's scope. */
enum { SCOPE_GLOBAL = -1, SCOPE_BUT_PROGRAM = -2, SCOPE_SELF = -3 };

static uint32_t hash_of(const char *name) {
    uint32_t h = 5381;

    for (; *name; name++)
        h = h * 33 + (uint8_t)*name;
    return h ^ h >> 15;
}

static bool local_by_visibility(const struct sr_symbol *s) {
    return s->visibility == STV_HIDDEN || s->visibility == STV_INTERNAL;
}

static bool exported(const struct sr_symbol *s) {
    if (!s->defined || !*s->name || local_by_visibility(s))
        return false;
    if (s->bind != STB_GLOBAL && s->bind != STB_WEAK && s->bind != STB_GNU_UNIQUE)
        return false;
    return s->type == STT_NOTYPE || s->type == STT_OBJECT || s->type == STT_FUNC ||
           s->type == STT_COMMON || s->type == STT_TLS || s->type == STT_GNU_IFUNC;
}

static bool count(const struct sr_closure *c, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->objects[i]->n_dynsym; k++)
            *n += exported(&c->objects[i]->dynsym[k]);
    return *n < UINT32_MAX / 4;
}

/* From the last to the first, so that each chain is in the objects' order. */
static void fill(struct sr_bind *b) {
    uint32_t used = 0;

    for (size_t i = b->c->n; i-- > 0;) {
        const struct sr_object *o = b->c->objects[i];

        for (size_t k = o->n_dynsym; k-- > 0;) {
            struct entry *e = &b->entries[used];

            if (!exported(&o->dynsym[k]))
                continue;
            e->hash = hash_of(o->dynsym[k].name);
            e->object = (uint32_t)i;
            e->symbol = (uint32_t)k;
            e->next = b->heads[e->hash & b->mask];
            b->heads[e->hash & b->mask] = ++used;
        }
    }
}

struct sr_bind *sr_bind_new(const struct sr_closure *c, uint16_t *ranks, size_t n_scopes,
                            bool musl) {
    struct sr_bind *b = calloc(1, sizeof *b);
    size_t n, buckets = 16;
    bool ok;

    if (!b) {
        free(ranks);
        return NULL;
    }
    b->c = c;
    b->ranks = ranks;
    b->n_scopes = n_scopes;
    b->musl = musl;
    ok = count(c, &n);
    while (ok && buckets < n + n / 2)
        buckets *= 2;
    b->mask = (uint32_t)(buckets - 1);
    if (ok) {
        b->entries = calloc(n + 1, sizeof *b->entries);
        b->heads = calloc(buckets, sizeof *b->heads);
        b->answers = calloc(c->n + 1, sizeof(void *));
        ok = b->entries && b->heads && b->answers;
    }
    for (size_t i = 0; ok && i < c->n; i++) {
        b->answers[i] = calloc(c->objects[i]->n_dynsym + 1, sizeof **b->answers);
        ok = b->answers[i] != NULL;
    }
    if (!ok) {
        sr_bind_free(b);
        return NULL;
    }
    fill(b);
    return b;
}

void sr_bind_free(struct sr_bind *b) {
    if (!b)
        return;
    for (size_t i = 0; b->answers && i < b->c->n; i++)
        free(b->answers[i]);
    free((void *)b->answers);
    free(b->entries);
    free(b->heads);
    free(b->ranks);
    free(b);
}

/* 1 + the place of an object in a scope; 0: not in it. */
static uint32_t rank_in(const struct sr_bind *b, int scope, uint32_t from, uint32_t object) {
    switch (scope) {
    case SCOPE_SELF:
        return object == from;
    case SCOPE_BUT_PROGRAM:
        return object > 0 && object < b->c->n_start ? object + 1 : 0;
    case SCOPE_GLOBAL:
        return object < b->c->n_start ? object + 1 : 0;
    default:
        return b->ranks[(size_t)scope * b->c->n + object];
    }
}

/* The definition for ref in the object of the entry *at; *at is moved on to the next object's.
 * 0: none. */
static uint32_t match(const struct sr_bind *b, const struct sr_symbol *ref, uint32_t hash,
                      uint32_t *at) {
    uint32_t object = b->entries[*at - 1].object, found = 0, by_default = 0, defaults = 0;

    for (; *at && b->entries[*at - 1].object == object; *at = b->entries[*at - 1].next) {
        const struct entry *e = &b->entries[*at - 1];
        const struct sr_symbol *s = &b->c->objects[object]->dynsym[e->symbol];

        if (found || e->hash != hash || strcmp(s->name, ref->name) != 0)
            continue;
        if (b->musl) {
            found = s->hidden ? 0 : e->symbol;
        } else if (ref->version) {
            if (s->version ? strcmp(s->version, ref->version) == 0 : !s->hidden)
                found = e->symbol;
        } else if (!s->version || s->oldest) {
            found = e->symbol;
        } else if (!s->hidden) {
            by_default = e->symbol;
            defaults++;
        }
    }
    return found || defaults != 1 ? found : by_default;
}

static bool search(const struct sr_bind *b, int scope, uint32_t from, const struct sr_symbol *ref,
                   struct answer *out) {
    uint32_t hash = hash_of(ref->name), best = UINT32_MAX;

    for (uint32_t at = b->heads[hash & b->mask]; at;) {
        uint32_t object = b->entries[at - 1].object;
        uint32_t symbol = match(b, ref, hash, &at);
        uint32_t rank = symbol ? rank_in(b, scope, from, object) : 0;

        if (!rank || rank >= best)
            continue;
        best = rank;
        out->object = object + 1;
        out->symbol = symbol;
        if (scope < 0)
            break; /* the chain is in the global scope's order */
    }
    return best != UINT32_MAX;
}

static struct answer look_up(const struct sr_bind *b, uint32_t from, uint32_t index, bool copy) {
    const struct sr_object *o = b->c->objects[from];
    const struct sr_symbol *ref = &o->dynsym[index];
    struct answer a = {from + 1, index};

    /* A protected definition of one's own is never interposed. */
    if (ref->bind == STB_LOCAL || local_by_visibility(ref) ||
        (ref->visibility == STV_PROTECTED && ref->defined && !copy)) {
        if (!ref->defined)
            a.object = NOBODY;
        return a;
    }
    if (o->symbolic && !b->musl && from != 0 && from != b->c->interp &&
        search(b, SCOPE_SELF, from, ref, &a))
        return a;
    if (search(b, copy ? SCOPE_BUT_PROGRAM : SCOPE_GLOBAL, from, ref, &a))
        return a;
    for (size_t k = 0; k < b->n_scopes; k++)
        if (rank_in(b, (int)k, from, from) && search(b, (int)k, from, ref, &a))
            return a;
    a.object = NOBODY;
    return a;
}

static void fill_target(const struct sr_closure *c, uint32_t object, uint32_t symbol,
                        struct sr_target *out) {
    const struct sr_symbol *s = &c->objects[object]->dynsym[symbol];

    *out = (struct sr_target){object, symbol, s->value, s->type};
}

bool sr_closure_bind(struct sr_closure *c, uint32_t from, uint32_t index, bool copy,
                     struct sr_target *out) {
    struct sr_bind *b = c->private_;
    struct answer a;

    if (from >= c->n || !index || index >= c->objects[from]->n_dynsym)
        return false;
    a = b->answers[from][index];
    if (copy) { /* few, and a different question */
        a = look_up(b, from, index, true);
    } else if (!a.object) {
        a = look_up(b, from, index, false);
        b->answers[from][index] = a;
    }
    if (a.object == NOBODY)
        return false;
    fill_target(c, a.object - 1, a.symbol, out);
    return true;
}

bool sr_closure_exports(const struct sr_closure *c, const char *name, size_t *at,
                        struct sr_target *out) {
    const struct sr_bind *b = c->private_;
    uint32_t hash = hash_of(name);
    uint32_t next = *at ? b->entries[*at - 1].next : b->heads[hash & b->mask];

    for (; next; next = b->entries[next - 1].next) {
        const struct entry *e = &b->entries[next - 1];

        if (e->hash != hash || strcmp(c->objects[e->object]->dynsym[e->symbol].name, name) != 0)
            continue;
        *at = next;
        fill_target(c, e->object, e->symbol, out);
        return true;
    }
    return false;
}
