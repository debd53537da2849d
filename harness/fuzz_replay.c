/*
 * Replays of discoveries on the stock binary, with the call stack symbolised, in a child process so
 * that the next discovery does not wait.
 *
 * One input often discovers many calls: a batch takes a few inputs and all that each discovered, so
 * every input is replayed once (SR_REPLAYS times), not once for each of its calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backtrace.h"
#include "fuzz.h"
#include "layout.h"
#include "names.h"
#include "runner.h"

#define REPLAY_MS_MAX       300000
#define REPLAY_FAILURES_MAX 3
#define INPUTS_MAX          4 /* of a batch: so that news do not wait long */

struct outcome {
    unsigned replays, replayed;
};

/* The inputs of a batch: scenario files, and which one each of its discoveries came with. */
struct inputs {
    char path[INPUTS_MAX][PATH_MAX];
    size_t n, of[SR_FUZZ_BATCH];
};

struct sr_input_record *sr_fuzz_record(struct sr_fuzz *f, const struct sr_union *names,
                                       const struct sr_input_record *r) {
    struct sr_input_record *copy = malloc(sr_input_record_bytes(r->n_images));
    uint32_t n = 0;

    if (!copy)
        return NULL;
    *copy = *r;
    for (uint32_t i = 0; i < r->n_images; i++) {
        const char *path = sr_union_image_path(names, r->images[i].image);
        int slot = path ? sr_union_image(f->hooked, path) : -1;

        if (slot < 0)
            continue;
        copy->images[n] = r->images[i];
        copy->images[n++].image = (uint32_t)slot;
    }
    copy->n_images = n;
    return copy;
}

/* Candidates that the stock binary confirms: all that the replays made enters the dynamic set. */
static void merge_replays(struct sr_fuzz *f, const struct sr_batch *b) {
    for (size_t i = 0; i < b->n_records; i++) {
        const struct sr_input_record *r = b->records[i];

        for (uint32_t k = 0; r && k < r->n_images; k++) {
            const char *path = sr_union_image_path(b->u, r->images[k].image);
            int slot = path ? sr_union_image(f->u, path) : -1;

            if (slot < 0)
                continue;
            struct sr_set calls = sr_set_minus(&r->images[k].calls, &f->u->images[slot].startup);
            sr_set_merge(&f->u->images[slot].calls, &calls);
        }
    }
    sr_union_merge_parts(f->u, b->u);
}

static bool record_has(const struct sr_union *names, const struct sr_input_record *r,
                       const char *image, struct sr_call call) {
    for (uint32_t k = 0; k < r->n_images; k++) {
        const char *path = sr_union_image_path(names, r->images[k].image);

        if (path && strcmp(path, image) == 0 && sr_set_has(&r->images[k].calls, call))
            return true;
    }
    return false;
}

static bool same_input(const struct sr_discovery *a, const struct sr_discovery *b) {
    return a->input == b->input && strcmp(a->instance, b->instance) == 0;
}

static bool find_inputs(struct sr_fuzz *f, struct inputs *in) {
    char name[NAME_MAX + 1], path[PATH_MAX];

    in->n = 0;
    for (size_t i = 0; i < f->replay.n; i++) {
        const struct sr_discovery *d = &f->discoveries[f->replay.index[i]];
        size_t k = 0;

        sr_discovery_name(d->image, d->call, name);
        if (snprintf(path, sizeof path, "%s/%s/%s", f->c.dir, SR_DIR_DISCOVERIES, name) >=
            PATH_MAX - 16)
            return false;
        sr_backtrace_write(path);
        while (k < i && !same_input(d, &f->discoveries[f->replay.index[k]]))
            k++;
        in->of[i] = k < i ? in->of[k] : in->n;
        if (k == i)
            strcat(strcpy(in->path[in->n++], path), "/scenario");
    }
    return true;
}

static bool replay_batch(struct sr_fuzz *f, struct outcome out[SR_FUZZ_BATCH]) {
    static struct inputs in;
    char base[PATH_MAX], *scenarios[INPUTS_MAX];
    struct sr_runner runner = {.program = f->c.program,
                               .base = sr_campaign_path(&f->c, SR_DIR_BASE, base),
                               .campaign = f->c.dir,
                               .times = SR_REPLAYS,
                               .grace_ms = f->c.grace_ms};
    struct sr_batch batch;

    if (!find_inputs(f, &in))
        return false;
    for (size_t i = 0; i < in.n; i++)
        scenarios[i] = in.path[i];
    if (sr_runner_run(&runner, scenarios, in.n, &batch))
        return false;
    for (size_t i = 0; i < f->replay.n; i++) {
        const struct sr_discovery *d = &f->discoveries[f->replay.index[i]];
        const char *image = sr_union_image_path(f->hooked, d->image);

        size_t first = in.of[i] * SR_REPLAYS;
        for (size_t k = first; k < first + SR_REPLAYS && k < batch.n_records; k++) {
            out[i].replays += batch.records[k] != NULL;
            out[i].replayed +=
                batch.records[k] && image && record_has(batch.u, batch.records[k], image, d->call);
        }
    }
    if (f->c.instrumented)
        merge_replays(f, &batch);
    sr_batch_free(&batch);
    return true;
}

