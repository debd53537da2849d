/*
 * What an object's instructions refer to, found by decoding its code once (Zydis).
 *
 * Code is known from .eh_frame and swept linearly there; what lies outside (hand-written assembly)
 * is followed from known entries only (symbols, entry point, initialisers, code pointers in data,
 * targets of references), because data may lie in between. Where a known entry falls between two
 * instructions of a sweep, decoding begins again there. Falling out of an FDE's end into bytes
 * without FDE goes on there, as part of the same function.
 * A reference to a PLT stub (endbr64? bnd? jmp *slot) is given as one to its slot, so that stubs
 * are not functions.
 */
#ifndef SR_BOUND_CODE_H
#define SR_BOUND_CODE_H

#include "object.h"

enum sr_ref_kind {
    SR_REF_CALL, /* direct call; to: code */
    SR_REF_JUMP, /* direct jump (any condition), or jump-table entry, that leaves the function */
    SR_REF_FALL, /* the function's end falls through into another function */
    SR_REF_CODE, /* the address of code, put into a register or memory (lea, immediate) */
    SR_REF_DATA, /* the same of data; or an absolute base in an addressing mode (fixed objects) */
    SR_REF_READ, /* an access to bytes at to (rip-relative or absolute, without index) */
    SR_REF_KINDS
};

struct sr_ref {
    uint64_t from;
    uint64_t to;
    uint8_t kind;
    /* CALL, JUMP, CODE: to is not code but a word that holds its address (GOT slot): call *slot,
     * jmp *slot, or through a PLT stub. */
    bool slot;
    uint16_t bytes; /* READ: how many, 1 to 64 */
};

enum sr_entry_kind { SR_ENTRY_SYSCALL, SR_ENTRY_INT80, SR_ENTRY_SYSENTER };

struct sr_entry_site {
    uint64_t at;
    uint8_t kind; /* enum sr_entry_kind */
    uint32_t function;
};

struct sr_function {
    uint64_t lo, hi;
    uint32_t first_ref, n_refs;
    bool fde;           /* from .eh_frame (else: followed) */
    bool indirect_call; /* call through a register or memory other than a constant slot */
    bool indirect_jump; /* the same for jumps */
};

struct sr_code {
    struct sr_function *functions; /* by lo, disjoint */
    size_t n_functions;
    struct sr_ref *refs; /* by function, in it by from */
    size_t n_refs;
    struct sr_entry_site *sites; /* by at */
    size_t n_sites;
    uint64_t bytes;        /* decoded */
    uint64_t instructions; /* decoded */
    uint64_t undecoded;    /* bytes inside FDEs that are no instructions */
    uint8_t *starts;       /* bit per byte of code, see sr_code_is_start */
    const struct sr_object *object;
};

/* NULL: out of memory, or more than 4 GiB of code. Time and memory are linear in the bytes of code.
 */
struct sr_code *sr_code_scan(const struct sr_object *o);
void sr_code_free(struct sr_code *c);

/* An instruction was decoded beginning there. Padding behind a return or jump counts only where
 * something leads to it. */
bool sr_code_is_start(const struct sr_code *c, uint64_t addr);

/* Index of the function that holds addr; -1: none. */
int64_t sr_code_function(const struct sr_code *c, uint64_t addr);

/* Follows a PLT stub: true and *slot when the code at addr is one. */
bool sr_code_stub(const struct sr_object *o, uint64_t addr, uint64_t *slot);

#endif
