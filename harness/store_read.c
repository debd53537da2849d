/*
 * Everything that reads campaign.db.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

static sqlite3_stmt *query(struct sr_store *s, const char *text) {
    sqlite3_stmt *st = NULL;

    return sqlite3_prepare_v2(s->db, text, -1, &st, NULL) == SQLITE_OK ? st : NULL;
}

static void text_column(sqlite3_stmt *st, int column, char *buf, size_t size) {
    const unsigned char *text = sqlite3_column_text(st, column);

    snprintf(buf, size, "%s", text ? (const char *)text : "");
}

/* Column 0 of the first row, or otherwise. */
static int64_t number(sqlite3_stmt *st, int64_t otherwise) {
    if (st && sqlite3_step(st) == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
        otherwise = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return otherwise;
}

uint64_t sr_store_elapsed(struct sr_store *s) {
    return (uint64_t)number(query(s, "SELECT max(time_ms) FROM series"), 0);
}

uint64_t sr_store_campaign_time(struct sr_store *s, uint64_t epoch_ms) {
    sqlite3_stmt *st = query(s, "SELECT max(?1 - begin_ms, 0) + offset_ms FROM runs"
                                " ORDER BY begin_ms <= ?1 DESC, abs(?1 - begin_ms) LIMIT 1");

    if (st)
        sqlite3_bind_int64(st, 1, (int64_t)epoch_ms);
    return (uint64_t)number(st, 0);
}

void sr_store_last_end(struct sr_store *s, char *buf, size_t size) {
    sqlite3_stmt *st = query(s, "SELECT reason FROM runs ORDER BY id DESC LIMIT 1");

    *buf = 0;
    if (st && sqlite3_step(st) == SQLITE_ROW)
        text_column(st, 0, buf, size);
    sqlite3_finalize(st);
}

long sr_store_count(struct sr_store *s, const char *table) {
    char text[128];

    snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
    return (long)number(query(s, text), -1);
}

/* Makes room for one more element; NULL: out of memory, and the array stays as it is. */
static void *grown(void *array, size_t n, size_t *room, size_t element) {
    if (n < *room)
        return array;
    void *more = realloc(array, (*room * 2 + 64) * element);
    if (more)
        *room = *room * 2 + 64;
    return more;
}

static enum sr_state state_of_name(const char *name) {
    for (enum sr_state s = 0; s < SR_STATES; s++)
        if (strcmp(sr_state_name(s), name) == 0)
            return s;
    return SR_STATE_PENDING;
}

long sr_store_discoveries(struct sr_store *s, struct sr_discovery **out) {
    sqlite3_stmt *st = query(s, "SELECT image, call, time_ms, epoch_ms, instance, input, state,"
                                " replays, replayed FROM discoveries ORDER BY time_ms, input");
    struct sr_discovery *all = NULL;
    size_t n = 0, room = 0;
    int err = SQLITE_ERROR;

    while (st && (err = sqlite3_step(st)) == SQLITE_ROW) {
        struct sr_discovery *more = grown(all, n, &room, sizeof *all), *d;
        char state[16];

        if (!more)
            break;
        all = more;
        d = &all[n++];
        memset(d, 0, sizeof *d);
        d->image = (unsigned)sqlite3_column_int64(st, 0);
        d->call = sr_call_of_key(sqlite3_column_int64(st, 1));
        d->time_ms = (uint64_t)sqlite3_column_int64(st, 2);
        d->epoch_ms = (uint64_t)sqlite3_column_int64(st, 3);
        text_column(st, 4, d->instance, sizeof d->instance);
        d->input = (uint64_t)sqlite3_column_int64(st, 5);
        text_column(st, 6, state, sizeof state);
        d->state = state_of_name(state);
        d->replays = (unsigned)sqlite3_column_int(st, 7);
        d->replayed = (unsigned)sqlite3_column_int(st, 8);
    }
    sqlite3_finalize(st);
    *out = all;
    return err == SQLITE_DONE ? (long)n : -1;
}

long sr_store_samples(struct sr_store *s, struct sr_sample **out) {
    sqlite3_stmt *st =
        query(s, "SELECT time_ms, sum(execs), max(calls), max(calls_program), max(sites),"
                 " sum(timeouts), sum(leftover), sum(crashes) FROM series"
                 " GROUP BY time_ms ORDER BY time_ms");
    struct sr_sample *all = NULL;
    size_t n = 0, room = 0;
    int err = SQLITE_ERROR;

    while (st && (err = sqlite3_step(st)) == SQLITE_ROW) {
        struct sr_sample *more = grown(all, n, &room, sizeof *all);
        uint64_t v[8];

        if (!more)
            break;
        all = more;
        for (int i = 0; i < 8; i++)
            v[i] = (uint64_t)sqlite3_column_int64(st, i);
        all[n++] = (struct sr_sample){v[0], "", v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
    }
    sqlite3_finalize(st);
    *out = all;
    return err == SQLITE_DONE ? (long)n : -1;
}

struct sr_set sr_store_seed_set(struct sr_store *s, unsigned image) {
    sqlite3_stmt *st = query(s, "SELECT DISTINCT call FROM seed_calls WHERE image = ?");
    struct sr_set set;

    sr_set_clear(&set);
    if (st)
        sqlite3_bind_int64(st, 1, image);
    while (st && sqlite3_step(st) == SQLITE_ROW)
        sr_set_add(&set, sr_call_of_key(sqlite3_column_int64(st, 0)));
    sqlite3_finalize(st);
    return set;
}

void sr_store_seed_of(struct sr_store *s, unsigned image, struct sr_call c, char *buf,
                      size_t size) {
    sqlite3_stmt *st = query(s, "SELECT s.name FROM seed_calls c JOIN seeds s ON s.id = c.seed"
                                " WHERE c.image = ? AND c.call = ? ORDER BY s.name LIMIT 1");

    *buf = 0;
    if (st) {
        sqlite3_bind_int64(st, 1, image);
        sqlite3_bind_int64(st, 2, sr_call_key(c));
        if (sqlite3_step(st) == SQLITE_ROW)
            text_column(st, 0, buf, size);
    }
    sqlite3_finalize(st);
}

static void each(struct sr_store *s, const char *text, sr_store_row *row, void *arg) {
    sqlite3_stmt *st = query(s, text);

    while (st && sqlite3_step(st) == SQLITE_ROW)
        row(arg, (const char *)sqlite3_column_text(st, 0),
            (const char *)sqlite3_column_text(st, 1));
    sqlite3_finalize(st);
}

void sr_store_each_environment(struct sr_store *s, sr_store_row *row, void *arg) {
    each(s, "SELECT key, value FROM environment ORDER BY key", row, arg);
}

void sr_store_each_note(struct sr_store *s, sr_store_row *row, void *arg) {
    each(s, "SELECT time_ms, text FROM notes ORDER BY id", row, arg);
}
