/*
 * The campaign folder: conf and lock, discovery folders, the database, the match of input log and
 * queue, and the report made from a folder that this test writes as the hook would.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fuzz.h"
#include "layout.h"
#include "report.h"
#include "store.h"

#define GETPID ((struct sr_call){SR_ABI_X86_64, 39})
#define READ   ((struct sr_call){SR_ABI_X86_64, 0})
#define WRITE  ((struct sr_call){SR_ABI_X86_64, 1})
#define OPENAT ((struct sr_call){SR_ABI_X86_64, 257})
#define ODD    ((struct sr_call){SR_ABI_X86_64, -1})

static char top[] = "/tmp/sr-test-store-XXXXXX";

static char *in_top(const char *name) {
    static char path[2][256];
    static int turn;

    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", top, name);
    return path[turn];
}

static void put(const char *dir, const char *name, const void *data, size_t len) {
    char path[2 * PATH_MAX];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(sr_file_write(path, data, len), 0);
}

static struct sr_campaign new_campaign(const char *name) {
    static const char *const parts[] = {
        "", "seeds", "afl", "afl/default", "afl/default/queue", "hook", "discoveries", "log"};
    struct sr_campaign c = {.created_ms = 1000000,
                            .instances = 1,
                            .grace_ms = 20,
                            .map_size = 16384,
                            .has_seed = true,
                            .seed = 7};
    char path[PATH_MAX];

    snprintf(c.dir, sizeof c.dir, "%s/%s", top, name);
    strcpy(c.program, "/usr/bin/diff");
    strcpy(c.execute, "/usr/bin/diff");
    strcpy(c.target, "diff");
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_int_equal(mkdir(sr_campaign_path(&c, parts[i], path), 0755), 0);
    assert_int_equal(sr_campaign_save(&c), 0);
    return c;
}

static struct sr_store *new_store(const struct sr_campaign *c) {
    char path[PATH_MAX], why[256];
    struct sr_store *s =
        sr_store_open(sr_campaign_path(c, SR_DIR_DB, path), SR_STORE_WRITE, why, sizeof why);

    assert_non_null(s);
    return s;
}

static void test_times(void **state) {
    uint64_t ms;
    char buf[32];

    (void)state;
    assert_true(sr_time_parse("90s", &ms) && ms == 90000);
    assert_true(sr_time_parse("10m", &ms) && ms == 600000);
    assert_true(sr_time_parse("8h", &ms) && ms == 28800000);
    assert_true(sr_time_parse("1d", &ms) && ms == 86400000);
    assert_true(sr_time_parse("5", &ms) && ms == 5000);
    assert_false(sr_time_parse("0", &ms));
    assert_false(sr_time_parse("", &ms));
    assert_false(sr_time_parse("10x", &ms));
    assert_false(sr_time_parse("10ms", &ms));
    assert_false(sr_time_parse("-5", &ms));
    assert_false(sr_time_parse("99999999999", &ms));
    assert_string_equal(sr_time_print(3723999, buf), "01:02:03");
    assert_string_equal(sr_time_print(90061000, buf), "1d 01:01:01");
}

static void test_conf(void **state) {
    struct sr_campaign c = new_campaign("conf"), again;
    char cut[] = "version 1\nprogram relative\n";

    (void)state;
    assert_int_equal(sr_campaign_open(c.dir, &again), 0);
    assert_string_equal(again.program, c.program);
    assert_string_equal(again.target, "diff");
    assert_true(again.has_seed && again.seed == 7 && again.grace_ms == 20);
    assert_int_equal(again.created_ms, 1000000);
    put(c.dir, SR_DIR_CONF, cut, sizeof cut - 1);
    assert_int_equal(sr_campaign_open(c.dir, &again), -1);
    assert_int_equal(sr_campaign_open("/nonexistent", &again), -1);
}

/* The lock belongs to a process that is alive. */
static void test_lock(void **state) {
    struct sr_campaign c = new_campaign("lock");
    int ready[2], status;
    char byte;

    (void)state;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        byte = sr_campaign_lock(&c) >= 0 ? 'y' : 'n';
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_true(sr_campaign_running(&c));
    assert_int_equal(sr_campaign_lock(&c), -EWOULDBLOCK);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_false(sr_campaign_running(&c));
    int fd = sr_campaign_lock(&c);
    assert_true(fd >= 0);
    close(fd);
    close(ready[0]);
    close(ready[1]);
}

