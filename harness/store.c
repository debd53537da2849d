/*
 * Opening campaign.db, its schema, and everything that writes to it.
 */
#include "store.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "store_private.h"

#define VERSION 1

static const char schema[] =
    "BEGIN;"
    "CREATE TABLE environment(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE images(id INTEGER PRIMARY KEY, path TEXT NOT NULL);"
    "CREATE TABLE calls(id INTEGER PRIMARY KEY, name TEXT NOT NULL, abi INTEGER NOT NULL,"
    " nr INTEGER NOT NULL);"
    "CREATE TABLE runs(id INTEGER PRIMARY KEY, begin_ms INTEGER NOT NULL,"
    " offset_ms INTEGER NOT NULL, end_ms INTEGER, reason TEXT);"
    "CREATE TABLE series(time_ms INTEGER NOT NULL, instance TEXT NOT NULL, execs INTEGER NOT NULL,"
    " calls INTEGER NOT NULL, calls_program INTEGER NOT NULL, sites INTEGER NOT NULL,"
    " timeouts INTEGER NOT NULL, leftover INTEGER NOT NULL, crashes INTEGER NOT NULL,"
    " PRIMARY KEY(time_ms, instance)) WITHOUT ROWID;"
    "CREATE TABLE seeds(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, status INTEGER NOT NULL,"
    " flags INTEGER NOT NULL, calls INTEGER NOT NULL);"
    "CREATE TABLE seed_calls(seed INTEGER NOT NULL, image INTEGER NOT NULL, call INTEGER NOT NULL,"
    " PRIMARY KEY(seed, image, call)) WITHOUT ROWID;"
    "CREATE TABLE inputs(id INTEGER PRIMARY KEY, instance TEXT NOT NULL, file TEXT NOT NULL,"
    " hash TEXT NOT NULL, input INTEGER NOT NULL, epoch_ms INTEGER NOT NULL,"
    " status INTEGER NOT NULL, flags INTEGER NOT NULL, calls INTEGER NOT NULL,"
    " UNIQUE(instance, hash));"
    "CREATE TABLE input_calls(input INTEGER NOT NULL, image INTEGER NOT NULL,"
    " call INTEGER NOT NULL, PRIMARY KEY(input, image, call)) WITHOUT ROWID;"
    "CREATE TABLE discoveries(image INTEGER NOT NULL, call INTEGER NOT NULL, name TEXT NOT NULL,"
    " time_ms INTEGER NOT NULL, epoch_ms INTEGER NOT NULL, instance TEXT NOT NULL,"
    " input INTEGER NOT NULL, state TEXT NOT NULL, replays INTEGER NOT NULL,"
    " replayed INTEGER NOT NULL, PRIMARY KEY(image, call)) WITHOUT ROWID;"
    "CREATE TABLE notes(id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE VIEW input_call_names AS SELECT c.input AS input, i.path AS image, n.name AS call"
    " FROM input_calls c JOIN images i ON i.id = c.image JOIN calls n ON n.id = c.call;"
    "CREATE VIEW seed_call_names AS SELECT s.name AS seed, i.path AS image, n.name AS call"
    " FROM seed_calls c JOIN seeds s ON s.id = c.seed JOIN images i ON i.id = c.image"
    " JOIN calls n ON n.id = c.call;"
    "PRAGMA user_version = 1;"
    "COMMIT;";

static const char *const sql[SR_STATEMENTS] = {
    [SR_ST_ENVIRONMENT] = "INSERT OR REPLACE INTO environment VALUES(?, ?)",
    [SR_ST_IMAGE] = "INSERT OR IGNORE INTO images VALUES(?, ?)",
    [SR_ST_RUN_BEGIN] = "INSERT INTO runs(begin_ms, offset_ms) VALUES(?, ?)",
    [SR_ST_RUN_END] = "UPDATE runs SET end_ms = ?, reason = ? WHERE id = ?",
    [SR_ST_SAMPLE] = "INSERT OR REPLACE INTO series VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SR_ST_SEED] = "INSERT INTO seeds(name, status, flags, calls) VALUES(?1, ?2, ?3, ?4)"
                   " ON CONFLICT(name) DO UPDATE SET status = ?2, flags = ?3, calls = ?4"
                   " RETURNING id",
    [SR_ST_SEED_CALL] = "INSERT OR IGNORE INTO seed_calls VALUES(?, ?, ?)",
    [SR_ST_INPUT] = "INSERT INTO inputs(instance, file, hash, input, epoch_ms, status, flags,"
                    " calls) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
                    " ON CONFLICT(instance, hash) DO UPDATE SET file = ?2, input = ?4,"
                    " epoch_ms = ?5, status = ?6, flags = ?7, calls = ?8 RETURNING id",
    [SR_ST_INPUT_FORGET] = "DELETE FROM input_calls WHERE input = ?",
    [SR_ST_INPUT_CALL] = "INSERT OR IGNORE INTO input_calls VALUES(?, ?, ?)",
    [SR_ST_CALL] = "INSERT OR IGNORE INTO calls VALUES(?, ?, ?, ?)",
    [SR_ST_DISCOVERY] = "INSERT OR IGNORE INTO discoveries VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [SR_ST_REPLAYED] = "UPDATE discoveries SET state = ?, replays = ?, replayed = ?"
                       " WHERE image = ? AND call = ?",
    [SR_ST_NOTE] = "INSERT INTO notes(time_ms, text) VALUES(?, ?)",
};