/* The child: what it prints goes to a log, not through the live line. */
static void replay_child(struct sr_fuzz *f, int fd) {
    struct outcome out[SR_FUZZ_BATCH] = {{0, 0}};
    char path[PATH_MAX];
    size_t bytes = f->replay.n * sizeof *out;
    int log = sr_campaign_path(&f->c, SR_DIR_LOG "/replay.txt", path)
                  ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)
                  : -1;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (log >= 0) {
        dup2(log, STDOUT_FILENO);
        dup2(log, STDERR_FILENO);
    }
    bool done = replay_batch(f, out) && write(fd, out, bytes) == (ssize_t)bytes;
    fflush(NULL);
    _exit(done ? 0 : 1);
}

/* What is new comes first, the program before its helpers, calls of every start-up last. */
enum { URGENCIES = 5 };

static int urgency(const struct sr_fuzz *f, const struct sr_discovery *d) {
    if (sr_fuzz_is_startup(f, d))
        return URGENCIES - 1;
    return (sr_fuzz_is_seeds(f, d) ? 2 : 0) + (d->image != 0);
}

bool sr_fuzz_replays_left(const struct sr_fuzz *f) {
    if (f->replay.pid)
        return true;
    if (f->replay_failures >= REPLAY_FAILURES_MAX)
        return false;
    for (size_t i = 0; i < f->n_discoveries; i++)
        if (f->discoveries[i].state == SR_STATE_PENDING)
            return true;
    return false;
}

/* All pending ones of an input. */
static void choose_input(struct sr_fuzz *f, const struct sr_discovery *of) {
    for (size_t i = 0; i < f->n_discoveries && f->replay.n < SR_FUZZ_BATCH; i++)
        if (f->discoveries[i].state == SR_STATE_PENDING && same_input(&f->discoveries[i], of))
            f->replay.index[f->replay.n++] = i;
}

static bool is_chosen(const struct sr_fuzz *f, const struct sr_discovery *d) {
    for (size_t i = 0; i < f->replay.n; i++)
        if (same_input(&f->discoveries[f->replay.index[i]], d))
            return true;
    return false;
}

static void choose(struct sr_fuzz *f) {
    unsigned inputs = 0;

    f->replay.n = 0;
    for (int wanted = 0; wanted < URGENCIES; wanted++)
        for (size_t i = 0; i < f->n_discoveries && inputs < INPUTS_MAX; i++) {
            const struct sr_discovery *d = &f->discoveries[i];

            if (d->state != SR_STATE_PENDING || urgency(f, d) != wanted || is_chosen(f, d))
                continue;
            choose_input(f, d);
            inputs++;
        }
}

static void begin_replay(struct sr_fuzz *f) {
    int fds[2];

    choose(f);
    if (!f->replay.n || f->replay_failures >= REPLAY_FAILURES_MAX)
        return;
    if (pipe2(fds, O_CLOEXEC))
        return;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        replay_child(f, fds[1]);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return;
    }
    f->replay.pid = pid;
    f->replay.fd = fds[0];
    f->replay.since_ms = sr_fuzz_clock();
}

static void say_outcome(struct sr_fuzz *f, const struct sr_discovery *d) {
    char name[SR_CALL_NAME_BYTES];

    if (d->state != SR_STATE_UNSTEADY && d->state != SR_STATE_REFUTED)
        return;
    sr_fuzz_clear_line(f);
    printf("%c %s %s: %u of %u replays on the stock binary made it\n",
           d->state == SR_STATE_REFUTED ? '-' : '?', sr_call_name(d->call, name),
           sr_state_name(d->state), d->replayed, d->replays);
    fflush(stdout);
}

static void end_replay(struct sr_fuzz *f, bool complete) {
    struct outcome out[SR_FUZZ_BATCH];
    ssize_t bytes = (ssize_t)(f->replay.n * sizeof *out);

    complete = complete && read(f->replay.fd, out, sizeof out) == bytes;
    close(f->replay.fd);
    f->replay.pid = 0;
    if (!complete) {
        if (++f->replay_failures == REPLAY_FAILURES_MAX)
            sr_fuzz_problem(f,
                            "discoveries cannot be replayed, and stay marked as pending; "
                            "see %s/%s/replay.txt",
                            f->c.dir, SR_DIR_LOG);
        return;
    }
    bool all = true;
    if (f->store)
        sr_store_begin(f->store);
    for (size_t i = 0; i < f->replay.n; i++) {
        struct sr_discovery *d = &f->discoveries[f->replay.index[i]];

        d->replays = out[i].replays;
        d->replayed = out[i].replayed;
        d->state = sr_state_of(f->c.instrumented, d->replays, d->replayed);
        if (f->store)
            sr_store_replayed(f->store, d);
        say_outcome(f, d);
        all = all && d->state != SR_STATE_PENDING;
    }
    /* One that no run can be made of must not be tried for ever. */
    f->replay_failures = all ? 0 : f->replay_failures + 1;
    if (f->store)
        sr_store_commit(f->store);
}

void sr_fuzz_mind_replays(struct sr_fuzz *f) {
    int status;

    if (!f->replay.pid) {
        begin_replay(f);
        return;
    }
    if (waitpid(f->replay.pid, &status, WNOHANG) == f->replay.pid)
        end_replay(f, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    else if (sr_fuzz_clock() - f->replay.since_ms > REPLAY_MS_MAX)
        sr_fuzz_end_replay(f);
}

void sr_fuzz_end_replay(struct sr_fuzz *f) {
    if (!f->replay.pid)
        return;
    kill(f->replay.pid, SIGKILL);
    waitpid(f->replay.pid, NULL, 0);
    end_replay(f, false);
}
