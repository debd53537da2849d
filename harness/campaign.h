/*
 * A campaign folder: its paths, what was asked for (campaign.conf) and who works on it (a lock).
 *
 * campaign.conf and the hook's files are lines of `key value`. The lock is an flock(2) on
 * campaign.conf, so it cannot outlive the supervisor. layout.h has the names of the parts,
 * docs/campaign.md says what they hold.
 */
#ifndef SR_CAMPAIGN_H
#define SR_CAMPAIGN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sysreach/union.h"

#define SR_CAMPAIGN_VERSION 1
#define SR_DIR_REFERENCE    "reference" /* the set that the target wants to be compared with */

struct sr_campaign {
    char dir[PATH_MAX];        /* absolute */
    char program[PATH_MAX];    /* the stock binary */
    char execute[PATH_MAX];    /* what the instances run: the same, or an instrumented build */
    char target[NAME_MAX + 1]; /* its name; empty: started with -- PROGRAM */
    char reference[256];       /* what the set in DIR/reference is; empty: there is none */
    uint64_t created_ms;       /* since the epoch */
    uint64_t seed;             /* for -s; only if has_seed */
    unsigned instances;
    unsigned grace_ms;
    unsigned map_size; /* AFL++'s map: what it may need at most */
    bool has_seed, instrumented;
};

/* DIR/name into buf; NULL when it does not fit. */
char *sr_campaign_path(const struct sr_campaign *c, const char *name, char buf[PATH_MAX]);

/* Reads campaign.conf of a folder. 0, or -1 with the reason printed. */
int sr_campaign_open(const char *dir, struct sr_campaign *out);

/* Writes it, whole or not at all. 0 or a negative errno. */
int sr_campaign_save(const struct sr_campaign *c);

/* The lock as a descriptor, or -EWOULDBLOCK: another process has it, or another negative errno. */
int sr_campaign_lock(const struct sr_campaign *c);
bool sr_campaign_running(const struct sr_campaign *c);

/* Files of `key value` lines. text is cut up in place; values are the rest of the line. */
struct sr_pair {
    const char *key, *value;
};

size_t sr_pairs_parse(char *text, struct sr_pair out[], size_t max);
const char *sr_pairs_get(const struct sr_pair pairs[], size_t n, const char *key);

/* A whole file, NUL-terminated, malloc'ed; NULL with errno when it cannot be read or is longer. */
char *sr_file_read(const char *path, size_t max, size_t *len);

/* A whole file under its name or not at all: written beside it and renamed. 0 or -errno. */
int sr_file_write(const char *path, const void *data, size_t len);

/* 90s, 10m, 8h, 1d, or seconds; false when it is no such time or is 0. */
bool sr_time_parse(const char *text, uint64_t *ms);

/* "01:02:03", days in front where there are any. */
const char *sr_time_print(uint64_t ms, char buf[32]);
uint64_t sr_epoch_ms(void); /* since the epoch */

/* The calls of all images together, start-up included; and of one image. */
struct sr_set sr_union_all(const struct sr_union *u);
struct sr_set sr_union_of(const struct sr_union *u, unsigned image);

#endif
