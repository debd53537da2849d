/*
 * Takes in the discovery folders that the hook makes: says so at once, stores them, has the call
 * stack symbolised and the scenario replayed on the stock binary, in a child process so that the
 * next discovery does not wait.
 */
#include <dirent.h>
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

struct outcome {
    unsigned replays, replayed;
};

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_startup(const struct sr_fuzz *f, const struct sr_discovery *d) {
    return d->image < SR_IMAGES_MAX && sr_set_has(&f->hooked->images[d->image].startup, d->call);
}

static void announce(struct sr_fuzz *f, const struct sr_discovery *d) {
    char name[SR_CALL_NAME_BYTES], when[32], folder[NAME_MAX + 1];
    const char *path = sr_union_image_path(f->hooked, d->image);
    bool seed = d->image < SR_IMAGES_MAX && sr_set_has(&f->seed_set[d->image], d->call);

    sr_discovery_name(d->image, d->call, folder);
    sr_fuzz_clear_line(f);
    printf("+ %s %-20s %-12s (input %llu, %s%s)  witness %s/%s/scenario\n",
           sr_time_print(d->time_ms, when), sr_call_name(d->call, name),
           path ? base_name(path) : "?", (unsigned long long)d->input, d->instance,
           seed ? ", seed" : "", SR_DIR_DISCOVERIES, folder);
    fflush(stdout);
}

static bool remember(struct sr_fuzz *f, const struct sr_discovery *d) {
    if (f->n_discoveries == f->room) {
        size_t room = f->room * 2 + 64;
        struct sr_discovery *more = realloc(f->discoveries, room * sizeof *more);
        if (!more)
            return false;
        f->discoveries = more;
        f->room = room;
    }
    f->discoveries[f->n_discoveries++] = *d;
    return true;
}

static int by_time(const void *a, const void *b) {
    const struct sr_discovery *x = a, *y = b;

    if (x->epoch_ms != y->epoch_ms)
        return x->epoch_ms < y->epoch_ms ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

static uint64_t campaign_time(struct sr_fuzz *f, uint64_t epoch_ms) {
    if (f->store)
        return sr_store_campaign_time(f->store, epoch_ms);
    return epoch_ms > f->c.created_ms ? epoch_ms - f->c.created_ms : 0;
}

/* quiet: at a resume, what an earlier run left on the disk is no news. */
void sr_fuzz_take_discoveries(struct sr_fuzz *f, bool quiet) {
    char dir[PATH_MAX];
    DIR *d = sr_campaign_path(&f->c, SR_DIR_DISCOVERIES, dir) ? opendir(dir) : NULL;
    size_t first = f->n_discoveries;

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        struct sr_discovery one;

        if (!sr_discovery_parse_name(e->d_name, &one.image, &one.call) ||
            one.image >= SR_IMAGES_MAX || sr_set_has(&f->known[one.image], one.call) ||
            !sr_discovery_read(dir, e->d_name, &one))
            continue;
        one.time_ms = campaign_time(f, one.epoch_ms);
        if (remember(f, &one))
            sr_set_add(&f->known[one.image], one.call);
    }
    closedir(d);
    if (f->n_discoveries == first)
        return;
    qsort(f->discoveries + first, f->n_discoveries - first, sizeof *f->discoveries, by_time);
    if (f->store)
        sr_store_begin(f->store);
    for (size_t i = first; i < f->n_discoveries; i++) {
        if (!quiet && !is_startup(f, &f->discoveries[i])) {
            announce(f, &f->discoveries[i]);
            f->last_news = i + 1;
        }
        if (f->store)
            sr_store_discovery(f->store, &f->discoveries[i]);
    }
    if (f->store)
        sr_store_commit(f->store);
}

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

static bool replay_batch(struct sr_fuzz *f, struct outcome out[SR_FUZZ_BATCH]) {
    static char paths[SR_FUZZ_BATCH][PATH_MAX];
    char base[PATH_MAX], name[NAME_MAX + 1], *scenarios[SR_FUZZ_BATCH];
    struct sr_runner runner = {.program = f->c.program,
                               .base = sr_campaign_path(&f->c, SR_DIR_BASE, base),
                               .times = SR_REPLAYS,
                               .grace_ms = f->c.grace_ms};
    struct sr_batch batch;

    for (size_t i = 0; i < f->replay.n; i++) {
        const struct sr_discovery *d = &f->discoveries[f->replay.index[i]];

        sr_discovery_name(d->image, d->call, name);
        if (snprintf(paths[i], PATH_MAX, "%s/%s/%s", f->c.dir, SR_DIR_DISCOVERIES, name) >=
            PATH_MAX - 16)
            return false;
        sr_backtrace_write(paths[i]);
        scenarios[i] = strcat(paths[i], "/scenario");
    }
    if (sr_runner_run(&runner, scenarios, f->replay.n, &batch))
        return false;
    for (size_t i = 0; i < f->replay.n; i++) {
        const struct sr_discovery *d = &f->discoveries[f->replay.index[i]];
        const char *image = sr_union_image_path(f->hooked, d->image);

        for (size_t k = i * SR_REPLAYS; k < (i + 1) * SR_REPLAYS && k < batch.n_records; k++) {
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

static bool due(const struct sr_fuzz *f, size_t i, bool startup) {
    const struct sr_discovery *d = &f->discoveries[i];

    return d->state == SR_STATE_PENDING && is_startup(f, d) == startup;
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

/* News first, calls that start-up makes anyway last. */
static void begin_replay(struct sr_fuzz *f) {
    int fds[2];

    f->replay.n = 0;
    for (int startup = 0; startup < 2; startup++)
        for (size_t i = 0; i < f->n_discoveries && f->replay.n < SR_FUZZ_BATCH; i++)
            if (due(f, i, startup))
                f->replay.index[f->replay.n++] = i;
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
