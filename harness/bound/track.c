/*
 * The search, see track.h. A state is a thing to track before an instruction, with the chain of
 * operations that its value still goes through. Each state is looked at once.
 */
#include "track_private.h"

#include <stdlib.h>
#include <string.h>

#define VISITS_MAX   20000
#define BUDGET_MIN   100000 /* visits of all questions about an object, and for each instruction */
#define BUDGET_EACH  1
#define TRIES_MAX    400000 /* edges, seen ones as well */
#define TABLE_SIZE   65536  /* of seen states: a power of two, much above VISITS_MAX */
#define CHAINS_MAX   512
#define CHAIN_LENGTH 14
#define VALUES_MAX   16 /* of the second operand of an operation */
#define STATES_MAX   (1u << 18)

/* Operations on the way from an origin to the value asked for; the one nearest the origin first. */
struct chain {
    uint8_t op;
    uint8_t length;
    uint32_t next; /* 0: none */
    int64_t k;
};

struct state {
    const struct sr_flow *w;
    uint32_t index; /* before this instruction */
    uint32_t chain;
    struct sr_loc loc;
    unsigned need;
};

struct seen {
    uint64_t at;
    struct sr_place place;
    uint32_t chain, search;
    uint8_t reg, need;
    bool slot, used;
};

struct sr_track {
    struct sr_flows *flows;
    struct seen *seen;
    struct chain chains[CHAINS_MAX];
    uint32_t n_chains;
    uint32_t n_seen;
    uint32_t searches; /* so far: each search has its own number */
    uint32_t visits, tries;
    uint64_t budget; /* visits that all further questions may take together */
};

struct sr_track *sr_track_new(struct sr_flows *flows) {
    struct sr_track *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->flows = flows;
    t->budget = BUDGET_MIN + BUDGET_EACH * sr_flows_code(flows)->instructions;
    t->seen = calloc(TABLE_SIZE, sizeof *t->seen);
    if (!t->seen) {
        free(t);
        return NULL;
    }
    return t;
}

void sr_track_free(struct sr_track *t) {
    if (!t)
        return;
    free(t->seen);
    free(t);
}

void sr_track_begin(struct sr_track *t) {
    if (t->n_seen + VISITS_MAX >= TABLE_SIZE) {
        memset(t->seen, 0, TABLE_SIZE * sizeof *t->seen);
        t->n_seen = 0;
    }
    t->n_chains = 1;
    t->visits = t->tries = 0;
}

bool sr_track_spend(struct sr_track *t) {
    if (t->visits >= VISITS_MAX || !t->budget)
        return false;
    t->budget--;
    return ++t->visits < VISITS_MAX;
}

struct sr_flows *sr_track_flows(const struct sr_track *t) {
    return t->flows;
}

static bool same_origin(const struct sr_origin *a, const struct sr_origin *b) {
    return a->kind == b->kind && a->reg == b->reg && a->value == b->value &&
           a->offset == b->offset && a->address == b->address && a->function == b->function &&
           a->why == b->why && (a->kind != SR_ORIGIN_UNKNOWN || a->at == b->at);
}

void sr_track_add(struct sr_origins *out, const struct sr_origin *o) {
    for (size_t i = 0; i < out->n; i++)
        if (same_origin(&out->o[i], o))
            return;
    if (out->n == SR_ORIGINS_MAX)
        out->overflow = true;
    else
        out->o[out->n++] = *o;
}

void sr_search_unknown(struct sr_search *s, uint64_t at, const char *why) {
    const struct sr_origin o = {.kind = SR_ORIGIN_UNKNOWN, .at = at, .why = why};

    sr_track_add(s->out, &o);
}

/* UINT32_MAX: too long, or too many. */
static uint32_t chained(struct sr_track *t, uint8_t op, int64_t k, uint32_t next) {
    uint8_t length;

    if (next == UINT32_MAX)
        return next;
    length = (uint8_t)(next ? t->chains[next].length + 1 : 1);
    for (uint32_t i = 1; i < t->n_chains; i++)
        if (t->chains[i].op == op && t->chains[i].k == k && t->chains[i].next == next)
            return i;
    if (length > CHAIN_LENGTH || t->n_chains == CHAINS_MAX)
        return UINT32_MAX;
    t->chains[t->n_chains] = (struct chain){op, length, next, k};
    return t->n_chains++;
}

