/*
 * The stack check: does every frame of real call stacks lie in code that the bound holds reachable?
 *
 * Frames are read from `strace -k` logs, or from lines "OBJECT 0xOFFSET" (an offset in the file).
 * A frame whose function is not reachable means that the bound missed a way.
 */
#ifndef SR_BOUND_CHECK_H
#define SR_BOUND_CHECK_H

#include <stdio.h>

#include "bound_view.h"

enum sr_frame_verdict {
    SR_FRAME_REACHABLE,
    SR_FRAME_NOT_REACHABLE,
    SR_FRAME_NO_CODE, /* in an object of the closure, but no function is known there */
    SR_FRAME_OUTSIDE, /* in no object of the closure */
};

/* Frames with the same place. */
struct sr_bound_frame {
    char *object;
    uint64_t offset;  /* in the file */
    uint64_t count;   /* how often it was met */
    int64_t index;    /* in the closure; -1: outside */
    uint64_t address; /* in the object's own terms */
    enum sr_frame_verdict verdict;
};

struct sr_bound_check {
    struct sr_bound_frame *frames; /* distinct; by object, offset */
    size_t n;
    uint64_t total;                /* frames read */
    uint64_t passed_over;          /* lines that are no frames, in a file that is no strace log */
    size_t not_reachable, outside; /* of the distinct ones; the former with those of no code */
};

/* NULL: errno says why. */
struct sr_bound_check *sr_bound_check_read(const struct sr_bound_view *v, FILE *from);
void sr_bound_check_free(struct sr_bound_check *c);

/* One frame: the object by its path or soname, the address in its own terms (not in the file). */
enum sr_frame_verdict sr_bound_check_frame(const struct sr_bound_view *v, const char *object,
                                           uint64_t address);

#endif