static void test_discovery_names(void **state) {
    static const char *const bad[] = {"",       "0-0",     "0-0-39x",   "00-0-39", "0-3-39",
                                      "-1-0-1", "0-0-+39", ".new-main", "0-0-39/", " 0-0-39"};
    char name[NAME_MAX + 1];
    struct sr_call call;
    unsigned image;

    (void)state;
    sr_discovery_name(3, (struct sr_call){SR_ABI_I386, -1}, name);
    assert_string_equal(name, "3-2--1");
    assert_true(sr_discovery_parse_name(name, &image, &call));
    assert_int_equal(image, 3);
    assert_true(sr_call_equal(call, (struct sr_call){SR_ABI_I386, -1}));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(sr_discovery_parse_name(bad[i], &image, &call));
}

static void test_states(void **state) {
    (void)state;
    assert_int_equal(sr_state_of(false, 0, 0), SR_STATE_PENDING);
    assert_int_equal(sr_state_of(false, 10, 9), SR_STATE_STEADY);
    assert_int_equal(sr_state_of(false, 10, 8), SR_STATE_UNSTEADY);
    assert_int_equal(sr_state_of(true, 10, 0), SR_STATE_REFUTED);
    assert_int_equal(sr_state_of(true, 10, 1), SR_STATE_UNSTEADY);
    assert_int_equal(sr_state_of(false, 5, 5), SR_STATE_STEADY);
}

static struct sr_input_record *new_record(uint64_t hash, const struct sr_call *calls, size_t n) {
    struct sr_input_record *r = calloc(1, sr_input_record_bytes(1));

    assert_non_null(r);
    r->magic = SR_INPUT_MAGIC;
    r->bytes = (uint32_t)sr_input_record_bytes(1);
    r->hash = hash;
    r->input = 5;
    r->time_ms = 1002000;
    r->calls = 12;
    r->n_images = 1;
    for (size_t i = 0; i < n; i++)
        sr_set_add(&r->images[0].calls, calls[i]);
    return r;
}

static void test_store(void **state) {
    struct sr_campaign c = new_campaign("store");
    struct sr_store *s = new_store(&c);
    struct sr_discovery d = {.call = GETPID,
                             .input = 48213,
                             .epoch_ms = 1072000,
                             .time_ms = 72000,
                             .instance = "main"},
                        *all;
    struct sr_sample sample = {.time_ms = 1000, .instance = "main", .execs = 10, .calls = 5},
                     *samples;
    struct sr_call calls[] = {READ, WRITE, ODD};
    struct sr_input_record *r = new_record(1, calls, 3);
    char path[PATH_MAX], why[256], name[64];

    (void)state;
    sr_store_begin(s);
    sr_store_image(s, 0, "/usr/bin/diff");
    sr_store_run_begin(s, 1000000, 0);
    sr_store_sample(s, &sample);
    strcpy(sample.instance, "s1");
    sample.execs = 32;
    sr_store_sample(s, &sample);
    sr_store_discovery(s, &d);
    d.input = 9; /* a call is discovered once */
    sr_store_discovery(s, &d);
    d.replays = 10;
    d.replayed = 9;
    d.state = SR_STATE_STEADY;
    sr_store_replayed(s, &d);
    sr_store_seed(s, "a.scn", r);
    sr_store_input(s, "main", "id:000000", r);
    sr_store_input(s, "main", "id:000000", r);
    sr_store_commit(s);
    assert_int_equal(sr_store_errors(s), 0);
    sr_store_close(s);

    s = sr_store_open(sr_campaign_path(&c, SR_DIR_DB, path), SR_STORE_READ, why, sizeof why);
    assert_non_null(s);
    assert_int_equal(sr_store_discoveries(s, &all), 1);
    assert_true(sr_call_equal(all[0].call, GETPID));
    assert_int_equal(all[0].input, 48213);
    assert_int_equal(all[0].state, SR_STATE_STEADY);
    assert_int_equal(all[0].replayed, 9);
    free(all);
    assert_int_equal(sr_store_samples(s, &samples), 1);
    assert_int_equal(samples[0].execs, 42);
    assert_int_equal(samples[0].calls, 5);
    free(samples);
    assert_int_equal(sr_store_count(s, "inputs"), 1);
    assert_int_equal(sr_store_count(s, "input_calls"), 3);
    assert_int_equal(sr_store_count(s, "input_call_names WHERE call = '#-1'"), 1);
    struct sr_set seeds = sr_store_seed_set(s, 0);
    assert_true(sr_set_equal(&seeds, &r->images[0].calls));
    sr_store_seed_of(s, 0, ODD, name, sizeof name);
    assert_string_equal(name, "a.scn");
    assert_int_equal(sr_store_elapsed(s), 1000);
    assert_int_equal(sr_store_campaign_time(s, 1072000), 72000);
    assert_int_equal(sr_store_campaign_time(s, 5), 0);
    sr_store_last_end(s, name, sizeof name);
    assert_string_equal(name, "");
    sr_store_close(s);
    free(r);
}

