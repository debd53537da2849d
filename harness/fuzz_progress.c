/*
 * What a campaign tells while it runs: a row of the series each second, a line that is rewritten on
 * a terminal (otherwise one a minute), problems, and the summary.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "commands.h"
#include "fuzz.h"
#include "layout.h"
#include "names.h"

#define LINE_FIRST_MS   10000
#define LINE_MS         60000
#define DISK_LOW_BYTES  (64ull << 20)
#define HOOK_ERRORS_MAX (16u << 20)

uint64_t sr_fuzz_clock(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t sr_fuzz_elapsed(const struct sr_fuzz *f) {
    uint64_t until = f->end_ms ? f->end_ms : sr_fuzz_clock();

    return f->offset_ms + (f->begin_ms ? until - f->begin_ms : 0);
}

uint64_t sr_fuzz_finished(const struct sr_fuzz *f) {
    uint64_t sum = 0;

    for (unsigned i = 0; i < f->c.instances; i++)
        sum += __atomic_load_n(&f->hooked->instances[i].finished, __ATOMIC_RELAXED);
    return sum;
}

void sr_fuzz_clear_line(const struct sr_fuzz *f) {
    if (f->live) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}

void sr_fuzz_problem(struct sr_fuzz *f, const char *format, ...) {
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    f->problems++;
    sr_fuzz_clear_line(f);
    sr_error("%s", text);
    if (f->store)
        sr_store_note(f->store, sr_fuzz_elapsed(f), text);
}

static void watch_disk(struct sr_fuzz *f) {
    struct statvfs fs;

    if (f->disk_checked_ms && sr_fuzz_clock() - f->disk_checked_ms < LINE_MS)
        return;
    f->disk_checked_ms = sr_fuzz_clock();
    if (statvfs(f->c.dir, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < DISK_LOW_BYTES)
        sr_fuzz_problem(f,
                        "%s: less than 64 MiB are free on its disk; make room, or inputs and "
                        "evidence will be lost (the set itself has its room already)",
                        f->c.dir);
}

/* A database that cannot be written to is said once a minute at most. */
static void watch_store(struct sr_fuzz *f) {
    uint64_t errors = f->store ? sr_store_errors(f->store) : 0;
    uint64_t now = sr_fuzz_clock();

    if (errors == f->store_errors || (f->store_said_ms && now - f->store_said_ms < LINE_MS))
        return;
    f->store_said_ms = now;
    sr_fuzz_problem(f,
                    "%s/%s: %" PRIu64 " writes failed: %s; make room on the disk; discoveries "
                    "and the set do not depend on it, the curve does",
                    f->c.dir, SR_DIR_DB, errors - f->store_errors, sr_store_error(f->store));
    f->store_errors = sr_store_errors(f->store);
}

/* What the hook could not do; it has no terminal to say it on. */
static void watch_hook(struct sr_fuzz *f, struct sr_instance *in) {
    char part[64], path[PATH_MAX], *text, *last;
    struct stat st;

    snprintf(part, sizeof part, "%s/%s.conf.error", SR_DIR_HOOK, in->name);
    if (!sr_campaign_path(&f->c, part, path) || stat(path, &st) || st.st_size <= in->errors_seen ||
        (in->errors_seen && sr_fuzz_clock() - in->errors_said_ms < LINE_MS))
        return;
    text = sr_file_read(path, HOOK_ERRORS_MAX, NULL);
    if (text) {
        if (*text)
            text[strlen(text) - 1] = 0; /* the last newline */
        last = strrchr(text, '\n');
        sr_fuzz_problem(f, "instance %s: the hook says: %s; more in %s", in->name,
                        last ? last + 1 : text, path);
    }
    free(text);
    in->errors_seen = st.st_size;
    in->errors_said_ms = sr_fuzz_clock();
}