/* The origin's value goes through the chain. What is not a constant may only be added to. */
void sr_search_emit(struct sr_search *s, uint32_t chain, struct sr_origin o) {
    const struct chain *all = s->t->chains;
    uint64_t value = (uint64_t)o.value;
    bool linear = true;

    if (o.kind == SR_ORIGIN_UNKNOWN) {
        sr_track_add(s->out, &o);
        return;
    }
    for (uint32_t i = chain; i; i = all[i].next) {
        bool add = all[i].op == SR_OP_ADD || all[i].op == SR_OP_SUB;
        bool whole = (all[i].op == SR_OP_ZEXT || all[i].op == SR_OP_SEXT) && all[i].k >= 4;

        if (!add && !whole)
            linear = false;
        if (o.kind == SR_ORIGIN_CONST || add)
            value = sr_op_apply(all[i].op, all[i].k, value);
    }
    if (o.kind != SR_ORIGIN_CONST &&
        (!linear || (value && o.kind != SR_ORIGIN_ARG && o.kind != SR_ORIGIN_STACK))) {
        sr_search_unknown(s, o.at, "computed from a value that is not constant");
        return;
    }
    o.value = (int64_t)value;
    sr_track_add(s->out, &o);
}

void sr_search_push(struct sr_search *s, const struct sr_flow *w, uint32_t index, struct sr_loc loc,
                    unsigned need, uint32_t chain) {
    if (s->n_states == s->cap_states) {
        size_t cap = s->cap_states ? 2 * s->cap_states : 64;
        struct state *more = cap <= STATES_MAX ? realloc(s->states, cap * sizeof *s->states) : NULL;

        if (!more) {
            sr_search_unknown(s, w->insns[index].at, "too complex");
            return;
        }
        s->states = more;
        s->cap_states = cap;
    }
    s->states[s->n_states++] = (struct state){w, index, chain, loc, need};
}

/* True: not seen before in this search. */
static bool first_time(struct sr_search *s, uint64_t at, const struct state *st) {
    struct seen key = {.at = at,
                       .chain = st->chain,
                       .search = s->id,
                       .need = (uint8_t)st->need,
                       .slot = st->loc.slot,
                       .used = true};
    uint64_t h;

    if (st->loc.slot)
        key.place = st->loc.place;
    else
        key.reg = st->loc.reg;
    h = at * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)key.place.off * UINT64_C(0x1f35) +
        key.chain * UINT64_C(0x833d) + key.search * UINT64_C(0x1fff9d) + key.reg * UINT64_C(0x71);
    h *= UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = (h >> 40) & (TABLE_SIZE - 1);; i = (i + 1) & (TABLE_SIZE - 1)) {
        struct seen *e = &s->t->seen[i];

        if (!e->used) {
            *e = key;
            s->t->n_seen++;
            return true;
        }
        if (e->at == key.at && e->chain == key.chain && e->search == key.search &&
            e->need == key.need && e->slot == key.slot && e->reg == key.reg &&
            e->place.base == key.place.base && e->place.off == key.place.off)
            return false;
    }
}

void sr_search_ask(struct sr_search *s, const struct sr_flow *w, uint32_t index, ZydisRegister r,
                   struct sr_origins *out) {
    struct sr_loc loc = {.reg = (uint8_t)sr_effect_register(r)};

    out->n = 0;
    out->overflow = false;
    if (sr_effect_register(r) >= 0)
        sr_track_run(s->t, w, index, loc, 8, s->depth + 1, out);
}

