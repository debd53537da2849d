/*
 * The instructions that compilers make system-call numbers with, see effect.h. All others lose what
 * they write; which operands an instruction writes is Zydis' knowledge.
 */
#include "effect.h"

#include <string.h>

#include "numbers.h"

static uint64_t low_bytes(uint64_t x, unsigned bytes) {
    return bytes >= 8 ? x : x & ((UINT64_C(1) << (8 * bytes)) - 1);
}

static uint64_t sign_extended(uint64_t x, unsigned bytes) {
    switch (bytes) {
    case 1:
        return (uint64_t)(int64_t)(int8_t)x;
    case 2:
        return (uint64_t)(int64_t)(int16_t)x;
    case 4:
        return (uint64_t)(int64_t)(int32_t)x;
    default:
        return x;
    }
}

uint64_t sr_op_apply(uint8_t op, int64_t k, uint64_t x) {
    uint64_t u = (uint64_t)k;

    switch (op) {
    case SR_OP_ADD:
        return x + u;
    case SR_OP_SUB:
        return x - u;
    case SR_OP_AND:
        return x & u;
    case SR_OP_OR:
        return x | u;
    case SR_OP_XOR:
        return x ^ u;
    case SR_OP_MUL:
        return x * u;
    case SR_OP_SHL:
        return x << (u & 63);
    case SR_OP_SHR:
        return x >> (u & 63);
    case SR_OP_SAR:
        return (uint64_t)((int64_t)x >> (u & 63));
    case SR_OP_NEG:
        return 0 - x;
    case SR_OP_NOT:
        return ~x;
    case SR_OP_ZEXT:
        return low_bytes(x, (unsigned)u);
    case SR_OP_SEXT:
        return sign_extended(x, (unsigned)u);
    case SR_OP_LOW8:
        return (x & ~UINT64_C(0xff)) | low_bytes(u, 1);
    case SR_OP_LOW16:
        return (x & ~UINT64_C(0xffff)) | low_bytes(u, 2);
    default:
        return x;
    }
}

int sr_effect_register(ZydisRegister r) {
    ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

    if (ZydisRegisterGetClass(whole) != ZYDIS_REGCLASS_GPR64)
        return -1;
    return ZydisRegisterGetId(whole);
}

static bool is_high(ZydisRegister r) {
    return r == ZYDIS_REGISTER_AH || r == ZYDIS_REGISTER_BH || r == ZYDIS_REGISTER_CH ||
           r == ZYDIS_REGISTER_DH;
}

bool sr_effect_absolute(const struct sr_insn *n, const ZydisDecodedOperand *op, uint64_t *addr) {
    const ZydisDecodedOperandMem *m = &op->mem;

    if (m->segment == ZYDIS_REGISTER_FS || m->segment == ZYDIS_REGISTER_GS ||
        m->index != ZYDIS_REGISTER_NONE)
        return false;
    if (m->base != ZYDIS_REGISTER_NONE && m->base != ZYDIS_REGISTER_RIP)
        return false;
    *addr = (uint64_t)m->disp.value +
            (m->base == ZYDIS_REGISTER_RIP ? n->at + n->i.length : UINT64_C(0));
    return true;
}

bool sr_effect_source(const ZydisDecodedOperand *op, struct sr_source *out) {
    int reg;

    *out = (struct sr_source){.width = (uint8_t)(op->size / 8 > 8 ? 8 : op->size / 8)};
    switch (op->type) {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        out->kind = SR_SOURCE_CONST;
        out->value = op->imm.value.s;
        return true;
    case ZYDIS_OPERAND_TYPE_REGISTER:
        reg = sr_effect_register(op->reg.value);
        if (reg < 0 || is_high(op->reg.value))
            return false;
        out->kind = SR_SOURCE_REG;
        out->reg = (uint8_t)reg;
        return true;
    case ZYDIS_OPERAND_TYPE_MEMORY:
        if (op->mem.type != ZYDIS_MEMOP_TYPE_MEM || op->size > 64)
            return false;
        out->kind = SR_SOURCE_MEM;
        out->mem = op;
        return true;
    default:
        return false;
    }
}