/* What a second run finds at its time is told in the campaign's time, not from the first begin. */
static void test_store_runs(void **state) {
    struct sr_campaign c = new_campaign("runs");
    struct sr_store *s = new_store(&c);

    (void)state;
    int64_t run = sr_store_run_begin(s, 1000000, 0);
    sr_store_run_end(s, run, 1060000, "time is up");
    sr_store_run_begin(s, 9000000, 60000);
    assert_int_equal(sr_store_campaign_time(s, 1030000), 30000);
    assert_int_equal(sr_store_campaign_time(s, 9005000), 65000);
    sr_store_close(s);
}

static void test_store_bad_files(void **state) {
    struct sr_campaign c = new_campaign("bad");
    struct sr_store *s = new_store(&c);
    char path[PATH_MAX], why[256] = "";
    struct stat st;

    (void)state;
    sr_campaign_path(&c, SR_DIR_DB, path);
    sr_store_begin(s);
    for (uint64_t i = 0; i < 5000; i++)
        sr_store_sample(s, &(struct sr_sample){.time_ms = i, .instance = "main"});
    sr_store_commit(s);
    sr_store_close(s);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size / 2 / 4096 * 4096), 0);
    assert_null(sr_store_open(path, SR_STORE_READ, why, sizeof why));
    assert_string_not_equal(why, "");
    assert_null(sr_store_open(path, SR_STORE_WRITE, why, sizeof why));
    put(c.dir, SR_DIR_DB,
        "this is no database, but longer than a header of one: .............."
        ".....................................................",
        120);
    assert_null(sr_store_open(path, SR_STORE_READ, why, sizeof why));
    assert_null(sr_store_open(in_top("missing.db"), SR_STORE_READ, why, sizeof why));
}

/* A folder that nobody can write to any more still reads (a result on read-only media). */
static void test_store_read_only(void **state) {
    struct sr_campaign c = new_campaign("ro");
    struct sr_store *s = new_store(&c);
    char path[PATH_MAX], why[256];

    (void)state;
    sr_store_note(s, 5, "a note");
    sr_store_close(s);
    sr_campaign_path(&c, SR_DIR_DB, path);
    chmod(path, 0444);
    chmod(c.dir, 0555);
    s = sr_store_open(path, SR_STORE_READ, why, sizeof why);
    assert_non_null(s);
    assert_int_equal(sr_store_count(s, "notes"), 1);
    sr_store_close(s);
    chmod(c.dir, 0755);
}

