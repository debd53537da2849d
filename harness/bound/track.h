/*
 * The backwards search behind numbers.h: from a register or stack slot before one instruction to
 * all places that give it its value. A query has a budget; when it is used up, the value is not
 * known.
 *
 * What is taken for granted: calls keep the registers that the ABI says they keep; memory behind a
 * function's argument is changed, while the function runs, only by its own stores through that
 * argument; separate stack frames, and the parts of one that different bases name, do not overlap.
 */
#ifndef SR_BOUND_TRACK_H
#define SR_BOUND_TRACK_H

#include "effect.h"
#include "numbers.h"

/* Beside enum sr_origin_kind, inside the search only: a stack address. value: offset; address: the
 * base. */
#define SR_ORIGIN_STACK (SR_ORIGIN_UNKNOWN + 1)

#define SR_TRACK_DEPTH 4 /* questions inside questions */

struct sr_track;

/* NULL: out of memory. The flows are not its own. */
struct sr_track *sr_track_new(struct sr_flows *flows);
void sr_track_free(struct sr_track *t);

/* A new budget; before each query. */
void sr_track_begin(struct sr_track *t);

/* Decoding costs as well. False: the budget is used up. */
bool sr_track_spend(struct sr_track *t);
struct sr_flows *sr_track_flows(const struct sr_track *t);

/* All origins of loc before instruction number index of w. depth: 0 for a query's own question. */
void sr_track_run(struct sr_track *t, const struct sr_flow *w, uint32_t index, struct sr_loc loc,
                  unsigned need, unsigned depth, struct sr_origins *out);

/* All origins of the value that an operand of instruction index of w has there. */
void sr_track_source(struct sr_track *t, const struct sr_flow *w, uint32_t index,
                     const ZydisDecodedOperand *op, unsigned depth, struct sr_origins *out);

/* The word of width bytes at an address of this object: CONST where it cannot change, else GLOBAL.
 */
struct sr_origin sr_track_word(const struct sr_object *o, uint64_t addr, unsigned width);

/* Adds o unless it is there. */
void sr_track_add(struct sr_origins *out, const struct sr_origin *o);

/* The largest value that register reg can have before instruction index of w, as a comparison or a
 * mask on the only way there says; -1: none does (table.c). */
int64_t sr_track_limit(struct sr_track *t, const struct sr_flow *w, uint32_t index, int reg);

/* Before instruction number index of w, if the zero flag is set there: the value that loc then
 * certainly has (table.c). False: nothing is certain. */
bool sr_track_zero(struct sr_track *t, const struct sr_flow *w, uint32_t index,
                   const struct sr_loc *loc, unsigned need, int64_t *value);

#endif
