/*
 * The supervisor of a campaign, in parts:
 *
 *   fuzz_check.c     what has to be so before
 *   fuzz_prepare.c   the folder: a new one, or one that is resumed
 *   fuzz_fixtures.c  the target's own scripts: fixtures, grammar
 *   fuzz_establish.c start-up set, seed set, environment
 *   fuzz_seeds.c     copies and wraps seeds, writes base.scn
 *   fuzz_cpu.c       a processor for each instance
 *   fuzz_instance.c  starts, watches, restarts and ends the afl-fuzz processes
 *   fuzz_discover.c  takes in discovery folders
 *   fuzz_replay.c    has discoveries replayed on the stock binary
 *   fuzz_inputs.c    matches the hook's input logs with AFL++'s queues
 *   fuzz_progress.c  the series, the live line, the summary
 *
 * cmd_fuzz.c has the options and the loop. One thread; replays run in a child process.
 */
#ifndef SR_FUZZ_H
#define SR_FUZZ_H

#include <stdio.h>
#include <sys/types.h>

#include "campaign.h"
#include "discovery.h"
#include "store.h"

struct sr_target;

#define SR_FUZZ_BATCH 256 /* discoveries that one child process replays */

struct sr_fuzz_options {
    uint64_t time_ms, execs; /* 0: no bound */
    unsigned instances;      /* 0: not given */
    uint64_t seed;
    bool has_seed, instrumented;
    bool quick;                       /* only the seeds that the target's `quick` names */
    const char *dir, *seeds, *resume; /* NULL: not given */
    char **words;                     /* TARGET, or PROGRAM ARG… after "--" */
    int n_words;
    bool is_command; /* the words came after "--" */
};

struct sr_instance {
    char name[32];
    pid_t pid; /* of bwrap; 0: not running */
    unsigned strikes;
    int cpu; /* that it is bound to, -1: none */
    bool given_up;
    uint64_t finished_before; /* inputs finished when it was last started */
    int inputs_fd;
    struct sr_input_tail *tail;
    int64_t errors_seen; /* bytes of the hook's error file */
    uint64_t errors_said_ms;
};

struct sr_fuzz {
    struct sr_campaign c;
    struct sr_fuzz_options options;
    struct sr_union *u;      /* the dynamic set */
    struct sr_union *hooked; /* what the hook writes to: the same, or the candidates. All slots
                                in the database are of this one. */
    struct sr_store *store;  /* NULL: it could not be opened; goes on without */
    int64_t run;
    bool resumed, rebuilt;
    char afl[PATH_MAX];
    struct sr_instance instances[SR_INSTANCES_MAX];

    uint64_t begin_ms, end_ms; /* monotonic, of this run; 0: not yet */
    uint64_t offset_ms;        /* the campaign's time at the begin */
    uint64_t finished_at_begin;
    struct sr_discovery *discoveries;
    size_t n_discoveries, room;
    size_t last_news; /* index of the last one that was printed, plus 1 */
    struct sr_set known[SR_IMAGES_MAX], seed_set[SR_IMAGES_MAX];

    struct {
        pid_t pid; /* 0: none */
        int fd;
        uint64_t since_ms;
        size_t n, index[SR_FUZZ_BATCH];
    } replay;
    unsigned replay_failures;

    uint64_t problems; /* write errors and the like, reported as they came */
    uint64_t images_stored;
    bool live;        /* stderr is a terminal: one line, rewritten */
    uint64_t line_ms; /* when a progress line is next due */
    uint64_t rate_ms, rate_execs;
    double rate;
    uint64_t disk_checked_ms, store_said_ms, store_errors;
};

uint64_t sr_fuzz_clock(void); /* monotonic, ms */
uint64_t sr_fuzz_elapsed(const struct sr_fuzz *f);
uint64_t sr_fuzz_finished(const struct sr_fuzz *f); /* inputs, all instances, all runs */

/* Prints above the live line, counts, and keeps it as a note in the database. */
void sr_fuzz_problem(struct sr_fuzz *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Start-up set, seed set, environment; what is there already stays. 0, or -1: reason printed. */
int sr_fuzz_establish(struct sr_fuzz *f);

/* Exit status; SR_EXIT_OK: ready for the instances. */
int sr_fuzz_prepare(struct sr_fuzz *f);
int sr_fuzz_resume(struct sr_fuzz *f);
void sr_fuzz_close(struct sr_fuzz *f, const char *reason);

/* afl-fuzz (finds it), libraries, sandbox; and a program that can be preloaded. 0, or -1 with the
 * reason printed. */
int sr_fuzz_check_system(struct sr_fuzz *f);
int sr_fuzz_check_program(const char *path);

/* Fills DIR/seeds. Exit status, the reason printed. from: NULL for one minimal seed. globs: only
 * files with a name that one of these matches (words), or NULL. */
int sr_fuzz_seeds(struct sr_fuzz *f, const char *from, const char *globs);
/* PROGRAM's arguments as scenario lines into DIR/base.scn. 0 or a negative errno. */
int sr_fuzz_base_of_command(struct sr_fuzz *f);

/* Runs the target's set-up and grammar scripts, says what is missing. Exit status. */
int sr_fuzz_fixtures(struct sr_fuzz *f, const struct sr_target *t);

/* 0, or -1 with the reason printed. */
int sr_fuzz_write_hook_conf(struct sr_fuzz *f, unsigned i);
void sr_fuzz_choose_cpus(struct sr_fuzz *f);
int sr_fuzz_start(struct sr_fuzz *f, unsigned i);
/* Restarts what died; false: no instance is left and none can be started. */
bool sr_fuzz_mind_instances(struct sr_fuzz *f);
void sr_fuzz_stop(struct sr_fuzz *f, const volatile int *hurry);

/* Calls of every start-up; calls that the seeds make as well. */
bool sr_fuzz_is_startup(const struct sr_fuzz *f, const struct sr_discovery *d);
bool sr_fuzz_is_seeds(const struct sr_fuzz *f, const struct sr_discovery *d);

void sr_fuzz_take_discoveries(struct sr_fuzz *f, bool quiet);
void sr_fuzz_mind_replays(struct sr_fuzz *f);
void sr_fuzz_end_replay(struct sr_fuzz *f);
bool sr_fuzz_replays_left(const struct sr_fuzz *f);
/* The record of one run with its images as slots of f->hooked; malloc'ed, NULL: out of memory. */
struct sr_input_record *sr_fuzz_record(struct sr_fuzz *f, const struct sr_union *names,
                                       const struct sr_input_record *r);

void sr_fuzz_take_inputs(struct sr_fuzz *f, struct sr_instance *in);
void sr_fuzz_close_inputs(struct sr_instance *in);

void sr_fuzz_sample(struct sr_fuzz *f);
void sr_fuzz_begin_lines(struct sr_fuzz *f);
void sr_fuzz_line(struct sr_fuzz *f);
void sr_fuzz_clear_line(const struct sr_fuzz *f);
void sr_fuzz_summary(struct sr_fuzz *f, const char *reason);

#endif