/* A writer that is killed leaves what it has committed. */
static void test_store_killed(void **state) {
    struct sr_campaign c = new_campaign("killed");
    char path[PATH_MAX], why[256];
    int status, go[2];
    uint64_t done = 0, seen;

    (void)state;
    assert_int_equal(pipe(go), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct sr_store *s =
            sr_store_open(sr_campaign_path(&c, SR_DIR_DB, path), SR_STORE_WRITE, why, sizeof why);
        for (uint64_t i = 1; s; i++) {
            sr_store_begin(s);
            sr_store_sample(s, &(struct sr_sample){.time_ms = i, .instance = "main"});
            sr_store_commit(s);
            if (write(go[1], &i, sizeof i) != sizeof i)
                break;
        }
        _exit(1);
    }
    close(go[1]);
    while (done < 50 && read(go[0], &seen, sizeof seen) == sizeof seen)
        done = seen;
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(go[0], &seen, sizeof seen) == sizeof seen)
        done = seen;
    close(go[0]);
    struct sr_store *s = new_store(&c);
    assert_true(sr_store_elapsed(s) >= done && done >= 50);
    sr_store_close(s);
}

/* The log has a cut record in the middle and one at its end; both are got over. */
static void test_inputs(void **state) {
    struct sr_fuzz *f = calloc(1, sizeof *f);
    struct sr_call one[] = {READ}, two[] = {READ, WRITE};
    struct sr_input_record *a = new_record(sr_hash64("alpha", 5), one, 1);
    struct sr_input_record *b = new_record(sr_hash64("beta", 4), two, 2);
    char log[8192];
    size_t n = 0;

    (void)state;
    f->c = new_campaign("inputs");
    f->store = new_store(&f->c);
    strcpy(f->instances[0].name, "main");
    f->instances[0].inputs_fd = -1;
    memcpy(log + n, a, a->bytes - 100); /* its writer was killed */
    n += a->bytes - 100;
    memcpy(log + n, b, b->bytes);
    n += b->bytes;
    memcpy(log + n, a, a->bytes);
    n += a->bytes;
    put(f->c.dir, "hook/main.inputs", log, n - 8);
    put(f->c.dir, "afl/default/queue/id:000000,orig:a", "alpha", 5);
    put(f->c.dir, "afl/default/queue/id:000001,src:000000", "beta", 4);
    sr_fuzz_take_inputs(f, &f->instances[0]);
    assert_int_equal(sr_store_count(f->store, "inputs"), 1);
    assert_int_equal(sr_store_count(f->store, "input_calls"), 2);

    /* The rest of the last record arrives: appended in place, as a log grows. */
    char path[PATH_MAX];
    int fd = open(sr_campaign_path(&f->c, "hook/main.inputs", path), O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, log + n - 8, 8), 8);
    close(fd);
    sr_fuzz_take_inputs(f, &f->instances[0]);
    assert_int_equal(sr_store_count(f->store, "inputs"), 2);
    assert_int_equal(sr_store_count(f->store, "input_calls"), 3);
    assert_int_equal(sr_store_errors(f->store), 0);
    sr_fuzz_close_inputs(&f->instances[0]);
    sr_store_close(f->store);
    free(a);
    free(b);
    free(f);
}

static void make_discovery(const struct sr_campaign *c, unsigned image, struct sr_call call,
                           uint64_t epoch_ms, unsigned input) {
    char name[NAME_MAX + 1], dir[PATH_MAX], text[512];

    sr_discovery_name(image, call, name);
    snprintf(dir, sizeof dir, "%.3000s/discoveries/%.200s", c->dir, name);
    assert_int_equal(mkdir(dir, 0755), 0);
    int n = snprintf(text, sizeof text,
                     "image /usr/bin/diff\nabi %u\nnr %d\nargs 0x1 0x2 0x3 0x4 0x5 0x6\nip 0x7f00\n"
                     "instance main\ninput %u\ntime_ms %llu\nfirst 1\nreg rip 0x1\nreg rsp 0x2\n",
                     call.abi, call.nr, input, (unsigned long long)epoch_ms);
    assert_true(n > 0 && n < (int)sizeof text);
    put(dir, "evidence", text, (size_t)n);
    put(dir, "scenario", "reset\narg -u\n", 13);
}