static void loses(struct sr_effect *e, const char *why) {
    e->kind = SR_EFFECT_LOSES;
    e->why = why;
}

static void add_step(struct sr_effect *e, uint8_t op, int64_t k) {
    e->steps[e->n_steps++] = (struct sr_step_op){op, k};
}

static void set_const(struct sr_effect *e, int64_t value) {
    e->a = (struct sr_source){.kind = SR_SOURCE_CONST, .width = 8, .value = value};
}

static bool same_register(const struct sr_insn *n) {
    return n->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
           n->op[1].type == ZYDIS_OPERAND_TYPE_REGISTER && n->op[0].reg.value == n->op[1].reg.value;
}

static void set_lea(const struct sr_insn *n, struct sr_effect *e) {
    const ZydisDecodedOperandMem *m = &n->op[1].mem;
    int base = sr_effect_register(m->base), index = sr_effect_register(m->index);
    uint64_t addr;

    if (sr_effect_absolute(n, &n->op[1], &addr)) {
        set_const(e, (int64_t)addr);
        return;
    }
    if (index >= 0 && (base < 0 || base == index)) {
        e->a = (struct sr_source){.kind = SR_SOURCE_REG, .width = 8, .reg = (uint8_t)index};
        add_step(e, SR_OP_MUL, m->scale + (base == index));
    } else {
        e->a = (struct sr_source){.kind = SR_SOURCE_REG, .width = 8, .reg = (uint8_t)base};
        if (index >= 0) {
            e->op = SR_OP_ADD;
            e->b = (struct sr_source){.kind = SR_SOURCE_REG, .width = 8, .reg = (uint8_t)index};
            e->scale = m->scale;
        }
    }
    add_step(e, SR_OP_ADD, m->disp.value);
}

static const char *const not_followed = "computed in a way that is not followed";

/* Of two operands, the first of which is what is tracked. */
static void set_binary(const struct sr_insn *n, uint8_t op, struct sr_effect *e) {
    int64_t k = n->op[1].imm.value.s;

    if ((op == SR_OP_XOR || op == SR_OP_SUB) && same_register(n)) {
        set_const(e, 0);
        return;
    }
    if (!sr_effect_source(&n->op[1], &e->b)) {
        loses(e, not_followed);
        return;
    }
    if (e->b.kind == SR_SOURCE_CONST &&
        ((op == SR_OP_AND && k == 0) || (op == SR_OP_OR && k == -1)))
        set_const(e, k);
    else
        e->op = op;
}

static void set_shift(const struct sr_insn *n, uint8_t op, struct sr_effect *e) {
    if (n->op[1].type != ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        loses(e, not_followed);
        return;
    }
    if (op != SR_OP_SHL)
        add_step(e, op == SR_OP_SHR ? SR_OP_ZEXT : SR_OP_SEXT, e->a.width);
    add_step(e, op, n->op[1].imm.value.s & (e->a.width == 8 ? 63 : 31));
}