/* The value of a source at instruction index, before it. */
void sr_search_follow(struct sr_search *s, const struct sr_flow *w, uint32_t index,
                      const struct sr_insn *n, const struct sr_source *src, unsigned need,
                      uint32_t chain) {
    struct sr_loc loc = {.reg = src->reg};
    struct sr_origin o = {.kind = SR_ORIGIN_CONST, .value = src->value, .at = n->at};
    struct sr_place p = src->reg == 4 ? n->frame.sp : n->frame.fp;

    if (chain == UINT32_MAX) {
        sr_search_unknown(s, n->at, "computed in a loop, or in too many steps");
        return;
    }
    if (src->kind == SR_SOURCE_CONST) {
        sr_search_emit(s, chain, o);
    } else if (src->kind == SR_SOURCE_MEM) {
        sr_search_load(s, w, index, n, src, chain);
    } else if ((src->reg == 4 || src->reg == 5) && p.base != SR_BASE_NONE) {
        o.kind = SR_ORIGIN_STACK;
        o.value = p.off;
        o.address = (uint64_t)p.base;
        sr_search_emit(s, chain, o);
    } else {
        sr_search_push(s, w, index, loc, chain || src->width < need ? src->width : need, chain);
    }
}

/* a op b: b has to be one of a few constants. */
static void follow_both(struct sr_search *s, const struct state *st, uint32_t index,
                        const struct sr_insn *n, const struct sr_effect *e, uint32_t chain) {
    struct sr_origins values = {.n = 0};
    struct sr_search inner = {.t = s->t, .out = &values, .depth = s->depth + 1};
    struct sr_source a = e->a;

    if (e->b.kind == SR_SOURCE_CONST) {
        values.n = 1;
        values.o[0] = (struct sr_origin){.kind = SR_ORIGIN_CONST, .value = e->b.value};
    } else if (inner.depth < SR_TRACK_DEPTH && e->b.kind == SR_SOURCE_REG) {
        sr_track_run(s->t, st->w, index, (struct sr_loc){.reg = e->b.reg}, e->b.width, inner.depth,
                     &values);
    } else if (inner.depth < SR_TRACK_DEPTH) {
        sr_track_source(s->t, st->w, index, e->b.mem, s->depth + 1, &values);
    }
    if (!values.n || values.n > VALUES_MAX || values.overflow) {
        sr_search_unknown(s, n->at, "computed from too many values");
        return;
    }
    for (size_t i = 0; i < values.n; i++) {
        int64_t k = (int64_t)((uint64_t)values.o[i].value * e->scale);
        uint32_t c = chained(s->t, e->op, k, chain);

        if (values.o[i].kind != SR_ORIGIN_CONST)
            sr_search_unknown(s, n->at, "computed from a value that is not constant");
        else if (a.kind == SR_SOURCE_OLD && c != UINT32_MAX)
            sr_search_push(s, st->w, index, st->loc, a.width, c);
        else
            sr_search_follow(s, st->w, index, n, &a, a.width, c);
    }
}

static void apply(struct sr_search *s, const struct state *st, uint32_t index,
                  const struct sr_insn *n, const struct sr_effect *e) {
    for (unsigned way = 0; way < (e->either ? 2u : 1u); way++) {
        uint32_t chain = st->chain;

        for (unsigned i = e->n_steps; i-- > 0;)
            chain = chained(s->t, e->steps[i].op, !i && way ? e->other : e->steps[i].k, chain);
        if (e->op)
            follow_both(s, st, index, n, e, chain);
        else if (e->a.kind == SR_SOURCE_OLD && chain != UINT32_MAX)
            sr_search_push(s, st->w, index, st->loc, e->a.width > st->need ? e->a.width : st->need,
                           chain);
        else
            sr_search_follow(s, st->w, index, n, &e->a, st->need, chain);
    }
}

/* A store through a pointer that may lead to the slot. */
static void alias(struct sr_search *s, const struct state *st, uint32_t index,
                  const struct sr_insn *n, const struct sr_effect *e) {
    struct sr_origins to;
    struct sr_source src;
    int64_t size = e->mem->size / 8;
    bool may = false, must = false;

    if (s->depth + 1 >= SR_TRACK_DEPTH) {
        sr_search_unknown(s, n->at, "too complex");
        return;
    }
    sr_search_ask(s, st->w, index, e->mem->mem.base, &to);
    for (size_t i = 0; i < to.n; i++) {
        const struct sr_origin *o = &to.o[i];
        int64_t delta = st->loc.place.off - (o->value + e->mem->mem.disp.value);

        if (o->kind == SR_ORIGIN_STACK && (int64_t)o->address == st->loc.place.base) {
            may |= delta < size && delta + (int64_t)st->need > 0;
            must = to.n == 1 && !delta && size >= (int64_t)st->need && size <= 8;
        } else if (o->kind != SR_ORIGIN_STACK && o->kind != SR_ORIGIN_ARG &&
                   o->kind != SR_ORIGIN_CONST) {
            may = true;
        }
    }
    if (must && n->i.mnemonic == ZYDIS_MNEMONIC_MOV && sr_effect_source(&n->op[1], &src)) {
        sr_search_follow(s, st->w, index, n, &src, st->need, st->chain);
        return;
    }
    if (may || !to.n || to.overflow)
        sr_search_unknown(s, n->at, "changed through a pointer");
    sr_search_push(s, st->w, index, st->loc, st->need, st->chain);
}

