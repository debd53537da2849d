/*
 * One run: a scenario set up, a program followed until nothing of it is left, what it made.
 *
 * The forkserver in the hook and the plain runner of the command line share this; they differ in
 * how the child becomes the program, and in what they do with a call.
 */
#ifndef SR_RUN_H
#define SR_RUN_H

#include <stdbool.h>

#include "idle.h"
#include "peers.h"
#include "recorder.h"
#include "roles.h"
#include "stage.h"
#include "sysreach/inputlog.h"
#include "sysreach/union.h"

#define SR_RUN_PROCESSES_MAX 256 /* threads at once; more end the run */

struct sr_run_owner {
    void *ctx;
    /* A call that this run had not made before, by this image. Before it is made. May be NULL. */
    void (*fresh)(void *ctx, const struct sr_stop *stop);
    /* Any call. May be NULL. */
    void (*any)(void *ctx, const struct sr_stop *stop);
    void (*exec)(void *ctx, pid_t pid);
    bool (*trap)(void *ctx, pid_t tid);
};

struct sr_run {
    struct sr_run_owner owner;
    struct sr_union *u; /* images and objects get their names there */
    struct sr_stage stage;
    struct sr_peers peers;
    struct sr_roles *roles; /* rules are the owner's to add */
    struct sr_recorder recorder;
    struct sr_scenario scenario;
    struct sr_arena arena;
    unsigned grace_ms;
    uint64_t keep_caps; /* capabilities that the program may have; see sr_privs_drop */
    bool record;        /* false: only run it (to measure what recording costs) */
    bool own_filters; /* this process has no filter that children inherit: each peer gets its own */
    bool counting;    /* calls of the first process count for the scenario's signals */
    uint32_t counted, next_signal;
    bool signalled; /* the scenario sent one */
    int64_t began_us, began_ms, ended_ms;
    struct sr_idle idle;
    uint64_t took_us;               /* the last run, from its begin to its end */
    long tick_us;                   /* how often the clock ticks now */
    int ticket;                     /* of the child forked last */
    int *release;                   /* each child waits until its ticket is there */
    int16_t place[SR_IMAGES_MAX];   /* image slot -> index in result->images, -1: none yet */
    struct sr_input_record *result; /* of the last run */
};

/* root: see sr_stage_init. Needs a SIGALRM of its own: a timer that ticks while runs are on.
 * Returns 0 or a negative errno. */
int sr_run_init(struct sr_run *run, struct sr_union *u, const char *root);

/* Starts the periodic timer and takes the signals that the parent needs (SIGALRM, SIGPIPE); all
 * that are ignored go back to their default. restorer: of the gate (sys.h). */
int sr_run_start_clock(void (*restorer)(void));

/*
 * Forks. In the child: returns 0 with the stage entered; it must go on to the program. In the
 * parent: the child's pid, already traced (but not yet running the program when sync is wanted),
 * or a negative errno. run->scenario has to be parsed before.
 */
pid_t sr_run_fork(struct sr_run *run);

/*
 * Follows a function in a child of its own; it installs its filter itself. Afterwards result holds
 * what it made. 0 or a negative errno; -ECHILD: it did not come to its end.
 */
int sr_run_function(struct sr_run *run, void (*fn)(void *ctx), void *ctx);

/* Parent: follows it to the end and cleans up. Afterwards result holds what it made. */
void sr_run_finish(struct sr_run *run, pid_t pid);

/* Parent, where nothing is recorded: until that process has ended (whole: and all clients), feeding
 * and serving meanwhile. */
void sr_run_wait_plainly(struct sr_run *run, pid_t pid, bool whole);

int64_t sr_clock_ms(int clock);

#endif
