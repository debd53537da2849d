/*
 * The input log: what single inputs made, exactly, in the order in which they ran.
 *
 * A forkserver appends one record for each input that AFL++ calibrates (it runs those it keeps
 * several times in a row) and for each one that showed a new call site; a batch of replays appends
 * one for each run. Append-only, one write(2) a record, so a killed writer leaves whole records and
 * at most one cut one at the end. Images are slots of the union that stands beside the log.
 */
#ifndef SYSREACH_INPUTLOG_H
#define SYSREACH_INPUTLOG_H

#include <stddef.h>
#include <stdint.h>

#include "sysreach/set.h"

#define SR_INPUT_MAGIC      0x31495253u /* "SRI1" */
#define SR_INPUT_IMAGES_MAX 64          /* images of one input; more are counted in SR_INPUT_CUT */

enum sr_input_flag {
    SR_INPUT_TIMEOUT = 1,  /* ended by the scenario's limit of time or idle time */
    SR_INPUT_LEFTOVER = 2, /* processes were still there after the grace period and were ended */
    SR_INPUT_CUT = 4,      /* too many processes or images, or ended by afl-fuzz: not complete */
    SR_INPUT_DENIED = 8,   /* sent a signal to a process outside the run; it was not delivered */
    SR_INPUT_NEW = 16,     /* showed a new call site */
};

struct sr_input_image {
    uint32_t image; /* slot in the union */
    uint32_t reserved;
    struct sr_set calls;
};

struct sr_input_record {
    uint32_t magic;
    uint32_t bytes;   /* of this record, images included */
    uint64_t hash;    /* sr_hash64 of the input's bytes as AFL++ has them in its queue */
    uint64_t input;   /* running number of the input on its instance, from 1 */
    uint64_t time_ms; /* since the epoch */
    uint32_t calls;   /* calls recorded, repetitions counted */
    int32_t status;   /* wait status of the program's first process */
    uint32_t flags;   /* enum sr_input_flag */
    uint32_t n_images;
    struct sr_input_image images[]; /* n_images */
};

static inline size_t sr_input_record_bytes(uint32_t n_images) {
    return sizeof(struct sr_input_record) + n_images * sizeof(struct sr_input_image);
}

/* 64-bit FNV-1a (Fowler, Noll, Vo). */
static inline uint64_t sr_hash64(const void *data, size_t len) {
    const unsigned char *p = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

#endif