/* start-up {read}, seed {read, openat}, found by fuzzing {getpid, #-1}; getpid did not replay. */
static struct sr_campaign new_full_campaign(const char *name) {
    struct sr_campaign c = new_campaign(name);
    struct sr_store *s = new_store(&c);
    struct sr_call seed[] = {READ, OPENAT};
    struct sr_input_record *r = new_record(1, seed, 2);
    struct sr_discovery d = {.call = GETPID,
                             .epoch_ms = 1030000,
                             .time_ms = 30000,
                             .input = 40,
                             .instance = "main",
                             .replays = 10,
                             .replayed = 3,
                             .state = SR_STATE_UNSTEADY};
    char path[PATH_MAX];
    struct sr_union *u;

    strcpy(c.reference, "a reference");
    assert_int_equal(sr_campaign_save(&c), 0);
    put(c.dir, SR_DIR_REFERENCE, "read\n#999\nwrite\n", 16);
    assert_int_equal(sr_union_open(sr_campaign_path(&c, SR_DIR_UNION, path), true, &u), 0);
    assert_int_equal(sr_union_image(u, "/usr/bin/diff"), 0);
    sr_set_add(&u->images[0].startup, READ);
    sr_set_add(&u->images[0].calls, OPENAT);
    sr_set_add(&u->images[0].calls, GETPID);
    sr_set_add(&u->images[0].calls, ODD);
    u->instances[0].finished = 1000;
    u->instances[0].crashes = 2;
    u->sites_lost = 4;
    sr_union_close(u);
    make_discovery(&c, 0, GETPID, 1030000, 40);
    make_discovery(&c, 0, ODD, 1050000, 50);
    sr_store_begin(s);
    sr_store_image(s, 0, "/usr/bin/diff");
    int64_t run = sr_store_run_begin(s, 1000000, 0);
    sr_store_seed(s, "one.scn", r);
    sr_store_discovery(s, &d);
    d = (struct sr_discovery){
        .call = ODD, .epoch_ms = 1050000, .time_ms = 50000, .input = 50, .instance = "main"};
    sr_store_discovery(s, &d);
    for (uint64_t i = 1; i <= 60; i++)
        sr_store_sample(s, &(struct sr_sample){.time_ms = i * 1000,
                                               .instance = "main",
                                               .execs = i * 17,
                                               .calls = 2u + (i >= 30) + (i >= 50)});
    sr_store_run_end(s, run, 1060000, "time is up");
    sr_store_commit(s);
    sr_store_close(s);
    free(r);
    return c;
}

static json_t *json_report(const char *dir) {
    struct sr_report *r = calloc(1, sizeof *r);
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    json_t *j;

    assert_int_equal(sr_report_read(dir, r), 0);
    assert_int_equal(sr_report_json(r, f), 0);
    fclose(f);
    j = json_loads(text, 0, NULL);
    assert_non_null(j);
    sr_report_free(r);
    free(r);
    free(text);
    return j;
}

static json_t *call_named(json_t *report, const char *name) {
    json_t *one;
    size_t i;

    json_array_foreach(json_object_get(report, "discoveries"), i, one) {
        if (strcmp(json_string_value(json_object_get(one, "call")), name) == 0)
            return one;
    }
    fail_msg("%s is not among the discoveries", name);
    return NULL;
}

static const char *text_of(json_t *j, const char *key) {
    return json_string_value(json_object_get(j, key));
}

