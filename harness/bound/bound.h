/*
 * The static bound: which system calls a program's code could make, from its ELF files alone.
 *
 * sound: from the entry points, along direct calls, with every code address that any object takes
 * anywhere (in any instruction, in any data) counted as called. tight: only addresses that
 * reachable code or reachable data can name. docs/bound.md argues both.
 * A site whose number is not known is listed; the bound is then not closed.
 */
#ifndef SR_BOUND_H
#define SR_BOUND_H

#include "closure.h"
#include "sysreach/set.h"

enum sr_policy { SR_POLICY_SOUND, SR_POLICY_TIGHT };

struct sr_bound_request {
    struct sr_closure_request closure;
    enum sr_policy policy;
};

/* An object of the closure, with counts. */
struct sr_bound_object {
    const struct sr_object *object;
    bool module;
    uint64_t functions, reachable_functions;
    uint64_t code_bytes; /* in executable segments */
    uint64_t decoded_bytes;
    uint64_t reachable_bytes; /* of reachable functions */
    uint64_t sites, reachable_sites;
};

/* A reachable site whose number, or one of whose numbers, is not known. */
struct sr_bound_unresolved {
    uint32_t object;
    uint64_t at;     /* the system-call instruction, or the call of a wrapper that passes it */
    const char *why; /* a phrase */
};

struct sr_bound; /* opaque: the graph behind it serves sr_bound_why and the stack check */

struct sr_bound_result {
    struct sr_set set;
    bool closed;
    struct sr_bound_object *objects; /* in the closure's order */
    size_t n_objects;
    struct sr_bound_unresolved *unresolved; /* by object, at */
    size_t n_unresolved;
    uint64_t sites, reachable_sites;
    double seconds; /* CPU time it took */
};

/* NULL: *err says why. The closure belongs to the bound. */
struct sr_bound *sr_bound_compute(const struct sr_bound_request *r, struct sr_object_error *err);

/* Both policies over one closure and one decoding. out[SR_POLICY_SOUND], out[SR_POLICY_TIGHT]; each
 * is freed by sr_bound_free. False: *err says why and nothing is in out. */
bool sr_bound_both(const struct sr_closure_request *r, struct sr_bound *out[2],
                   struct sr_object_error *err);
const struct sr_bound_result *sr_bound_result(const struct sr_bound *b);
const struct sr_closure *sr_bound_closure(const struct sr_bound *b);
void sr_bound_free(struct sr_bound *b);

/* A chain is a list of steps from a root to the system-call instruction. */
enum sr_step_kind {
    SR_STEP_ENTRY, /* a root: why says which (entry point, initialiser, export of a module, …) */
    SR_STEP_CALL,  /* direct call or jump */
    SR_STEP_SLOT,  /* direct call through the GOT or PLT: bound by the loader to one function */
    SR_STEP_TAKEN, /* reachable code takes the address; someone may call it */
    SR_STEP_DATA,  /* reachable data holds the address */
    SR_STEP_NAMES, /* reachable code or data names this data (a step to data, not to code) */
    SR_STEP_SITE,  /* the instruction that enters the kernel */
};

struct sr_step {
    uint8_t kind;
    bool data; /* the place is data, not a function */
    uint32_t object;
    uint64_t at;     /* function's or data's address; SITE: the instruction */
    uint64_t from;   /* the instruction or word, in the step before, that leads here; 0: none */
    const char *why; /* ENTRY: a phrase; else NULL */
};

/* A shortest chain to a call in the set. Returns the number of steps (memory from malloc in
 * *steps), 0: the call is not in the set; negative errno. */
int sr_bound_why(const struct sr_bound *b, struct sr_call call, struct sr_step **steps);

/* The same to an unresolved site. */
int sr_bound_why_unresolved(const struct sr_bound *b, size_t index, struct sr_step **steps);

/* The stack check: is the code at addr (of the closure's object with this path or soname) in a
 * function that is held reachable? 1 yes, 0 no, -ENOENT: no such object, -EFAULT: no code there. */
int sr_bound_reaches(const struct sr_bound *b, const char *object, uint64_t addr);

/* "strtol+0x12", "libc.so.6+0x8b340", as in "OBJECT: NAME" without the object. */
void sr_bound_name(const struct sr_bound *b, uint32_t object, uint64_t at, char *buf, size_t size);

#endif
