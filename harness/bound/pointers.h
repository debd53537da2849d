/*
 * Calls through pointers that may lead to one function: for functions that pass a system-call
 * number on and are called through a table, as libcap does it.
 */
#ifndef SR_BOUND_POINTERS_H
#define SR_BOUND_POINTERS_H

#include "numbers.h"
#include "reach.h"

/* caller: node of the function with the call; at: the instruction. */
typedef void sr_pointer_visit(void *ctx, uint32_t caller, uint64_t at);

/* Visits each call through a pointer, in reachable code of the function's own object, that may lead
 * to it. False: others may have its address too (it is exported, an initialiser, an entry point),
 * so these are not all; what was visited is no error then. numbers: the object's. */
bool sr_pointer_calls(const struct sr_reach *r, uint32_t function, struct sr_numbers *numbers,
                      sr_pointer_visit *visit, void *ctx);

#endif
