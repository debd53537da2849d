/*
 * One search of track.c, for the part of it that reads memory (load.c).
 */
#ifndef SR_BOUND_TRACK_PRIVATE_H
#define SR_BOUND_TRACK_PRIVATE_H

#include "track.h"

struct state;

struct sr_search {
    struct sr_track *t;
    struct state *states;
    size_t n_states, cap_states;
    struct sr_origins *out;
    uint32_t id;
    unsigned depth;
};

/* Results. A chain (0: none) is what the value still goes through. */
void sr_search_unknown(struct sr_search *s, uint64_t at, const char *why);
void sr_search_emit(struct sr_search *s, uint32_t chain, struct sr_origin o);

/* To look for loc before instruction number index of w; or for the value of a source there. */
void sr_search_push(struct sr_search *s, const struct sr_flow *w, uint32_t index, struct sr_loc loc,
                    unsigned need, uint32_t chain);
void sr_search_follow(struct sr_search *s, const struct sr_flow *w, uint32_t index,
                      const struct sr_insn *n, const struct sr_source *src, unsigned need,
                      uint32_t chain);

/* A question inside the question: all origins of a register there. */
void sr_search_ask(struct sr_search *s, const struct sr_flow *w, uint32_t index, ZydisRegister r,
                   struct sr_origins *out);

/* The word that a source of kind MEM names (load.c). */
void sr_search_load(struct sr_search *s, const struct sr_flow *w, uint32_t index,
                    const struct sr_insn *n, const struct sr_source *src, uint32_t chain);

#endif
