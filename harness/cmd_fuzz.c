/*
 * sysreach fuzz: the options and the loop of a campaign; fuzz.h lists its parts.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "fuzz.h"

#define TICK_MS        200
#define SAMPLE_MS      1000
#define LAST_REPLAY_MS 120000 /* after the end, for discoveries that are not replayed yet */

static volatile int interrupted; /* how often we were asked to end */

static void on_signal(int signo) {
    (void)signo;
    interrupted++;
}

static const struct argp_option options[] = {
    {"time", 't', "TIME", 0, "End after TIME: 90s, 10m, 8h, 1d (default: at Ctrl-C)", 0},
    {"execs", 'E', "N", 0, "End when N inputs have finished, all instances together", 0},
    {"jobs", 'j', "N", 0, "Run N instances (default 1)", 0},
    {"seed", 's', "N", 0, "Seed for AFL++'s random numbers; the i-th instance gets N+i", 0},
    {"output", 'o', "DIR", 0,
     "Campaign folder (default results/local/TARGET-DATE-TIME below the current folder)", 0},
    {"input", 'i', "SEEDS", 0,
     "Folder of seeds: *.scn are scenarios, other files become the program's input", 0},
    {"profile", 'p', "NAME", 0,
     "full: all seeds of the target (default); quick: a few of each kind, for campaigns of minutes",
     0},
    {"instrumented", 'I', NULL, 0,
     "Fuzz a build with afl-clang-fast; only calls that the stock binary makes count", 0},
    {"resume", 'r', "DIR", 0, "Go on where the campaign in DIR ended", 0},
    {0}};

static uint64_t number(const char *text, uint64_t max, const char *what,
                       const struct argp_state *state) {
    char *end;

    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value > max)
        argp_error(state, "%s: '%s' is no number up to %llu", what, text, (unsigned long long)max);
    return value;
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct sr_fuzz_options *o = state->input;

    switch (key) {
    case 't':
        if (!sr_time_parse(arg, &o->time_ms))
            argp_error(state, "-t: '%s' is no time; write 90s, 10m, 8h or 1d", arg);
        return 0;
    case 'E':
        o->execs = number(arg, UINT64_MAX / 2, "-E", state);
        if (!o->execs)
            argp_error(state, "-E: at least 1");
        return 0;
    case 'j':
        o->instances = (unsigned)number(arg, SR_INSTANCES_MAX, "-j", state);
        if (!o->instances)
            argp_error(state, "-j: at least 1");
        return 0;
    case 's':
        o->seed = number(arg, UINT32_MAX, "-s", state);
        o->has_seed = true;
        return 0;
    case 'o':
        o->dir = arg;
        return 0;
    case 'i':
        o->seeds = arg;
        return 0;
    case 'p':
        o->quick = strcmp(arg, "quick") == 0;
        if (!o->quick && strcmp(arg, "full") != 0)
            argp_error(state, "-p: '%s' is no profile; there are quick and full", arg);
        return 0;
    case 'I':
        o->instrumented = true;
        return 0;
    case 'r':
        o->resume = arg;
        return 0;
    case ARGP_KEY_ARGS:
        o->words = state->argv + state->next;
        o->n_words = state->argc - state->next;
        o->is_command = state->quoted && state->quoted <= state->next;
        return 0;
    case ARGP_KEY_END:
        if (o->resume && (o->n_words || o->dir || o->seeds || o->instances || o->has_seed ||
                          o->instrumented || o->quick))
            argp_error(state, "--resume goes with -t and -E only: the rest is in the folder");
        if (!o->resume && !o->n_words)
            argp_error(state, "name a target, or a program after --");
        if (o->quick && (o->seeds || o->is_command))
            argp_error(state, "-p quick is about a target's own seeds: leave it out");
        if (!o->resume && !o->is_command && o->n_words > 1)
            argp_error(state, "one target at a time; a program with arguments stands after --");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "TARGET\n-- PROGRAM [ARG...]\n--resume DIR",
    "Runs a campaign: AFL++ drives a program with ever new inputs, every system call is recorded, "
    "each new one is printed at once with the input that made it.\v"
    "TARGET is a target's name or the path of a target file. In ARG, @@ stands for a file that "
    "holds the input; without @@ the input comes from stdin. Ctrl-C ends a campaign, Ctrl-C twice "
    "without waiting for replays.",
    NULL,
    NULL,
    NULL};

