/*
 * One function's instructions with their predecessors, for walking backwards through it, and where
 * the stack and frame pointers stand at each, so that stack slots have names.
 *
 * Predecessors are fall-through and direct jumps, from other functions of the object as well (parts
 * that the compiler moved away), and for what a jump table names, or nothing else leads to, all
 * indirect jumps of the function. Functions are decoded when they are first asked for, and kept.
 */
#ifndef SR_BOUND_FLOW_H
#define SR_BOUND_FLOW_H

#include <Zydis/Zydis.h>

#include "edges.h"

/* A stack address: a place relative to the stack pointer at the function's entry (base
 * SR_BASE_ENTRY), or to where it stood after an instruction that set it to something not known
 * (that one's address).
 */
enum { SR_BASE_ENTRY = 0, SR_BASE_NONE = -1 };

struct sr_place {
    int64_t base;
    int64_t off;
};

struct sr_frame {
    struct sr_place sp, fp; /* rsp, rbp */
};

enum sr_flow_kind {
    SR_FLOW_NEXT,
    SR_FLOW_BRANCH,   /* conditional: target and next */
    SR_FLOW_JUMP,     /* target only */
    SR_FLOW_INDIRECT, /* jump to what is not known */
    SR_FLOW_CALL,
    SR_FLOW_STOP, /* ret, hlt, ud2, … */
};

struct sr_flow_insn {
    uint64_t at;
    uint8_t len;
    uint8_t kind;  /* enum sr_flow_kind */
    bool entry;    /* something other than a jump leads here: a call, a pointer, a symbol */
    bool outer;    /* a jump from another function leads here, see sr_flow_outer */
    bool anywhere; /* the function's indirect jumps lead here */
    uint32_t first_pred, n_preds;
    struct sr_frame frame; /* before it */
};

/* The stack from `lowest` on, in this base, may be reached through pointers. */
struct sr_taken {
    int64_t base, lowest;
};

#define SR_TAKEN_MAX 8

struct sr_flow {
    uint32_t index; /* in code's functions */
    uint64_t lo, hi;
    struct sr_flow_insn *insns; /* by at */
    uint32_t n_insns;
    uint32_t *preds; /* indices into insns */
    uint32_t *own;   /* each instruction's own index */
    uint32_t *indirect;
    uint32_t n_indirect;
    struct sr_taken taken[SR_TAKEN_MAX];
    unsigned n_taken;
    bool all_taken; /* more bases than fit */
    bool ready;     /* frames are filled in */
};

/* Instruction with its operands; decoded anew each time that it is looked at. */
struct sr_insn {
    uint64_t at;
    struct sr_frame frame;
    ZydisDecodedInstruction i;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
};

struct sr_flows;

/* NULL: out of memory. */
struct sr_flows *sr_flows_new(const struct sr_code *code);
void sr_flows_free(struct sr_flows *f);
const struct sr_code *sr_flows_code(const struct sr_flows *f);

/* NULL: no such function, too large, or out of memory. */
const struct sr_flow *sr_flows_get(struct sr_flows *f, int64_t function);

/* Index of the instruction that begins at addr; -1: none. */
int64_t sr_flow_find(const struct sr_flow *w, uint64_t addr);

/* Jumps from other functions to addr: *n of them. */
const struct sr_edge *sr_flow_outer(const struct sr_flows *f, uint64_t addr, size_t *n);

/* The instructions that an edge comes from: *n indices in *w. NULL: not known. */
const uint32_t *sr_flow_sources(struct sr_flows *f, const struct sr_edge *e,
                                const struct sr_flow **w, uint32_t *n);

/* Instruction number index of w. False: nothing to decode there. */
bool sr_flow_load(const struct sr_flows *f, const struct sr_flow *w, uint32_t index,
                  struct sr_insn *out);

/* Fills in the frames and what is taken (frame.c). False: out of memory. */
bool sr_frame_compute(struct sr_flows *f, struct sr_flow *w);

/* The memory operand's address where it is a stack slot (base SR_BASE_NONE: not known to be one).
 */
struct sr_place sr_flow_place(const struct sr_insn *n, const ZydisDecodedOperand *op);

/* May memory from place on, size bytes, be changed by code that only has pointers? */
bool sr_flow_is_taken(const struct sr_flow *w, struct sr_place place, unsigned size);

/* What is remembered about a function (returns.c); 0 at first. */
struct sr_flow_note {
    uint8_t returns;
    bool has_writes;
    uint16_t writes;
};
struct sr_flow_note *sr_flows_note(struct sr_flows *f, int64_t function);

/* False: what this instruction calls certainly never returns (returns.c). depth: 0. */
bool sr_flow_call_returns(struct sr_flows *f, const struct sr_insn *call, unsigned depth);

/* General-purpose registers (a bit each) that what this instruction calls may write: compilers keep
 * values in others, whatever the ABI says, when they know the function. depth: 0. */
uint16_t sr_flow_call_writes(struct sr_flows *f, const struct sr_insn *call, unsigned depth);

#endif