static void store_sample(struct sr_fuzz *f) {
    struct sr_set all = sr_union_all(f->u), program = sr_union_of(f->u, 0);
    struct sr_sample s = {.time_ms = sr_fuzz_elapsed(f),
                          .calls = sr_set_count(&all),
                          .calls_program = sr_set_count(&program),
                          .sites = sr_union_site_count(f->hooked)};

    sr_store_begin(f->store);
    for (; f->images_stored < SR_IMAGES_MAX &&
           sr_union_image_path(f->hooked, (unsigned)f->images_stored);
         f->images_stored++)
        sr_store_image(f->store, (unsigned)f->images_stored,
                       sr_union_image_path(f->hooked, (unsigned)f->images_stored));
    for (unsigned i = 0; i < f->c.instances; i++) {
        const struct sr_union_instance *in = &f->hooked->instances[i];

        memcpy(s.instance, f->instances[i].name, sizeof s.instance);
        s.execs = in->finished;
        s.timeouts = in->timeouts;
        s.leftover = in->leftover;
        s.crashes = in->crashes;
        sr_store_sample(f->store, &s);
        sr_fuzz_take_inputs(f, &f->instances[i]);
    }
    sr_store_commit(f->store);
}

void sr_fuzz_sample(struct sr_fuzz *f) {
    uint64_t now = sr_fuzz_clock(), execs = sr_fuzz_finished(f);

    /* Over the last seconds, smoothed. */
    if (f->rate_ms && now > f->rate_ms) {
        double rate = (double)(execs - f->rate_execs) * 1000.0 / (double)(now - f->rate_ms);
        f->rate = f->rate > 0 ? f->rate * 0.7 + rate * 0.3 : rate;
    }
    f->rate_ms = now;
    f->rate_execs = execs;
    if (f->store)
        store_sample(f);
    for (unsigned i = 0; i < f->c.instances; i++)
        watch_hook(f, &f->instances[i]);
    watch_store(f);
    watch_disk(f);
}

void sr_fuzz_line(struct sr_fuzz *f) {
    struct sr_set all = sr_union_all(f->u);
    char when[32], last[32], name[SR_CALL_NAME_BYTES];
    uint64_t now = sr_fuzz_clock();

    if (!f->live && now < f->line_ms)
        return;
    f->line_ms = now + LINE_MS;
    fprintf(stderr, "%s%s  %.0f/s  inputs %" PRIu64 "  calls %u  sites %u", f->live ? "\r" : "",
            sr_time_print(sr_fuzz_elapsed(f), when), f->rate, sr_fuzz_finished(f),
            sr_set_count(&all), sr_union_site_count(f->hooked));
    if (f->last_news) {
        const struct sr_discovery *d = &f->discoveries[f->last_news - 1];
        fprintf(stderr, "  last %s at %s", sr_call_name(d->call, name),
                sr_time_print(d->time_ms, last));
    }
    fputs(f->live ? "\033[K" : "\n", stderr);
    fflush(stderr);
}

void sr_fuzz_begin_lines(struct sr_fuzz *f) {
    f->line_ms = sr_fuzz_clock() + LINE_FIRST_MS;
}

void sr_fuzz_summary(struct sr_fuzz *f, const char *reason) {
    struct sr_set observed = sr_union_of(f->u, 0), beyond;
    uint64_t run_ms = sr_fuzz_elapsed(f) - f->offset_ms;
    uint64_t inputs = sr_fuzz_finished(f) - f->finished_at_begin;
    struct sr_names *names;
    char when[32];

    sr_set_merge(&observed, &f->seed_set[0]);
    beyond = sr_set_minus(&observed, &f->seed_set[0]);
    beyond = sr_set_minus(&beyond, &f->u->images[0].startup);
    sr_fuzz_clear_line(f);
    printf("%s: %s, %" PRIu64 " inputs (%.0f/s)\n", reason, sr_time_print(run_ms, when), inputs,
           run_ms ? (double)inputs * 1000.0 / (double)run_ms : 0.0);
    printf("%s: %u calls observed (start-up %u, seeds %u), %u beyond the seeds", f->c.program,
           sr_set_count(&observed), sr_set_count(&f->u->images[0].startup),
           sr_set_count(&f->seed_set[0]), sr_set_count(&beyond));
    names = malloc(sizeof *names);
    if (names) {
        sr_names_of(&beyond, names);
        for (size_t i = 0; i < names->n; i++)
            printf("%s%s", i ? " " : ": ", names->name[i]);
        free(names);
    }
    putchar('\n');
    if (f->problems)
        printf("%" PRIu64 " problems, see above\n", f->problems);
    printf("next: sysreach report %s\n", f->c.dir);
    fflush(stdout);
}