/* A conditional move that depends on the zero flag says something about what it moves, or keeps. */
static void refine(struct sr_search *s, const struct state *st, const struct sr_insn *n,
                   struct sr_effect *e) {
    struct sr_origin o = {.kind = SR_ORIGIN_CONST, .at = n->at};
    struct sr_loc from = {.reg = e->a.reg};

    if (n->i.mnemonic == ZYDIS_MNEMONIC_CMOVNZ &&
        sr_track_zero(s->t, st->w, st->index, &st->loc, st->need, &o.value)) {
        sr_search_emit(s, st->chain, o);
        e->keeps = false;
    } else if (n->i.mnemonic == ZYDIS_MNEMONIC_CMOVZ && e->a.kind == SR_SOURCE_REG &&
               sr_track_zero(s->t, st->w, st->index, &from, st->need, &o.value)) {
        e->a = (struct sr_source){.kind = SR_SOURCE_CONST, .width = 8, .value = o.value};
    }
}

/* What instruction index of st->w does to the state that holds after it. */
static void visit(struct sr_search *s, const struct state *after, const struct sr_flow *w,
                  uint32_t index) {
    struct state st = *after;
    struct sr_insn n;
    struct sr_effect e;

    if (++s->t->tries > TRIES_MAX) {
        sr_search_unknown(s, w->insns[index].at, "too complex");
        s->n_states = 0;
        return;
    }
    st.w = w;
    st.index = index;
    if (!sr_track_spend(s->t)) {
        sr_search_unknown(s, w->insns[index].at, "too complex");
        s->n_states = 0;
        return;
    }
    if (!first_time(s, w->insns[index].at, &st))
        return;
    if (!sr_flow_load(s->t->flows, w, index, &n)) {
        sr_search_unknown(s, w->insns[index].at, "code that cannot be decoded");
        return;
    }
    sr_effect(w, &n, &st.loc, st.need, &e);
    if (e.kind == SR_EFFECT_LOSES && !st.loc.slot && n.i.mnemonic == ZYDIS_MNEMONIC_CALL &&
        !(sr_flow_call_writes(s->t->flows, &n, 0) >> st.loc.reg & 1))
        e.kind = SR_EFFECT_KEEPS;
    if (e.kind == SR_EFFECT_SETS && e.keeps)
        refine(s, &st, &n, &e);
    if (e.kind == SR_EFFECT_KEEPS || (e.keeps && e.kind != SR_EFFECT_ALIAS))
        sr_search_push(s, w, index, st.loc, st.need, st.chain);
    if (e.kind == SR_EFFECT_SETS)
        apply(s, &st, index, &n, &e);
    else if (e.kind == SR_EFFECT_LOSES)
        sr_search_unknown(s, n.at, e.why);
    else if (e.kind == SR_EFFECT_ALIAS)
        alias(s, &st, index, &n, &e);
}

/* Any register may carry an argument: in C the six of the ABI, in others' conventions (Go,
 * assembly) the rest as well. -1: a place in the frame. */
static int argument_of(const struct sr_loc *loc) {
    if (loc->slot)
        return -1;
    for (int i = 0; i < SR_ARG_REGISTERS; i++)
        if (sr_numbers_arg_register((unsigned)i) == loc->reg)
            return i;
    return -1;
}

static void at_entry(struct sr_search *s, const struct state *st, int arg) {
    uint64_t at = st->w->insns[st->index].at;
    struct sr_origin o = {.kind = SR_ORIGIN_ARG, .function = st->w->index, .at = at};

    if (arg < 0) {
        sr_search_unknown(s, at, "no value set before");
        return;
    }
    o.reg = (uint8_t)arg;
    sr_search_emit(s, st->chain, o);
}

