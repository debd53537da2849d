/*
 * One instruction: where it leads, what it refers to. And two idioms: PLT stubs and jump tables.
 *
 * Only what the scan of a whole object needs is decoded, without operands; values that travel
 * through registers are numbers.h's topic.
 */
#ifndef SR_BOUND_INSTR_H
#define SR_BOUND_INSTR_H

#include <Zydis/Zydis.h>

#include "code.h"

enum sr_flow {
    SR_FLOW_NEXT,   /* goes on behind it */
    SR_FLOW_CALL,   /* the same, after a call */
    SR_FLOW_BRANCH, /* goes on behind it or at target */
    SR_FLOW_JUMP,   /* goes on elsewhere */
    SR_FLOW_STOP,   /* ret, ud2, hlt, … */
};

struct sr_instr {
    uint8_t length;
    uint8_t flow;
    bool direct;   /* CALL, BRANCH, JUMP: target is where */
    bool indirect; /* CALL, JUMP: through a register, or memory other than one constant word */
    bool nop;
    int8_t site;     /* enum sr_entry_kind; -1: does not enter the kernel */
    uint8_t n_refs;  /* all but those of direct flow */
    uint64_t target; /* direct */
    struct sr_ref refs[3];
};

struct sr_decoder {
    ZydisDecoder quick, full;
    const struct sr_object *object;
};

void sr_decoder_init(struct sr_decoder *d, const struct sr_object *o);

/* False: no instruction there (left: bytes to the end of the code). */
bool sr_instr_decode(const struct sr_decoder *d, const uint8_t *bytes, size_t left, uint64_t addr,
                     struct sr_instr *out);

/* The length of an instruction that goes on behind itself and names no constant place (in an object
 * that is not fixed); 0: it may be another. */
unsigned sr_instr_plain(const uint8_t *bytes, size_t left);

/* endbr64? bnd? jmp *slot(%rip) */
bool sr_instr_stub(const uint8_t *bytes, size_t left, uint64_t addr, uint64_t *slot);

/* All of a function's bytes are what a linker writes as .plt, .plt.got or .plt.sec. */
bool sr_instr_is_plt(const uint8_t *bytes, size_t size, uint64_t addr);

#define SR_TABLE_MAX 4096 /* entries of one jump table */

/* A jump table at addr as compilers write them: 4-byte distances from its begin, or (wide, in fixed
 * objects) addresses. */
struct sr_table {
    uint64_t addr;
    const uint8_t *bytes;
    size_t n; /* entries at most: up to the next border */
    bool wide;
};

/* False: no table can begin there. */
bool sr_table_open(const struct sr_object *o, uint64_t addr, bool wide, struct sr_table *t);
uint64_t sr_table_entry(const struct sr_table *t, size_t index);

#endif
