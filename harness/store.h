/*
 * campaign.db: series, discoveries, seeds, kept inputs and environment of a campaign, in SQLite.
 *
 * One process writes (the supervisor), anybody may read at the same time (WAL). A write that fails
 * is counted and kept as text; it never ends a campaign, since the union and the discovery folders
 * do not depend on the database. docs/campaign.md describes the tables.
 */
#ifndef SR_STORE_H
#define SR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "discovery.h"
#include "sysreach/inputlog.h"

struct sr_store;

enum sr_store_mode {
    SR_STORE_READ,
    SR_STORE_WRITE, /* makes it if it is missing */
};

/* NULL: why (size bytes) says the reason: no such file, no database, damaged, another version. */
struct sr_store *sr_store_open(const char *path, enum sr_store_mode mode, char *why, size_t size);

/* A writer leaves one plain file behind (no -wal, no -shm). */
void sr_store_close(struct sr_store *s);

/* Failed writes so far, and the last one's reason. */
uint64_t sr_store_errors(const struct sr_store *s);
const char *sr_store_error(const struct sr_store *s);

/* Writers, between begin and commit. */
void sr_store_begin(struct sr_store *s);
void sr_store_commit(struct sr_store *s);

void sr_store_environment(struct sr_store *s, const char *key, const char *value);
void sr_store_image(struct sr_store *s, unsigned slot, const char *path);

/* A run of the supervisor: offset_ms is the campaign's time when it began. Returns its id. */
int64_t sr_store_run_begin(struct sr_store *s, uint64_t epoch_ms, uint64_t offset_ms);
void sr_store_run_end(struct sr_store *s, int64_t run, uint64_t epoch_ms, const char *reason);

struct sr_sample {
    uint64_t time_ms; /* of the campaign */
    char instance[32];
    uint64_t execs, calls, calls_program, sites, timeouts, leftover, crashes;
};

void sr_store_sample(struct sr_store *s, const struct sr_sample *sample);

/* One record of a seed's run on the stock binary, its images as slots of the union. */
void sr_store_seed(struct sr_store *s, const char *name, const struct sr_input_record *record);

/* An input that AFL++ kept. file: its name in the queue. */
void sr_store_input(struct sr_store *s, const char *instance, const char *file,
                    const struct sr_input_record *record);

void sr_store_discovery(struct sr_store *s, const struct sr_discovery *d);
void sr_store_replayed(struct sr_store *s, const struct sr_discovery *d);

/* Something that went wrong and that a report has to say. */
void sr_store_note(struct sr_store *s, uint64_t time_ms, const char *text);

/* Readers. Arrays are malloc'ed; -1: it cannot be read. */
uint64_t sr_store_elapsed(struct sr_store *s);
uint64_t sr_store_campaign_time(struct sr_store *s, uint64_t epoch_ms);
/* Why the last run ended; "": it did not, it runs or was killed. */
void sr_store_last_end(struct sr_store *s, char *buf, size_t size);
long sr_store_discoveries(struct sr_store *s, struct sr_discovery **out);
long sr_store_samples(struct sr_store *s, struct sr_sample **out); /* instances summed up */
long sr_store_count(struct sr_store *s, const char *table);

/* The union of the seeds' sets of an image; and a seed that made the call, "" for none. */
struct sr_set sr_store_seed_set(struct sr_store *s, unsigned image);
void sr_store_seed_of(struct sr_store *s, unsigned image, struct sr_call c, char *buf, size_t size);

/* Calls back for each row of environment, or of notes (key: the time). */
typedef void sr_store_row(void *arg, const char *key, const char *value);
void sr_store_each_environment(struct sr_store *s, sr_store_row *row, void *arg);
void sr_store_each_note(struct sr_store *s, sr_store_row *row, void *arg);

#endif
