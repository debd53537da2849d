/*
 * What conditional jumps say about a value: that it is zero, or another constant, where the jump
 * for equality leads; and how far the index of a table can go: back along the only way to an
 * instruction, through copies of the register, to a mask or to a comparison with a constant.
 */
#include "track.h"

#define STEPS_MAX 48
#define FLAGS_MAX 6 /* instructions between a comparison and what depends on it */

/* The last value for which the conditional jump n (after cmp x, k) leads where we came from:
 * unsigned comparisons only. -1: another condition. */
static int64_t bound_of(const struct sr_insn *n, bool taken, int64_t k) {
    switch (n->i.mnemonic) {
    case ZYDIS_MNEMONIC_JNBE:
        return taken ? -1 : k;
    case ZYDIS_MNEMONIC_JBE:
        return taken ? k : -1;
    case ZYDIS_MNEMONIC_JNB:
        return taken ? -1 : k - 1;
    case ZYDIS_MNEMONIC_JB:
        return taken ? k - 1 : -1;
    default:
        return -1;
    }
}

static bool compares(const struct sr_insn *n, const struct sr_loc *loc) {
    const ZydisDecodedOperand *op = &n->op[0];
    struct sr_place p;

    if (n->i.mnemonic != ZYDIS_MNEMONIC_CMP || n->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE ||
        op->size < 32)
        return false;
    if (op->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return !loc->slot && sr_effect_register(op->reg.value) == loc->reg;
    p = sr_flow_place(n, op);
    return loc->slot && op->type == ZYDIS_OPERAND_TYPE_MEMORY && p.base == loc->place.base &&
           p.off == loc->place.off && op->mem.index == ZYDIS_REGISTER_NONE &&
           p.base != SR_BASE_NONE;
}

/* Loc becomes what it was copied from; false: it was made otherwise. */
static bool copied(const struct sr_insn *n, const struct sr_effect *e, struct sr_loc *loc) {
    if (e->op || e->keeps || e->either)
        return false;
    for (unsigned i = 0; i < e->n_steps; i++)
        if (e->steps[i].op != SR_OP_ZEXT || e->steps[i].k < 4)
            return false;
    if (e->a.kind == SR_SOURCE_REG) {
        *loc = (struct sr_loc){.reg = e->a.reg};
        return true;
    }
    if (e->a.kind != SR_SOURCE_MEM || e->a.mem->mem.index != ZYDIS_REGISTER_NONE)
        return false;
    *loc = (struct sr_loc){.slot = true, .place = sr_flow_place(n, e->a.mem)};
    return loc->place.base != SR_BASE_NONE;
}

int64_t sr_track_limit(struct sr_track *t, const struct sr_flow *w, uint32_t index, int reg) {
    struct sr_flows *f = sr_track_flows(t);
    struct sr_loc loc = {.reg = (uint8_t)reg};

    for (unsigned i = 0; reg >= 0 && i < STEPS_MAX; i++) {
        const struct sr_flow_insn *s = &w->insns[index];
        struct sr_insn n, cmp;
        struct sr_effect e;
        uint32_t before;

        if (s->n_preds != 1 || s->entry || s->outer || s->anywhere || !sr_track_spend(t))
            return -1;
        before = w->preds[s->first_pred];
        if (!sr_flow_load(f, w, before, &n))
            return -1;
        if (w->insns[before].kind == SR_FLOW_BRANCH && w->insns[before].n_preds == 1 &&
            sr_flow_load(f, w, w->preds[w->insns[before].first_pred], &cmp) &&
            compares(&cmp, &loc)) {
            int64_t k = bound_of(&n, s->at != n.at + n.i.length, cmp.op[1].imm.value.s);

            if (k >= 0)
                return k;
        }
        sr_effect(w, &n, &loc, 4, &e);
        if (e.kind == SR_EFFECT_SETS && e.op == SR_OP_AND && e.b.kind == SR_SOURCE_CONST &&
            !loc.slot)
            return e.b.value >= 0 ? e.b.value : -1;
        if (e.kind == SR_EFFECT_LOSES || e.kind == SR_EFFECT_ALIAS ||
            (e.kind == SR_EFFECT_SETS && !copied(&n, &e, &loc)))
            return -1;
        index = before;
    }
    return -1;
}

static bool sets_flags(const struct sr_insn *n) {
    const ZydisAccessedFlags *f = n->i.cpu_flags;

    return f && (f->modified | f->set_0 | f->set_1 | f->undefined);
}

/* Does n set the zero flag when loc is *value afterwards, and only then? */
static bool zero_means(const struct sr_insn *n, const struct sr_loc *loc, int64_t *value) {
    bool own = !loc->slot && n->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               sr_effect_register(n->op[0].reg.value) == loc->reg;

    *value = 0;
    switch (n->i.mnemonic) {
    case ZYDIS_MNEMONIC_CMP:
        *value = n->op[1].imm.value.s;
        return compares(n, loc);
    case ZYDIS_MNEMONIC_TEST:
        return own && n->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               n->op[1].reg.value == n->op[0].reg.value;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
    case ZYDIS_MNEMONIC_AND:
    case ZYDIS_MNEMONIC_OR:
    case ZYDIS_MNEMONIC_XOR:
    case ZYDIS_MNEMONIC_INC:
    case ZYDIS_MNEMONIC_DEC:
    case ZYDIS_MNEMONIC_NEG:
        return own;
    default:
        return false;
    }
}

bool sr_track_zero(struct sr_track *t, const struct sr_flow *w, uint32_t index,
                   const struct sr_loc *loc, unsigned need, int64_t *value) {
    struct sr_flows *f = sr_track_flows(t);
    struct sr_insn n;
    struct sr_effect e;

    for (unsigned i = 0; i < FLAGS_MAX; i++) {
        const struct sr_flow_insn *s = &w->insns[index];

        if (s->n_preds != 1 || s->entry || s->outer || s->anywhere || !sr_track_spend(t))
            return false;
        index = w->preds[s->first_pred];
        if (w->insns[index].kind != SR_FLOW_NEXT || !sr_flow_load(f, w, index, &n))
            return false;
        if (sets_flags(&n))
            return n.op[0].size / 8 >= need && zero_means(&n, loc, value);
        sr_effect(w, &n, loc, need, &e);
        if (e.kind != SR_EFFECT_KEEPS)
            return false;
    }
    return false;
}