static const char *why_end(const struct sr_fuzz *f) {
    if (interrupted)
        return "interrupted";
    if (f->options.time_ms && sr_fuzz_elapsed(f) - f->offset_ms >= f->options.time_ms)
        return "time is up";
    if (f->options.execs && sr_fuzz_finished(f) - f->finished_at_begin >= f->options.execs)
        return "inputs are done";
    return NULL;
}

/* Until the end; the reason. */
static const char *watch(struct sr_fuzz *f) {
    const struct timespec tick = {0, TICK_MS * 1000000L};
    uint64_t next_sample = sr_fuzz_clock();
    const char *reason;

    while (!(reason = why_end(f))) {
        nanosleep(&tick, NULL);
        sr_fuzz_take_discoveries(f, false);
        sr_fuzz_mind_replays(f);
        if (!sr_fuzz_mind_instances(f))
            return "no instance is left";
        if (sr_fuzz_clock() >= next_sample) {
            next_sample = sr_fuzz_clock() + SAMPLE_MS;
            sr_fuzz_sample(f);
            sr_fuzz_line(f);
        }
    }
    return reason;
}

/* What came last is replayed too, unless somebody is in a hurry. */
static void finish_replays(struct sr_fuzz *f) {
    const struct timespec tick = {0, TICK_MS * 1000000L / 4};
    uint64_t since = sr_fuzz_clock();
    int before = interrupted;
    bool said = false;

    while (sr_fuzz_replays_left(f) && interrupted == before && interrupted < 2 &&
           sr_fuzz_clock() - since < LAST_REPLAY_MS) {
        sr_fuzz_mind_replays(f);
        if (!said && sr_fuzz_clock() - since > 2000) {
            sr_fuzz_clear_line(f);
            fputs("replaying the last discoveries on the stock binary (Ctrl-C: not now)\n", stderr);
            said = true;
        }
        nanosleep(&tick, NULL);
    }
    sr_fuzz_end_replay(f);
}

static void catch_signals(void) {
    struct sigaction sa = {.sa_handler = on_signal};

    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGHUP, &sa, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int run(struct sr_fuzz *f) {
    const char *reason = NULL;
    int status = f->options.resume ? sr_fuzz_resume(f) : sr_fuzz_prepare(f);
    bool started = false;

    if (status)
        return status;
    f->live = isatty(STDERR_FILENO);
    sr_fuzz_clear_line(f);
    fprintf(stderr, "%s: campaign in %s, %u instance%s, %s; Ctrl-C ends it\n", f->c.program,
            f->c.dir, f->c.instances, f->c.instances > 1 ? "s" : "",
            f->c.instrumented ? "instrumented build" : "stock binary");
    f->finished_at_begin = sr_fuzz_finished(f);
    f->begin_ms = sr_fuzz_clock();
    sr_fuzz_begin_lines(f);
    sr_fuzz_choose_cpus(f);
    for (unsigned i = 0; i < f->c.instances && !interrupted; i++)
        started = sr_fuzz_start(f, i) == 0 || started;
    reason = started ? watch(f) : interrupted ? "interrupted" : "no instance is left";
    sr_fuzz_stop(f, &interrupted);
    f->end_ms = sr_fuzz_clock();
    sr_fuzz_take_discoveries(f, false);
    sr_fuzz_sample(f);
    finish_replays(f);
    sr_fuzz_summary(f, reason);
    sr_fuzz_close(f, reason);
    return strcmp(reason, "no instance is left") == 0 ? SR_EXIT_ENV : SR_EXIT_OK;
}

int sr_cmd_fuzz(int argc, char **argv) {
    struct sr_fuzz *f = calloc(1, sizeof *f);
    int status = SR_EXIT_ENV;

    if (!f) {
        sr_error("out of memory");
        return status;
    }
    if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &f->options))
        status = SR_EXIT_USAGE;
    else {
        catch_signals();
        status = run(f);
    }
    free(f);
    return status;
}