/* From a predecessor in the same function. */
static void come_from(struct sr_search *s, const struct state *st, uint32_t pred) {
    const struct sr_flow_insn *to = &st->w->insns[st->index], *from = &st->w->insns[pred];
    struct sr_origin o = {.kind = SR_ORIGIN_CONST, .at = from->at};
    struct sr_insn n;

    if (from->kind == SR_FLOW_BRANCH && sr_flow_load(s->t->flows, st->w, pred, &n) &&
        n.i.raw.imm[0].value.s &&
        n.i.mnemonic == (to->at == from->at + from->len ? ZYDIS_MNEMONIC_JNZ : ZYDIS_MNEMONIC_JZ) &&
        sr_track_zero(s->t, st->w, pred, &st->loc, st->need, &o.value)) {
        sr_search_emit(s, st->chain, o);
        return;
    }
    /* What follows a call that never returns was reached otherwise. */
    if (from->kind == SR_FLOW_CALL && sr_flow_load(s->t->flows, st->w, pred, &n) &&
        !sr_flow_call_returns(s->t->flows, &n, 0))
        return;
    visit(s, st, st->w, pred);
}

/* All ways that lead to a state's instruction. */
static void expand(struct sr_search *s, const struct state *st) {
    const struct sr_flow *w = st->w;
    const struct sr_flow_insn *i = &w->insns[st->index];
    int arg = argument_of(&st->loc);
    size_t n = 0;
    const struct sr_edge *e = i->outer ? sr_flow_outer(s->t->flows, i->at, &n) : NULL;

    if (i->entry)
        at_entry(s, st, arg);
    if (i->entry && arg >= 0 && i->at == w->lo)
        n = 0; /* who jumps to a function's begin calls it */
    for (size_t k = 0; k < n; k++) {
        const struct sr_flow *from;
        uint32_t n_sources;
        const uint32_t *sources = sr_flow_sources(s->t->flows, &e[k], &from, &n_sources);

        if (!sources)
            sr_search_unknown(s, e[k].from, "reached from code that is not followed");
        for (uint32_t j = 0; sources && j < n_sources; j++)
            visit(s, st, from, sources[j]);
    }
    for (uint32_t k = 0; k < i->n_preds; k++)
        come_from(s, st, w->preds[i->first_pred + k]);
    for (uint32_t k = 0; i->anywhere && k < w->n_indirect; k++)
        visit(s, st, w, w->indirect[k]);
    if (!i->entry && !i->outer && !i->n_preds && !(i->anywhere && w->n_indirect))
        sr_search_unknown(s, i->at, "reached in a way that is not known");
}

static void search_all(struct sr_search *s) {
    while (s->n_states) {
        struct state st = s->states[--s->n_states];

        expand(s, &st);
    }
    free(s->states);
}

void sr_track_run(struct sr_track *t, const struct sr_flow *w, uint32_t index, struct sr_loc loc,
                  unsigned need, unsigned depth, struct sr_origins *out) {
    struct sr_search s = {.t = t, .out = out, .id = ++t->searches, .depth = depth};

    out->n = 0;
    out->overflow = false;
    if (depth >= SR_TRACK_DEPTH)
        sr_search_unknown(&s, w->insns[index].at, "too complex");
    else
        sr_search_push(&s, w, index, loc, need, 0);
    search_all(&s);
}

void sr_track_source(struct sr_track *t, const struct sr_flow *w, uint32_t index,
                     const ZydisDecodedOperand *op, unsigned depth, struct sr_origins *out) {
    struct sr_search s = {.t = t, .out = out, .id = ++t->searches, .depth = depth};
    struct sr_source src;
    struct sr_insn n;

    out->n = 0;
    out->overflow = false;
    if (depth >= SR_TRACK_DEPTH)
        sr_search_unknown(&s, w->insns[index].at, "too complex");
    else if (sr_flow_load(t->flows, w, index, &n) && sr_effect_source(op, &src))
        sr_search_follow(&s, w, index, &n, &src, src.width, 0);
    else
        sr_search_unknown(&s, w->insns[index].at, "computed in a way that is not followed");
    search_all(&s);
}