static void failed(struct sr_store *s) {
    s->errors++;
    snprintf(s->error, sizeof s->error, "%s", sqlite3_errmsg(s->db));
}

static void execute(struct sr_store *s, const char *text) {
    if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
        failed(s);
}

/* The user_version, -1: it cannot be read. */
static int version_of(sqlite3 *db) {
    sqlite3_stmt *st = NULL;
    int version = -1;

    if (sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_ROW)
        version = sqlite3_column_int(st, 0);
    sqlite3_finalize(st);
    return version;
}

static bool is_empty(sqlite3 *db) {
    sqlite3_stmt *st = NULL;
    bool empty =
        sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema LIMIT 1", -1, &st, NULL) == SQLITE_OK &&
        sqlite3_step(st) == SQLITE_DONE;

    sqlite3_finalize(st);
    return empty;
}

/* quick_check reads every page: a damaged file is found now, not at some later row. */
static bool is_sound(sqlite3 *db) {
    sqlite3_stmt *st = NULL;
    bool sound = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) == SQLITE_OK &&
                 sqlite3_step(st) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;

    sqlite3_finalize(st);
    return sound;
}

static bool prepare(struct sr_store *s) {
    if (!s->writes)
        return true;
    for (int i = 0; i < SR_STATEMENTS; i++)
        if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->statement[i],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

/* Read-only first; a WAL that no writer left behind needs a folder that can be written, and where
 * there is none the file alone is read, which is complete after a clean end. */
static int open_to_read(const char *path, sqlite3 **db) {
    char uri[3 * 4096];
    size_t n = 0;
    int err = sqlite3_open_v2(path, db, SQLITE_OPEN_READONLY, NULL);

    if (err == SQLITE_OK && is_empty(*db) == false && version_of(*db) >= 0)
        return err;
    sqlite3_close(*db);
    n = (size_t)snprintf(uri, sizeof uri, "file:");
    for (const char *p = path; *p && n + 32 < sizeof uri; p++)
        n += (size_t)snprintf(uri + n, sizeof uri - n, strchr("%?#", *p) ? "%%%02X" : "%c",
                              (unsigned char)*p);
    snprintf(uri + n, sizeof uri - n, "?immutable=1");
    return sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
}

struct sr_store *sr_store_open(const char *path, enum sr_store_mode mode, char *why, size_t size) {
    struct sr_store *s = calloc(1, sizeof *s);
    int err;

    if (!s) {
        snprintf(why, size, "out of memory");
        return NULL;
    }
    s->writes = mode == SR_STORE_WRITE;
    err = s->writes
              ? sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL)
              : open_to_read(path, &s->db);
    if (err != SQLITE_OK)
        goto bad;
    sqlite3_busy_timeout(s->db, 5000);
    if (s->writes) {
        if (is_empty(s->db))
            execute(s, schema);
        execute(s, "PRAGMA journal_mode = WAL");
        execute(s, "PRAGMA synchronous = NORMAL");
        if (s->errors)
            goto bad;
    }
    if (version_of(s->db) != VERSION) {
        snprintf(why, size, "%s",
                 version_of(s->db) < 0 ? sqlite3_errmsg(s->db) : "made by another version");
        goto close;
    }
    if (!is_sound(s->db)) {
        snprintf(why, size, "it is damaged");
        goto close;
    }
    if (prepare(s))
        return s;
bad:
    snprintf(why, size, "%s", s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(err));
close:
    s->writes = false;
    sr_store_close(s);
    return NULL;
}

void sr_store_close(struct sr_store *s) {
    if (!s)
        return;
    for (int i = 0; i < SR_STATEMENTS; i++)
        sqlite3_finalize(s->statement[i]);
    if (s->writes)
        execute(s, "PRAGMA journal_mode = DELETE");
    sqlite3_close(s->db);
    free(s);
}

uint64_t sr_store_errors(const struct sr_store *s) {
    return s->errors;
}

const char *sr_store_error(const struct sr_store *s) {
    return s->error;
}

void sr_store_begin(struct sr_store *s) {
    execute(s, "BEGIN IMMEDIATE");
}

