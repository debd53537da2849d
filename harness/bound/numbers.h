/*
 * Which number a system-call instruction is entered with.
 *
 * Backwards data flow for one register at one place: over the predecessors of each instruction
 * (fall-through, direct jumps from anywhere in the object, and for a place after an indirect jump
 * all of the function's indirect jumps) until something writes it. What the value turns out to be
 * is a set of constants, or the function's own argument, or unknown. A value that comes as an
 * argument is looked for at each of the function's callers (reach.h knows them).
 */
#ifndef SR_BOUND_NUMBERS_H
#define SR_BOUND_NUMBERS_H

#include "code.h"

enum sr_origin_kind {
    SR_ORIGIN_CONST,      /* value */
    SR_ORIGIN_ARG,        /* the value of argument register reg (0 rdi … 5 r9, see
                                 sr_numbers_arg_register) at function's entry, plus
                             value */
    SR_ORIGIN_ARG_MEM,    /* the word at [argument register reg + offset] at function's entry */
    SR_ORIGIN_GLOBAL_MEM, /* the word at [word at address + offset]: through a global pointer */
    SR_ORIGIN_GLOBAL,     /* the word at address (of data that may change) */
    SR_ORIGIN_UNKNOWN,    /* why says what stopped the search */
};

struct sr_origin {
    uint8_t kind, reg;
    int64_t value; /* CONST: as 64 bits, sign extended from what was written */
    int64_t offset;
    uint64_t address;
    uint32_t function; /* ARG, ARG_MEM: whose argument */
    uint64_t at;       /* the instruction where the search ended */
    const char *why;   /* UNKNOWN: a constant phrase */
};

#define SR_ORIGINS_MAX 64

struct sr_origins {
    size_t n;
    bool overflow; /* more than SR_ORIGINS_MAX: as UNKNOWN */
    struct sr_origin o[SR_ORIGINS_MAX];
};

/* Decoded functions and predecessors are kept from call to call; one of these per object. */
struct sr_numbers *sr_numbers_new(const struct sr_code *code);
void sr_numbers_free(struct sr_numbers *n);

/* Where the value of register reg (SR_REG_*, Zydis' 64-bit encoding order) before the instruction
 * at addr comes from. */
void sr_numbers_register(struct sr_numbers *n, uint64_t addr, int reg, struct sr_origins *out);

/* What the function stored in the memory that argument register reg points to, at offset, before
 * the call at addr: for callers of functions with SR_ORIGIN_ARG_MEM. The pointer must be a stack
 * address (lea reg,[rsp+k]) or a global one; else UNKNOWN. */
void sr_numbers_pointee(struct sr_numbers *n, uint64_t addr, int reg, int64_t offset,
                        struct sr_origins *out);

/* What is stored anywhere in the object to the global word at address: one origin for each store
 * instruction, and its initial value. */
void sr_numbers_global(struct sr_numbers *n, uint64_t address, struct sr_origins *out);

/* Register numbers as in x86 encodings. */
enum {
    SR_REG_RAX = 0,
    SR_REG_RCX = 1,
    SR_REG_RDX = 2,
    SR_REG_RSI = 6,
    SR_REG_RDI = 7,
    SR_REG_R8 = 8,
    SR_REG_R9 = 9
};

/* Register of argument 0 to 5 of the ABI, and from 6 on all others but rsp. */
#define SR_ARG_REGISTERS 15
int sr_numbers_arg_register(unsigned arg);

#endif