/* x - k - carry, x + k + carry, and x - x - carry. */
static void set_carry(const struct sr_insn *n, bool sub, struct sr_effect *e) {
    int64_t k = 0;

    if (sub && same_register(n)) {
        set_const(e, 0);
    } else if (n->op[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
        k = n->op[1].imm.value.s;
    } else {
        loses(e, not_followed);
        return;
    }
    add_step(e, sub ? SR_OP_SUB : SR_OP_ADD, k);
    e->either = true;
    e->other = k + 1;
}

static void set_bool(struct sr_effect *e) {
    set_const(e, 0);
    add_step(e, SR_OP_ADD, 0);
    e->either = true;
    e->other = 1;
}

static bool set_pop(const struct sr_insn *n, struct sr_effect *e) {
    e->a.kind = SR_SOURCE_MEM;
    for (unsigned i = 1; i < n->i.operand_count; i++)
        if (n->op[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            e->a.mem = &n->op[i];
    return e->a.mem != NULL;
}

static bool set_extended(const ZydisDecodedOperand *from, uint8_t op, struct sr_effect *e) {
    if (!sr_effect_source(from, &e->a))
        return false;
    add_step(e, op, e->a.width);
    return true;
}

static bool set_product(const struct sr_insn *n, struct sr_effect *e) {
    if (n->i.operand_count_visible == 2)
        set_binary(n, SR_OP_MUL, e);
    else if (n->i.operand_count_visible != 3 || !sr_effect_source(&n->op[1], &e->a))
        return false;
    else
        add_step(e, SR_OP_MUL, n->op[2].imm.value.s);
    return true;
}

enum form { COPY, EXTEND, BINARY, SHIFT, CARRY, UNARY };

static const struct rule {
    ZydisMnemonic mnemonic;
    uint8_t form;
    uint8_t op;
    int8_t k;
} rules[] = {
    {ZYDIS_MNEMONIC_MOV, COPY, 0, 0},
    {ZYDIS_MNEMONIC_MOVZX, EXTEND, SR_OP_ZEXT, 0},
    {ZYDIS_MNEMONIC_MOVSX, EXTEND, SR_OP_SEXT, 0},
    {ZYDIS_MNEMONIC_MOVSXD, EXTEND, SR_OP_SEXT, 0},
    {ZYDIS_MNEMONIC_CDQE, EXTEND, SR_OP_SEXT, 0},
    {ZYDIS_MNEMONIC_CWDE, EXTEND, SR_OP_SEXT, 0},
    {ZYDIS_MNEMONIC_ADD, BINARY, SR_OP_ADD, 0},
    {ZYDIS_MNEMONIC_SUB, BINARY, SR_OP_SUB, 0},
    {ZYDIS_MNEMONIC_AND, BINARY, SR_OP_AND, 0},
    {ZYDIS_MNEMONIC_OR, BINARY, SR_OP_OR, 0},
    {ZYDIS_MNEMONIC_XOR, BINARY, SR_OP_XOR, 0},
    {ZYDIS_MNEMONIC_SHL, SHIFT, SR_OP_SHL, 0},
    {ZYDIS_MNEMONIC_SHR, SHIFT, SR_OP_SHR, 0},
    {ZYDIS_MNEMONIC_SAR, SHIFT, SR_OP_SAR, 0},
    {ZYDIS_MNEMONIC_ADC, CARRY, SR_OP_ADD, 0},
    {ZYDIS_MNEMONIC_SBB, CARRY, SR_OP_SUB, 0},
    {ZYDIS_MNEMONIC_INC, UNARY, SR_OP_ADD, 1},
    {ZYDIS_MNEMONIC_DEC, UNARY, SR_OP_ADD, -1},
    {ZYDIS_MNEMONIC_NEG, UNARY, SR_OP_NEG, 0},
    {ZYDIS_MNEMONIC_NOT, UNARY, SR_OP_NOT, 0},
};

static bool by_rule(const struct sr_insn *n, struct sr_effect *e) {
    const struct rule *r = NULL;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0] && !r; i++)
        if (rules[i].mnemonic == n->i.mnemonic)
            r = &rules[i];
    if (!r)
        return false;
    switch (r->form) {
    case COPY:
        return sr_effect_source(&n->op[1], &e->a);
    case EXTEND:
        return set_extended(&n->op[1], r->op, e);
    case BINARY:
        set_binary(n, r->op, e);
        return true;
    case SHIFT:
        set_shift(n, r->op, e);
        return true;
    case CARRY:
        set_carry(n, r->op == SR_OP_SUB, e);
        return true;
    default:
        add_step(e, r->op, r->k);
        return true;
    }
}

/* What instruction n leaves in its operand number d. */
static void set_value(const struct sr_insn *n, unsigned d, struct sr_effect *e) {
    bool ok = false;

    e->kind = SR_EFFECT_SETS;
    e->scale = 1;
    e->a = (struct sr_source){.kind = SR_SOURCE_OLD, .width = (uint8_t)(n->op[d].size / 8)};
    if (n->i.mnemonic == ZYDIS_MNEMONIC_XCHG && d < 2) {
        ok = sr_effect_source(&n->op[1 - d], &e->a);
    } else if (d == 0 && n->i.meta.category == ZYDIS_CATEGORY_SETCC) {
        set_bool(e);
        ok = true;
    } else if (d == 0 && n->i.meta.category == ZYDIS_CATEGORY_CMOV) {
        e->keeps = true;
        ok = sr_effect_source(&n->op[1], &e->a);
    } else if (d == 0 && n->i.mnemonic == ZYDIS_MNEMONIC_LEA) {
        set_lea(n, e);
        ok = true;
    } else if (d == 0 && n->i.mnemonic == ZYDIS_MNEMONIC_POP) {
        ok = set_pop(n, e);
    } else if (d == 0 && n->i.mnemonic == ZYDIS_MNEMONIC_IMUL) {
        ok = set_product(n, e);
    } else if (d == 0) {
        ok = by_rule(n, e);
    }
    if (!ok)
        loses(e, not_followed);
}

/* Only the low bytes were written: a constant there is followed, on top of what was before. */
static void set_low(unsigned width, struct sr_effect *e) {
    uint8_t op = width == 1 ? SR_OP_LOW8 : SR_OP_LOW16;
    uint64_t value = (uint64_t)e->a.value, other = value;

    if (e->a.kind != SR_SOURCE_CONST || e->op || e->keeps || width > 2) {
        loses(e, "set in parts");
        return;
    }
    for (unsigned i = 0; i < e->n_steps; i++) {
        other = sr_op_apply(e->steps[i].op, e->either && !i ? e->other : e->steps[i].k, other);
        value = sr_op_apply(e->steps[i].op, e->steps[i].k, value);
    }
    e->a = (struct sr_source){.kind = SR_SOURCE_OLD, .width = 8};
    e->n_steps = 0;
    add_step(e, op, (int64_t)value);
    e->other = (int64_t)other;
}

static bool is_volatile(uint8_t reg) {
    return reg <= SR_REG_RDX || reg == SR_REG_RSI || (reg >= SR_REG_RDI && reg <= 11);
}

static void on_register(const struct sr_insn *n, uint8_t reg, unsigned need, struct sr_effect *e) {
    if (n->i.mnemonic == ZYDIS_MNEMONIC_CALL) {
        if (is_volatile(reg))
            loses(e, reg == SR_REG_RAX ? "returned by a call" : "not kept by a call");
        return;
    }
    if (n->i.meta.category == ZYDIS_CATEGORY_SYSCALL ||
        n->i.meta.category == ZYDIS_CATEGORY_INTERRUPT) {
        if (reg == SR_REG_RAX)
            loses(e, "returned by the kernel");
        else if (n->i.mnemonic == ZYDIS_MNEMONIC_SYSCALL && (reg == SR_REG_RCX || reg == 11))
            loses(e, "not kept by a system call");
        return;
    }
    for (unsigned d = 0; d < n->i.operand_count; d++) {
        const ZydisDecodedOperand *op = &n->op[d];
        unsigned width = op->size / 8;

        if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
            sr_effect_register(op->reg.value) != reg)
            continue;
        if (is_high(op->reg.value)) {
            if (need == 1)
                continue;
            loses(e, "set in parts");
            return;
        }
        set_value(n, d, e);
        if (e->kind == SR_EFFECT_SETS && width < need && width < 4)
            set_low(width, e);
        else if (e->kind == SR_EFFECT_SETS && width == 4)
            add_step(e, SR_OP_ZEXT, 4);
        return;
    }
}

