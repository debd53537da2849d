/*
 * One run, see run.h.
 */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

#include "filter.h"
#include "privs.h"
#include "run.h"
#include "sys.h"
#include "tracees.h"

#define TICK_US 10000
/* While somebody may wait for us: to feed a fifo, or for room in a terminal (some 4 KiB). */
#define QUICK_TICK_US 1000

/* A peer's number for the recorder; 0 is the program. */
#define PEER_NUMBER(kind) ((kind) + 1)

static int64_t clock_us(int clock) {
    struct timespec t = {0, 0};

    sr_sys(SYS_clock_gettime, clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t sr_clock_ms(int clock) {
    return clock_us(clock) / 1000;
}

static int on_image(void *ctx, const char *path) {
    return sr_union_image(((struct sr_run *)ctx)->u, path);
}

static void on_object(void *ctx, unsigned image, const char *path) {
    sr_union_object(((struct sr_run *)ctx)->u, image, path);
}

/* The place of an image in the record; NULL: no room. */
static struct sr_input_image *place(struct sr_run *run, unsigned image) {
    struct sr_input_record *rec = run->result;
    int at = run->place[image];

    if (at >= 0)
        return &rec->images[at];
    if (rec->n_images == SR_INPUT_IMAGES_MAX) {
        rec->flags |= SR_INPUT_CUT;
        return NULL;
    }
    run->place[image] = (int16_t)rec->n_images;
    rec->images[rec->n_images].image = image;
    rec->images[rec->n_images].reserved = 0;
    sr_set_clear(&rec->images[rec->n_images].calls);
    return &rec->images[rec->n_images++];
}

static void send_signals(struct sr_run *run) {
    const struct sr_scenario *s = &run->scenario;

    run->counted++;
    while (run->next_signal < s->n_signals && s->signals[run->next_signal].after <= run->counted) {
        sr_sys(SYS_kill, run->recorder.first, s->signals[run->next_signal++].signo);
        run->signalled = true;
    }
}

static void on_call(void *ctx, const struct sr_stop *stop) {
    struct sr_run *run = ctx;
    struct sr_input_image *image = place(run, stop->image);

    run->result->calls++;
    run->idle.quiet_ms = 0;
    if (image && !sr_set_has(&image->calls, stop->call)) {
        sr_set_add(&image->calls, stop->call);
        if (run->owner.fresh)
            run->owner.fresh(run->owner.ctx, stop);
    }
    if (run->owner.any)
        run->owner.any(run->owner.ctx, stop);
    sr_roles_call(run->roles, stop);
    if (run->scenario.n_peers)
        sr_peers_on_call(run, stop);
    if (stop->first && run->counting && run->next_signal < run->scenario.n_signals)
        send_signals(run);
}

static void on_refused(void *ctx, const struct sr_stop *stop) {
    struct sr_run *run = ctx;

    sr_set_add(&run->u->images[stop->image].attempted, stop->call);
    sr_roles_refused(run->roles, stop);
}

static void on_fork(void *ctx, pid_t parent, pid_t pid) {
    sr_roles_fork(((struct sr_run *)ctx)->roles, parent, pid);
}

static void on_exec(void *ctx, pid_t pid, int image) {
    struct sr_run *run = ctx;

    sr_roles_exec(run->roles, pid, image);
    if (run->owner.exec)
        run->owner.exec(run->owner.ctx, pid);
}

static bool on_trap(void *ctx, pid_t tid) {
    struct sr_run *run = ctx;

    return run->owner.trap && run->owner.trap(run->owner.ctx, tid);
}

/* What `before` started and left behind has nobody to serve once all others have gone. */
static void on_exit(void *ctx, pid_t pid) {
    struct sr_run *run = ctx;
    const unsigned others = ~(1u << PEER_NUMBER(SR_PEER_BEFORE));

    if (run->scenario.n_peers)
        sr_peers_on_exit(run, pid);
    if (run->recorder.ended && !run->recorder.killing && !sr_peers_busy(run) &&
        !sr_recorder_has(&run->recorder, others))
        sr_recorder_kill(&run->recorder);
}

static bool is_over(const struct sr_run *run) {
    return (run->recorder.ended || run->peers.told_end) && !sr_peers_busy(run);
}

/* A user who has not typed everything yet is no end of it. */
static bool is_idle(struct sr_run *run, int64_t now) {
    return sr_idle_look(&run->idle, &run->recorder, now, run->scenario.idle_ms) &&
           !sr_stage_will_type(&run->stage, &run->scenario);
}

static void on_tick(void *ctx) {
    struct sr_run *run = ctx;
    int64_t now = sr_clock_ms(CLOCK_MONOTONIC);

    sr_stage_serve(&run->stage, &run->scenario);
    if (run->recorder.killing)
        return;
    sr_peers_serve(run);
    if (is_over(run) && !run->ended_ms)
        run->ended_ms = now;
    if (is_over(run) && now - run->ended_ms >= run->grace_ms) {
        run->result->flags |= SR_INPUT_LEFTOVER;
        sr_recorder_kill(&run->recorder);
    } else if (now - run->began_ms >= run->scenario.time_ms || is_idle(run, now)) {
        run->result->flags |= run->recorder.ended ? SR_INPUT_LEFTOVER : SR_INPUT_TIMEOUT;
        sr_recorder_kill(&run->recorder);
    }
}

static const struct sr_recorder_ops ops = {
    .image = on_image,
    .call = on_call,
    .refused = on_refused,
    .fork = on_fork,
    .object = on_object,
    .exec = on_exec,
    .trap = on_trap,
    .exit = on_exit,
    .tick = on_tick,
};

int sr_run_init(struct sr_run *run, struct sr_union *u, const char *root) {
    int err;

    memset(run, 0, sizeof *run);
    run->u = u;
    run->record = true;
    run->release = sr_map(4096, MAP_SHARED);
    run->arena.base = sr_map(SR_ARENA_BYTES, MAP_PRIVATE | MAP_NORESERVE);
    run->arena.size = SR_ARENA_BYTES;
    run->result = sr_map(sr_input_record_bytes(SR_INPUT_IMAGES_MAX), MAP_PRIVATE);
    if (!run->release || !run->arena.base || !run->result)
        return -ENOMEM;
    memset(run->place, -1, sizeof run->place);
    err = sr_recorder_init(&run->recorder, &ops, run);
    if (err)
        return err;
    run->recorder.live_max = SR_RUN_PROCESSES_MAX;
    run->recorder.guard = true;
    sr_peers_init(&run->peers);
    run->roles = sr_roles_new();
    if (!run->roles)
        return -ENOMEM;
    return sr_stage_init(&run->stage, root);
}

static void tick(int signo) {
    (void)signo;
    sr_recorder_ticked = 1;
}

/* The kernel's own layout; libc's sigaction would insist on its own restorer. */
struct raw_sigaction {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

#define RAW_SA_RESTORER 0x04000000ul

/* What the program had for the signals that we take; children get it back. */
static struct raw_sigaction own_alarm, own_pipe;

/* Ignored signals are inherited: afl-fuzz ignores some, and so does a shell's background. A run
 * must not depend on who started us. */
static void restore_signals(void) {
    struct raw_sigaction sa;

    for (int signo = 1; signo <= 64; signo++)
        if (!sr_sys(SYS_rt_sigaction, signo, 0, &sa, 8) && sa.handler == SIG_IGN) {
            sa.handler = SIG_DFL;
            sr_sys(SYS_rt_sigaction, signo, &sa, 0, 8);
        }
}

static long set_timer(long us) {
    const struct itimerval every = {{0, us}, {0, us}};

    return sr_sys(SYS_setitimer, ITIMER_REAL, &every, 0);
}

int sr_run_start_clock(void (*restorer)(void)) {
    const struct raw_sigaction sa = {tick, RAW_SA_RESTORER, restorer, 0};
    const struct raw_sigaction ignore = {SIG_IGN, 0, 0, 0};
    long err;

    restore_signals();
    err = sr_sys(SYS_rt_sigaction, SIGALRM, &sa, &own_alarm, 8);

    /* Writing to a stdin that the program has closed. */
    if (!err)
        err = sr_sys(SYS_rt_sigaction, SIGPIPE, &ignore, &own_pipe, 8);
    return (int)(err ? err : set_timer(TICK_US));
}

static void set_tick(struct sr_run *run) {
    bool waits = run->stage.pty >= 0 || sr_peers_listen(run);
    long us;

    for (uint32_t i = 0; i < run->stage.n_feeds; i++)
        waits |= !run->stage.feeds[i].done;
    us = waits ? QUICK_TICK_US : TICK_US;
    if (us != run->tick_us && !set_timer(us))
        run->tick_us = us;
}

static void begin_record(struct sr_run *run) {
    struct sr_input_record *rec = run->result;

    for (uint32_t i = 0; i < rec->n_images; i++)
        run->place[rec->images[i].image] = -1;
    memset(rec, 0, sizeof *rec);
    rec->magic = SR_INPUT_MAGIC;
    run->counted = run->next_signal = 0;
    run->signalled = false;
    run->began_us = clock_us(CLOCK_MONOTONIC);
    run->began_ms = run->began_us / 1000;
    run->ended_ms = 0;
    sr_idle_begin(&run->idle, run->began_ms);
}

/*
 * A fork as libc's would be, but through the gate: the thread id that libc keeps is filled in by
 * the kernel (its address is the one registered for clearing), and the robust list is registered
 * again.
 */
static long raw_fork(void) {
    static int *tid_address;
    void *robust = NULL;
    size_t robust_len = 0;
    long pid;

    if (!tid_address && sr_sys(SYS_prctl, PR_GET_TID_ADDRESS, &tid_address))
        tid_address = NULL;
    sr_sys(SYS_get_robust_list, 0, &robust, &robust_len);
    pid = sr_sys(SYS_clone, SIGCHLD | (tid_address ? CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID : 0),
                 0, 0, tid_address, 0);
    if (pid == 0 && robust)
        sr_sys(SYS_set_robust_list, robust, robust_len);
    return pid;
}

/* Child: waits until the parent follows it. */
static void wait_for_release(struct sr_run *run) {
    for (int now; (now = __atomic_load_n(run->release, __ATOMIC_ACQUIRE)) - run->ticket < 0;)
        sr_sys(SYS_futex, run->release, FUTEX_WAIT, now, 0);
    sr_sys(SYS_munmap, run->release, 4096);
    sr_sys(SYS_rt_sigaction, SIGALRM, &own_alarm, 0, 8);
    sr_sys(SYS_rt_sigaction, SIGPIPE, &own_pipe, 0, 8);
}

/* Last in a child: what only the harness may do it may not from here on. */
static void leave_harness(struct sr_run *run) {
    if (sr_privs_drop(run->keep_caps))
        sr_sys(SYS_exit_group, 125);
}

static void become(struct sr_run *run) {
    wait_for_release(run);
    if (sr_stage_enter(&run->stage, &run->scenario))
        sr_sys(SYS_exit_group, 125);
    leave_harness(run);
}

static _Noreturn void become_peer(struct sr_run *run, const struct sr_peer *peer, int stdio) {
    const struct sr_scenario *s = &run->scenario;
    char shell[] = "/bin/sh", option[] = "-c";
    char *argv[] = {shell, option, peer->command.p, NULL}, *envp[SR_ENVS_MAX + 1];

    for (uint32_t i = 0; i < s->n_envs; i++)
        envp[i] = s->envs[i].p;
    envp[s->n_envs] = NULL;
    wait_for_release(run);
    if (!sr_stage_enter_peer(&run->stage, s, stdio)) {
        leave_harness(run);
        if (run->record && run->own_filters && sr_filter_install(0, 0))
            sr_sys(SYS_exit_group, 125);
        sr_sys(SYS_execve, shell, argv, envp);
    }
    for (;;)
        sr_sys(SYS_exit_group, 126);
}

/* Parent: follows the child that waits (peer: 0 for the program) and lets it go. */
static long release(struct sr_run *run, long pid, uint8_t peer) {
    int err = 0;

    if (run->record)
        err = peer ? sr_recorder_join(&run->recorder, (pid_t)pid, peer)
                   : sr_recorder_seize(&run->recorder, (pid_t)pid, 0, true);
    if (err) {
        sr_sys(SYS_kill, pid, SIGKILL);
        sr_sys(SYS_wait4, pid, 0, __WALL, 0);
        return err;
    }
    /* Others may still be on their way to look. */
    __atomic_store_n(run->release, run->ticket, __ATOMIC_RELEASE);
    sr_sys(SYS_futex, run->release, FUTEX_WAKE, INT_MAX);
    return pid;
}

pid_t sr_run_fork_peer(struct sr_run *run, const struct sr_peer *peer, int stdio) {
    long pid;

    run->ticket++;
    pid = raw_fork();
    if (pid == 0)
        become_peer(run, peer, stdio);
    return (pid_t)(pid < 0 ? pid : release(run, pid, (uint8_t)PEER_NUMBER(peer->kind)));
}

int sr_run_function(struct sr_run *run, void (*fn)(void *ctx), void *ctx) {
    const struct sr_run_owner owner = run->owner;
    long pid;

    /* The clock goes by the scenario's time, and there has not been any yet. */
    sr_scenario_init(&run->scenario);
    run->scenario.time_ms = SR_TIME_MAX_MS;
    begin_record(run);
    sr_recorder_reset(&run->recorder);
    run->ticket++;
    pid = raw_fork();
    if (pid == 0) {
        wait_for_release(run);
        fn(ctx);
        for (;;)
            sr_sys(SYS_exit_group, 0);
    }
    if (pid > 0)
        pid = release(run, pid, 0);
    if (pid < 0)
        return (int)pid;
    run->owner = (struct sr_run_owner){.ctx = NULL};
    sr_recorder_wait(&run->recorder);
    run->owner = owner;
    return run->recorder.status ? -ECHILD : 0;
}

pid_t sr_run_fork(struct sr_run *run) {
    long pid;
    int err;

    begin_record(run);
    sr_recorder_reset(&run->recorder);
    err = sr_stage_open(&run->stage, &run->scenario);
    if (err) {
        sr_stage_close(&run->stage);
        return err;
    }
    sr_peers_open(run);
    set_tick(run);
    sr_peers_before(run);
    run->ticket++;
    pid = raw_fork();
    if (pid == 0) {
        become(run);
        return 0;
    }
    if (pid > 0) {
        sr_roles_begin(run->roles, (pid_t)pid);
        pid = release(run, pid, 0);
    }
    if (pid < 0) {
        sr_recorder_kill(&run->recorder);
        sr_recorder_wait(&run->recorder);
        sr_peers_close(run);
        sr_stage_close(&run->stage);
        return (pid_t)pid;
    }
    sr_peers_begin(run, (pid_t)pid);
    return (pid_t)pid;
}

/* Time is up, without a recorder: those that are known. */
static void kill_plainly(const struct sr_run *run, pid_t pid) {
    sr_sys(SYS_kill, pid, SIGKILL);
    for (unsigned i = 0; i < SR_PEERS_MAX; i++)
        if (run->peers.pid[i] > 0)
            sr_sys(SYS_kill, run->peers.pid[i], SIGKILL);
}

void sr_run_wait_plainly(struct sr_run *run, pid_t pid, bool whole) {
    bool gone = false, late = false;
    int status = 0;

    while (!late && (!gone || (whole && run->peers.clients_left))) {
        long got = sr_sys(SYS_wait4, -1, &status, __WALL, 0);

        if (got == pid) {
            run->recorder.status = status;
            gone = true;
        }
        if (got > 0)
            sr_peers_on_exit(run, (pid_t)got);
        if (got == -ECHILD) /* the clock's next tick ends it */
            sr_sys(SYS_pause);
        sr_stage_serve(&run->stage, &run->scenario);
        sr_peers_serve(run);
        late = sr_clock_ms(CLOCK_MONOTONIC) - run->began_ms >= run->scenario.time_ms;
    }
    if (!late)
        return;
    kill_plainly(run, pid);
    if (!gone && sr_sys(SYS_wait4, pid, &status, __WALL, 0) == pid)
        run->recorder.status = status;
}

void sr_run_finish(struct sr_run *run, pid_t pid) {
    struct sr_input_record *rec = run->result;

    if (run->record)
        sr_recorder_wait(&run->recorder);
    else
        sr_run_wait_plainly(run, pid, true);
    sr_roles_finish(run->roles, run->u);
    rec->status = run->recorder.status;
    /* Calls of a process whose image could not be named are in no set. */
    if (run->recorder.overflow || run->recorder.lost)
        rec->flags |= SR_INPUT_CUT;
    if (run->recorder.denied)
        rec->flags |= SR_INPUT_DENIED;
    rec->bytes = (uint32_t)sr_input_record_bytes(rec->n_images);
    sr_peers_close(run);
    sr_stage_close(&run->stage);
    run->took_us = (uint64_t)(clock_us(CLOCK_MONOTONIC) - run->began_us);
}