void sr_store_commit(struct sr_store *s) {
    uint64_t before = s->errors;

    if (sqlite3_get_autocommit(s->db))
        return; /* begin failed, or an error has rolled it back: counted there */
    execute(s, "COMMIT");
    if (s->errors != before && !sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Binds by letter: i int64_t, t text. Runs it; returns column 0 of a row, 0 without one. */
static int64_t run(struct sr_store *s, enum sr_statement which, const char *types, ...) {
    sqlite3_stmt *st = s->statement[which];
    int64_t result = 0;
    va_list args;
    int at = 1, err;

    va_start(args, types);
    for (const char *t = types; *t; t++, at++) {
        if (*t == 'i')
            sqlite3_bind_int64(st, at, va_arg(args, int64_t));
        else
            sqlite3_bind_text(st, at, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
    }
    va_end(args);
    err = sqlite3_step(st);
    if (err == SQLITE_ROW) {
        result = sqlite3_column_int64(st, 0);
        err = sqlite3_step(st);
    }
    if (err != SQLITE_DONE)
        failed(s);
    sqlite3_reset(st);
    return result;
}

/* Once a call; the names are for people who look into the tables. */
static void name_call(struct sr_store *s, struct sr_call c) {
    char name[SR_CALL_NAME_BYTES];

    if (sr_set_add(&s->named, c))
        run(s, SR_ST_CALL, "itii", sr_call_key(c), sr_call_name(c, name), (int64_t)c.abi,
            (int64_t)c.nr);
}

void sr_store_environment(struct sr_store *s, const char *key, const char *value) {
    run(s, SR_ST_ENVIRONMENT, "tt", key, value);
}

void sr_store_image(struct sr_store *s, unsigned slot, const char *path) {
    run(s, SR_ST_IMAGE, "it", (int64_t)slot, path);
}

int64_t sr_store_run_begin(struct sr_store *s, uint64_t epoch_ms, uint64_t offset_ms) {
    run(s, SR_ST_RUN_BEGIN, "ii", (int64_t)epoch_ms, (int64_t)offset_ms);
    return sqlite3_last_insert_rowid(s->db);
}

void sr_store_run_end(struct sr_store *s, int64_t id, uint64_t epoch_ms, const char *reason) {
    run(s, SR_ST_RUN_END, "iti", (int64_t)epoch_ms, reason, id);
}

void sr_store_sample(struct sr_store *s, const struct sr_sample *p) {
    run(s, SR_ST_SAMPLE, "itiiiiiii", (int64_t)p->time_ms, p->instance, (int64_t)p->execs,
        (int64_t)p->calls, (int64_t)p->calls_program, (int64_t)p->sites, (int64_t)p->timeouts,
        (int64_t)p->leftover, (int64_t)p->crashes);
}

static void store_calls(struct sr_store *s, enum sr_statement which, int64_t id,
                        const struct sr_input_record *r) {
    struct sr_call c;

    for (uint32_t i = 0; i < r->n_images; i++)
        for (unsigned at = 0; sr_set_next(&r->images[i].calls, &at, &c);) {
            name_call(s, c);
            run(s, which, "iii", id, (int64_t)r->images[i].image, sr_call_key(c));
        }
}

void sr_store_seed(struct sr_store *s, const char *name, const struct sr_input_record *r) {
    int64_t id =
        run(s, SR_ST_SEED, "tiii", name, (int64_t)r->status, (int64_t)r->flags, (int64_t)r->calls);

    store_calls(s, SR_ST_SEED_CALL, id, r);
}

void sr_store_input(struct sr_store *s, const char *instance, const char *file,
                    const struct sr_input_record *r) {
    char hash[17];
    int64_t id;

    snprintf(hash, sizeof hash, "%016" PRIx64, r->hash);
    id = run(s, SR_ST_INPUT, "tttiiiii", instance, file, hash, (int64_t)r->input,
             (int64_t)r->time_ms, (int64_t)r->status, (int64_t)r->flags, (int64_t)r->calls);
    run(s, SR_ST_INPUT_FORGET, "i", id);
    store_calls(s, SR_ST_INPUT_CALL, id, r);
}

void sr_store_discovery(struct sr_store *s, const struct sr_discovery *d) {
    char name[SR_CALL_NAME_BYTES];

    name_call(s, d->call);
    run(s, SR_ST_DISCOVERY, "iitiititii", (int64_t)d->image, sr_call_key(d->call),
        sr_call_name(d->call, name), (int64_t)d->time_ms, (int64_t)d->epoch_ms, d->instance,
        (int64_t)d->input, sr_state_name(d->state), (int64_t)d->replays, (int64_t)d->replayed);
}

void sr_store_replayed(struct sr_store *s, const struct sr_discovery *d) {
    run(s, SR_ST_REPLAYED, "tiiii", sr_state_name(d->state), (int64_t)d->replays,
        (int64_t)d->replayed, (int64_t)d->image, sr_call_key(d->call));
}

void sr_store_note(struct sr_store *s, uint64_t time_ms, const char *text) {
    run(s, SR_ST_NOTE, "it", (int64_t)time_ms, text);
}