/* A store of size bytes at `to`, by operand d. True: it decides. */
static bool on_store(const struct sr_insn *n, unsigned d, struct sr_place to, unsigned size,
                     const struct sr_loc *loc, unsigned need, struct sr_effect *e) {
    int64_t delta = loc->place.off - to.off;

    if (to.base != loc->place.base || delta >= (int64_t)size || delta + (int64_t)need <= 0)
        return false;
    if (delta < 0 || delta + (int64_t)need > (int64_t)size) {
        loses(e, "stored in parts");
        return true;
    }
    if (size > 8) {
        loses(e, "stored as part of a vector");
        return true;
    }
    if (n->i.mnemonic == ZYDIS_MNEMONIC_PUSH) {
        e->kind = SR_EFFECT_SETS;
        if (!sr_effect_source(&n->op[0], &e->a))
            loses(e, not_followed);
    } else {
        set_value(n, d, e);
    }
    if (e->kind == SR_EFFECT_SETS && delta && e->a.kind == SR_SOURCE_OLD)
        loses(e, "stored in parts");
    else if (e->kind == SR_EFFECT_SETS && delta)
        add_step(e, SR_OP_SHR, 8 * delta);
    return true;
}

/* A store through an operand. True: it decides. */
static bool on_memory(const struct sr_insn *n, unsigned d, bool taken, const struct sr_loc *loc,
                      unsigned need, struct sr_effect *e) {
    const ZydisDecodedOperand *op = &n->op[d];
    struct sr_place to = sr_flow_place(n, op);
    uint64_t addr;

    if (op->mem.segment == ZYDIS_REGISTER_FS || op->mem.segment == ZYDIS_REGISTER_GS ||
        sr_effect_absolute(n, op, &addr))
        return false;
    if (to.base != SR_BASE_NONE) {
        if (to.base == loc->place.base && op->mem.index != ZYDIS_REGISTER_NONE) {
            loses(e, "stored through an index");
            return true;
        }
        return on_store(n, d, to, op->size ? op->size / 8 : UINT16_MAX, loc, need, e);
    }
    if (op->mem.base == ZYDIS_REGISTER_RSP) {
        loses(e, "the stack pointer is not known");
        return true;
    }
    if (!taken)
        return false;
    if (n->i.meta.category == ZYDIS_CATEGORY_STRINGOP || op->mem.index != ZYDIS_REGISTER_NONE) {
        loses(e, "changed through a pointer");
        return true;
    }
    e->kind = SR_EFFECT_ALIAS;
    e->mem = op;
    return true;
}