static void test_report_json(void **state) {
    struct sr_campaign c = new_full_campaign("report");
    json_t *j = json_report(c.dir), *one, *reference, *image;

    (void)state;
    assert_int_equal(json_array_size(json_object_get(j, "discoveries")), 4);
    one = call_named(j, "read");
    assert_string_equal(text_of(one, "origin"), "startup");
    assert_true(json_is_null(json_object_get(one, "seconds")));
    one = call_named(j, "openat");
    assert_string_equal(text_of(one, "origin"), "seed");
    assert_string_equal(text_of(one, "witness"), "seeds/one.scn");
    one = call_named(j, "getpid");
    assert_string_equal(text_of(one, "origin"), "fuzz");
    assert_string_equal(text_of(one, "state"), "unsteady");
    assert_string_equal(text_of(one, "witness"), "discoveries/0-0-39/scenario");
    assert_int_equal(json_integer_value(json_object_get(one, "replayed")), 3);
    assert_int_equal(json_integer_value(json_object_get(one, "input")), 40);
    one = call_named(j, "#-1");
    assert_string_equal(text_of(one, "state"), "pending");
    image = json_array_get(json_object_get(j, "images"), 0);
    assert_int_equal(json_array_size(json_object_get(image, "observed")), 4);
    assert_int_equal(json_array_size(json_object_get(image, "added")), 2);
    reference = json_object_get(j, "reference");
    assert_int_equal(json_array_size(json_object_get(reference, "both")), 1);
    assert_int_equal(json_array_size(json_object_get(reference, "only_reference")), 2);
    assert_int_equal(json_array_size(json_object_get(reference, "unknown")), 1);
    assert_int_equal(json_array_size(json_object_get(reference, "only_observed")), 3);
    assert_string_equal(text_of(j, "state"), "ended");
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(j, "counters"), "sites_lost")), 4);
    assert_true(json_array_size(json_object_get(j, "curve")) >= 4);
    json_decref(j);
}

/* Without a database the union and the folders still tell what was observed, and it is said. */
static void test_report_without_database(void **state) {
    struct sr_campaign c = new_full_campaign("nodb");
    char path[PATH_MAX];
    json_t *j;

    (void)state;
    unlink(sr_campaign_path(&c, SR_DIR_DB, path));
    j = json_report(c.dir);
    assert_true(json_is_string(json_object_get(j, "database")));
    assert_int_equal(json_array_size(json_object_get(j, "discoveries")), 4);
    assert_string_equal(text_of(call_named(j, "getpid"), "witness"), "discoveries/0-0-39/scenario");
    assert_int_equal((int)json_real_value(json_object_get(call_named(j, "getpid"), "seconds")), 30);
    assert_string_equal(text_of(j, "state"), "stopped");
    json_decref(j);
}

static void test_report_text(void **state) {
    struct sr_campaign c = new_full_campaign("text");
    struct sr_report *r = calloc(1, sizeof *r);
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    (void)state;
    assert_int_equal(sr_report_read(c.dir, r), 0);
    sr_report_text(r, f);
    fclose(f);
    assert_non_null(strstr(text, "/usr/bin/diff: 4 calls observed"));
    assert_non_null(strstr(text, "getpid"));
    assert_non_null(strstr(text, "3 of 10"));
    assert_non_null(strstr(text, "reference \"a reference\": 3 calls"));
    assert_non_null(strstr(text, "lost for want of room: 4 call sites"));
    assert_non_null(strstr(text, "over time (logarithmic)"));
    assert_null(strstr(text, "not needed"));
    sr_report_free(r);
    free(r);
    free(text);
}

static int set_up(void **state) {
    (void)state;
    return mkdtemp(top) ? 0 : -1;
}

static int tear_down(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_conf),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_discovery_names),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_store),
        cmocka_unit_test(test_store_runs),
        cmocka_unit_test(test_store_bad_files),
        cmocka_unit_test(test_store_read_only),
        cmocka_unit_test(test_store_killed),
        cmocka_unit_test(test_inputs),
        cmocka_unit_test(test_report_json),
        cmocka_unit_test(test_report_without_database),
        cmocka_unit_test(test_report_text),
    };

    return cmocka_run_group_tests_name("store", tests, set_up, tear_down);
}
