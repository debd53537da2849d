/*
 * What one instruction does to one thing that is tracked backwards: a register or a stack slot.
 */
#ifndef SR_BOUND_EFFECT_H
#define SR_BOUND_EFFECT_H

#include "flow.h"

/* A register (SR_REG_*, or any other encoding number), or a stack slot. */
struct sr_loc {
    bool slot;
    uint8_t reg;
    struct sr_place place;
};

/* Steps that make a value from another; k is a constant. */
enum sr_op {
    SR_OP_NONE,
    SR_OP_ADD,
    SR_OP_SUB, /* x - k */
    SR_OP_AND,
    SR_OP_OR,
    SR_OP_XOR,
    SR_OP_MUL,
    SR_OP_SHL,
    SR_OP_SHR,
    SR_OP_SAR,
    SR_OP_NEG,
    SR_OP_NOT,
    SR_OP_ZEXT, /* of the low k bytes */
    SR_OP_SEXT,
    SR_OP_LOW8, /* the low 8 (16) bits become k */
    SR_OP_LOW16,
};

struct sr_step_op {
    uint8_t op;
    int64_t k;
};

uint64_t sr_op_apply(uint8_t op, int64_t k, uint64_t x);

enum sr_source_kind {
    SR_SOURCE_OLD, /* what it was before the instruction */
    SR_SOURCE_CONST,
    SR_SOURCE_REG,
    SR_SOURCE_MEM,
};

struct sr_source {
    uint8_t kind;
    uint8_t width; /* bytes */
    uint8_t reg;
    int64_t value;
    const ZydisDecodedOperand *mem; /* of the instruction */
};

enum sr_effect_kind {
    SR_EFFECT_KEEPS, /* does not touch it */
    SR_EFFECT_SETS,
    SR_EFFECT_LOSES, /* why says what becomes of it */
    SR_EFFECT_ALIAS, /* sets it if `mem` (through a pointer) leads there */
};

/* SETS: steps of (a), or of (a op b) with op not NONE; where `either`, the first step's k may be
 * `other` as well. The old value may remain where `keeps`. */
struct sr_effect {
    uint8_t kind;
    bool keeps, either;
    uint8_t op;
    uint8_t scale; /* b is multiplied by it */
    struct sr_source a, b;
    struct sr_step_op steps[4];
    unsigned n_steps;
    int64_t other;
    const char *why;
    const ZydisDecodedOperand *mem;
};

/* need: how many low bytes of it matter. */
void sr_effect(const struct sr_flow *w, const struct sr_insn *n, const struct sr_loc *loc,
               unsigned need, struct sr_effect *out);

/* Operand as a source. False: not one that is followed. */
bool sr_effect_source(const ZydisDecodedOperand *op, struct sr_source *out);

/* Encoding number of the general-purpose register that r is part of; -1: none. */
int sr_effect_register(ZydisRegister r);

/* The address of a memory operand that depends on no register (rip counts as none). */
bool sr_effect_absolute(const struct sr_insn *n, const ZydisDecodedOperand *op, uint64_t *addr);

#endif
