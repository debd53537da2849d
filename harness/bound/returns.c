/*
 * What a call does to its caller: does the function ever return, and which registers may it write?
 * Behind a call that never returns nothing follows, though the bytes there belong to something else
 * that must not be taken for its continuation. What is not clear counts as returning, and as
 * writing all registers.
 */
#include "effect.h"

#include <stdlib.h>

#define DEPTH_MAX 6

enum { NOT_ASKED, RETURNS, NEVER };

struct walk {
    struct sr_flows *f;
    const struct sr_flow *w;
    bool *seen;
    uint32_t *stack;
    uint32_t n;
    bool returns;
};

static bool returns(struct sr_flows *f, uint64_t addr, unsigned depth);

/* Control goes on at addr; outside of the function, that one may return for it. */
static void go(struct walk *k, uint64_t addr, unsigned depth) {
    int64_t i = sr_flow_find(k->w, addr);

    if (i < 0) {
        k->returns |= returns(k->f, addr, depth + 1);
    } else if (!k->seen[i]) {
        k->seen[i] = true;
        k->stack[k->n++] = (uint32_t)i;
    }
}

static void step(struct walk *k, uint32_t i, unsigned depth) {
    const struct sr_flow_insn *s = &k->w->insns[i];
    uint64_t next = s->at + s->len;
    struct sr_insn n;

    if (!sr_flow_load(k->f, k->w, i, &n) || s->kind == SR_FLOW_INDIRECT ||
        (s->kind == SR_FLOW_STOP && (n.i.meta.category == ZYDIS_CATEGORY_RET ||
                                     n.i.meta.category == ZYDIS_CATEGORY_UNCOND_BR))) {
        k->returns = true;
        return;
    }
    if (s->kind == SR_FLOW_JUMP || s->kind == SR_FLOW_BRANCH)
        go(k, next + (uint64_t)n.i.raw.imm[0].value.s, depth);
    if (s->kind == SR_FLOW_NEXT || s->kind == SR_FLOW_BRANCH ||
        (s->kind == SR_FLOW_CALL && sr_flow_call_returns(k->f, &n, depth + 1)))
        go(k, next, depth);
}

static bool walk(struct sr_flows *f, const struct sr_flow *w, unsigned depth) {
    struct walk k = {.f = f, .w = w};

    k.seen = calloc((size_t)w->n_insns + 1, sizeof *k.seen);
    k.stack = calloc((size_t)w->n_insns + 1, sizeof *k.stack);
    k.returns = !k.seen || !k.stack;
    if (!k.returns)
        go(&k, w->lo, depth);
    while (!k.returns && k.n)
        step(&k, k.stack[--k.n], depth);
    free(k.seen);
    free(k.stack);
    return k.returns;
}

/* Only whole functions are asked about and remembered. */
static bool returns(struct sr_flows *f, uint64_t addr, unsigned depth) {
    int64_t function = sr_code_function(sr_flows_code(f), addr);
    const struct sr_flow *w = depth < DEPTH_MAX ? sr_flows_get(f, function) : NULL;
    uint8_t *known = w ? &sr_flows_note(f, function)->returns : NULL;

    if (!w || !w->n_insns || w->insns[0].at != addr)
        return true;
    if (*known == NOT_ASKED) {
        *known = RETURNS; /* for those that call themselves */
        *known = walk(f, w, depth) ? RETURNS : NEVER;
    }
    return *known == RETURNS;
}

bool sr_flow_call_returns(struct sr_flows *f, const struct sr_insn *call, unsigned depth) {
    if (!call->i.raw.imm[0].is_relative)
        return true;
    return returns(f, call->at + call->i.length + (uint64_t)call->i.raw.imm[0].value.s, depth);
}

static uint16_t writes(struct sr_flows *f, uint64_t addr, unsigned depth);

static uint16_t insn_writes(struct sr_flows *f, const struct sr_flow *w, uint32_t i,
                            unsigned depth) {
    const struct sr_flow_insn *s = &w->insns[i];
    uint64_t next = s->at + s->len, target;
    uint16_t mask = 0;
    struct sr_insn n;

    if (!sr_flow_load(f, w, i, &n) || s->kind == SR_FLOW_INDIRECT ||
        (s->kind == SR_FLOW_STOP && n.i.meta.category == ZYDIS_CATEGORY_UNCOND_BR))
        return UINT16_MAX;
    target = next + (uint64_t)n.i.raw.imm[0].value.s;
    if (s->kind == SR_FLOW_CALL)
        return sr_flow_call_writes(f, &n, depth + 1);
    if ((s->kind == SR_FLOW_JUMP || s->kind == SR_FLOW_BRANCH) && sr_flow_find(w, target) < 0)
        mask |= writes(f, target, depth + 1);
    if (s->kind != SR_FLOW_JUMP && s->kind != SR_FLOW_STOP && sr_flow_find(w, next) < 0)
        mask |= writes(f, next, depth + 1);
    if (n.i.meta.category == ZYDIS_CATEGORY_SYSCALL ||
        n.i.meta.category == ZYDIS_CATEGORY_INTERRUPT)
        mask |= 1;
    for (unsigned d = 0; d < n.i.operand_count; d++)
        if (n.op[d].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (n.op[d].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            sr_effect_register(n.op[d].reg.value) >= 0)
            mask |= (uint16_t)(1u << (sr_effect_register(n.op[d].reg.value) & 15));
    return mask;
}

/* All instructions of the function, reached or not. */
static uint16_t writes(struct sr_flows *f, uint64_t addr, unsigned depth) {
    int64_t function = sr_code_function(sr_flows_code(f), addr);
    const struct sr_flow *w = depth < DEPTH_MAX ? sr_flows_get(f, function) : NULL;
    struct sr_flow_note *note = w ? sr_flows_note(f, function) : NULL;
    uint16_t mask = 0;

    if (!w || !w->n_insns)
        return UINT16_MAX;
    if (!note->has_writes) {
        note->has_writes = true;
        note->writes = UINT16_MAX; /* for those that call themselves */
        for (uint32_t i = 0; i < w->n_insns && mask != UINT16_MAX; i++)
            mask |= insn_writes(f, w, i, depth);
        note->writes = mask;
    }
    return note->writes;
}

uint16_t sr_flow_call_writes(struct sr_flows *f, const struct sr_insn *call, unsigned depth) {
    if (!call->i.raw.imm[0].is_relative)
        return UINT16_MAX;
    return writes(f, call->at + call->i.length + (uint64_t)call->i.raw.imm[0].value.s, depth);
}
