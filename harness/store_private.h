/*
 * What store.c (opening, writing) and store_read.c share.
 */
#ifndef SR_STORE_PRIVATE_H
#define SR_STORE_PRIVATE_H

#include <sqlite3.h>

#include "store.h"

enum sr_statement {
    SR_ST_ENVIRONMENT,
    SR_ST_IMAGE,
    SR_ST_RUN_BEGIN,
    SR_ST_RUN_END,
    SR_ST_SAMPLE,
    SR_ST_SEED,
    SR_ST_SEED_CALL,
    SR_ST_INPUT,
    SR_ST_INPUT_FORGET,
    SR_ST_INPUT_CALL,
    SR_ST_CALL,
    SR_ST_DISCOVERY,
    SR_ST_REPLAYED,
    SR_ST_NOTE,
    SR_STATEMENTS
};

struct sr_store {
    sqlite3 *db;
    sqlite3_stmt *statement[SR_STATEMENTS];
    bool writes;
    uint64_t errors;
    char error[256];
    struct sr_set named; /* calls whose names the table calls has */
};

/* A call as one integer: abi * 2^32 + number. */
static inline int64_t sr_call_key(struct sr_call c) {
    return (int64_t)((uint64_t)c.abi << 32 | (uint32_t)c.nr);
}

static inline struct sr_call sr_call_of_key(int64_t key) {
    return (struct sr_call){(uint32_t)((uint64_t)key >> 32), (int32_t)(uint32_t)key};
}

#endif
