/*
 * The length of a plain instruction: one of the commonest, that goes on behind itself and names no
 * constant place. Three of four are of that kind, and telling them by a table halves the time of a
 * scan; whatever is not certain is left to Zydis. tests/unit/test_bound_plain.c holds the two
 * against each other at every byte of real code.
 *
 * Intel SDM, volume 2: 2.1 (ModR/M and SIB), 2.2.1 (REX), appendix A (opcode maps).
 */
#include "instr.h"

enum form {
    NOT,     /* not plain */
    ALONE,   /* the opcode only */
    MODRM,   /* ModR/M, perhaps with SIB and displacement */
    MODRM8,  /* and an immediate byte */
    MODRM32, /* and an immediate of 4 bytes (with an operand-size prefix: not plain) */
    IMM8,    /* an immediate byte, no ModR/M */
    IMM32,   /* 4 bytes, the same */
    MOVIMM,  /* the same; 8 with REX.W */
    LEA,     /* ModR/M that is memory */
    SHIFT,   /* MODRM, /6 left out */
    SHIFT8,  /* MODRM8, /6 left out */
    ZERO8,   /* MODRM8, /0 only */
    ZERO32,  /* MODRM32, /0 only */
    UNARY8,  /* f6: /0 MODRM8, /2 to /7 MODRM */
    UNARY32, /* f7: /0 MODRM32, /2 to /7 MODRM */
    INCPUSH  /* ff: /0, /1 and /6 */
};

/* clang-format off */
#define ALU MODRM, MODRM, MODRM, MODRM, IMM8, IMM32, NOT, NOT
#define EIGHT(f) f, f, f, f, f, f, f, f

static const uint8_t one_byte[256] = {
    ALU, ALU, ALU, ALU, ALU, ALU, ALU, ALU,                              /* 00 to 3f */
    EIGHT(NOT), EIGHT(NOT),                                              /* 40: REX */
    EIGHT(ALONE), EIGHT(ALONE),                                          /* 50: push, pop */
    NOT, NOT, NOT, MODRM, NOT, NOT, NOT, NOT,                            /* 63: movsxd */
    IMM32, MODRM32, IMM8, MODRM8, NOT, NOT, NOT, NOT,                    /* 68: push, imul */
    EIGHT(NOT), EIGHT(NOT),                                              /* 70: jcc */
    MODRM8, MODRM32, NOT, MODRM8, MODRM, MODRM, MODRM, MODRM,            /* 80: ALU, test, xchg */
    MODRM, MODRM, MODRM, MODRM, NOT, LEA, NOT, NOT,                      /* 88: mov, lea */
    EIGHT(NOT),                                                          /* 90: nop, xchg */
    ALONE, ALONE, NOT, NOT, NOT, NOT, NOT, NOT,                          /* 98: cdqe, cqo */
    EIGHT(NOT),                                                          /* a0 */
    IMM8, IMM32, NOT, NOT, NOT, NOT, NOT, NOT,                           /* a8: test */
    EIGHT(IMM8), EIGHT(MOVIMM),                                          /* b0: mov */
    SHIFT8, SHIFT8, NOT, NOT, NOT, NOT, ZERO8, ZERO32,                   /* c0: shifts, mov */
    EIGHT(NOT),                                                          /* c8 */
    SHIFT, SHIFT, SHIFT, SHIFT, NOT, NOT, NOT, NOT, EIGHT(NOT),          /* d0: shifts */
    EIGHT(NOT), EIGHT(NOT),                                              /* e0 */
    NOT, NOT, NOT, NOT, NOT, NOT, UNARY8, UNARY32,                       /* f0 */
    NOT, NOT, NOT, NOT, NOT, NOT, NOT, INCPUSH,                          /* f8 */
};
/* clang-format on */

/* Behind 0f: cmovcc, setcc, movzx, movsx, imul; without prefix also movups, movaps. */
static bool is_plain_0f(uint8_t op, bool prefixed) {
    if ((op & 0xf0) == 0x40 || (op & 0xf0) == 0x90)
        return true;
    if (op == 0xaf || op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf)
        return true;
    return !prefixed && (op == 0x10 || op == 0x11 || op == 0x28 || op == 0x29);
}

/* What a ModR/M byte and what follows it takes; 0: not known, or a constant place. */
static unsigned modrm_length(const uint8_t *p) {
    unsigned mod = p[0] >> 6, rm = p[0] & 7, n = 1;

    if (mod == 3)
        return 1;
    if (rm == 4) {
        n = 2;
        if (mod == 0 && (p[1] & 7) == 5)
            return 6;
    } else if (mod == 0 && rm == 5) {
        return 0;
    }
    return n + (mod == 1 ? 1 : mod == 2 ? 4 : 0);
}

/* The form of an opcode whose ModR/M byte decides about it. */
static enum form narrow(enum form f, uint8_t modrm) {
    unsigned reg = modrm >> 3 & 7;

    switch (f) {
    case LEA:
        return modrm >> 6 == 3 ? NOT : MODRM;
    case SHIFT:
        return reg == 6 ? NOT : MODRM;
    case SHIFT8:
        return reg == 6 ? NOT : MODRM8;
    case ZERO8:
        return reg == 0 ? MODRM8 : NOT;
    case ZERO32:
        return reg == 0 ? MODRM32 : NOT;
    case UNARY8:
        return reg == 0 ? MODRM8 : reg == 1 ? NOT : MODRM;
    case UNARY32:
        return reg == 0 ? MODRM32 : reg == 1 ? NOT : MODRM;
    case INCPUSH:
        return reg == 0 || reg == 1 || reg == 6 ? MODRM : NOT;
    default:
        return f;
    }
}

unsigned sr_instr_plain(const uint8_t *bytes, size_t left) {
    const uint8_t *p = bytes;
    bool narrow_operand, wide = false;
    unsigned length = 0;
    enum form f;

    if (left < 15) /* then no byte need be checked below */
        return 0;
    narrow_operand = *p == 0x66;
    p += narrow_operand;
    if ((*p & 0xf0) == 0x40) {
        wide = *p & 8;
        p++;
    }
    if (*p == 0x0f) {
        f = is_plain_0f(p[1], narrow_operand) ? MODRM : NOT;
        p += 2;
    } else {
        f = narrow(one_byte[*p], p[1]);
        p++;
    }
    if (f == NOT || (narrow_operand && (f == MODRM32 || f == IMM32 || f == MOVIMM)))
        return 0;
    if (f == MODRM || f == MODRM8 || f == MODRM32) {
        length = modrm_length(p);
        if (!length)
            return 0;
    }
    length += f == MODRM8 || f == IMM8 ? 1 : f == MODRM32 || f == IMM32 ? 4 : 0;
    length += f == MOVIMM ? (wide ? 8 : 4) : 0;
    return (unsigned)(p - bytes) + length;
}