static void on_slot(const struct sr_flow *w, const struct sr_insn *n, const struct sr_loc *loc,
                    unsigned need, struct sr_effect *e) {
    bool taken = sr_flow_is_taken(w, loc->place, need);
    struct sr_place sp = n->frame.sp;

    if (n->i.mnemonic == ZYDIS_MNEMONIC_PUSH || n->i.mnemonic == ZYDIS_MNEMONIC_CALL) {
        unsigned size = n->i.mnemonic == ZYDIS_MNEMONIC_PUSH ? n->i.operand_width / 8u : 8;

        if (sp.base == SR_BASE_NONE)
            loses(e, "the stack pointer is not known");
        else if (n->i.mnemonic == ZYDIS_MNEMONIC_CALL && sp.base == loc->place.base &&
                 loc->place.off < sp.off)
            loses(e, "below the stack pointer at a call");
        else if (n->i.mnemonic == ZYDIS_MNEMONIC_CALL && taken)
            loses(e, "a call may have changed it");
        else if (n->i.mnemonic == ZYDIS_MNEMONIC_PUSH)
            on_store(n, 0, (struct sr_place){sp.base, sp.off - size}, size, loc, need, e);
        return;
    }
    if (taken && (n->i.meta.category == ZYDIS_CATEGORY_SYSCALL ||
                  n->i.meta.category == ZYDIS_CATEGORY_INTERRUPT)) {
        loses(e, "the kernel may have changed it");
        return;
    }
    for (unsigned d = 0; d < n->i.operand_count; d++)
        if (n->op[d].type == ZYDIS_OPERAND_TYPE_MEMORY &&
            n->op[d].mem.type == ZYDIS_MEMOP_TYPE_MEM &&
            (n->op[d].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
            on_memory(n, d, taken, loc, need, e))
            return;
}

void sr_effect(const struct sr_flow *w, const struct sr_insn *n, const struct sr_loc *loc,
               unsigned need, struct sr_effect *out) {
    *out = (struct sr_effect){.kind = SR_EFFECT_KEEPS, .scale = 1};
    if (loc->slot)
        on_slot(w, n, loc, need, out);
    else
        on_register(n, loc->reg, need, out);
}
