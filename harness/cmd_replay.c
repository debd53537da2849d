/*
 * sysreach replay: runs a witness or a scenario again, plainly, on the stock binary, and says what
 * it made.
 *
 * The same command runs in the sandbox (--inside) as the part that executes and records; see
 * runner.h and inside.h.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "campaign.h"
#include "commands.h"
#include "inside.h"
#include "layout.h"
#include "names.h"
#include "paths.h"
#include "runner.h"
#include "sandbox.h"
#include "setfile.h"
#include "sysreach/scenario.h"

enum { KEY_PROGRAM = 256, KEY_BASE, KEY_EXEC, KEY_INSIDE, KEY_COUNT, KEY_GRACE, KEY_KEEP };

#define RUNS_OF_A_CALL 10

struct options {
    const char *program, *base, *image, *args[3];
    unsigned n_args, times;
    unsigned long count, grace_ms, keep;
    bool json, exec, inside;
};

/* What is to be run, and which call is asked about. */
struct job {
    char campaign[PATH_MAX], program[PATH_MAX], base[PATH_MAX], scenario[PATH_MAX + 64];
    struct sr_call call;
    bool has_call, has_base;
};

/* The slot of the image asked for in a campaign's union; -1 with a message. */
static int find_image(const struct sr_union *u, const char *name) {
    if (!name)
        return 0;
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(u, i), *slash = path ? strrchr(path, '/') : NULL;

        if (path && (strcmp(path, name) == 0 || (slash && strcmp(slash + 1, name) == 0)))
            return (int)i;
    }
    sr_error("no image '%s' in this campaign", name);
    return -1;
}

/* The scenario of a call's discovery; an empty one for a call that start-up makes. */
static int find_witness(const struct sr_campaign *c, const struct options *o, struct job *job) {
    char path[PATH_MAX], name[SR_CALL_NAME_BYTES];
    const struct sr_union *u;
    int image = -1, err;
    bool startup = false;

    err = sr_union_open_ro(sr_campaign_path(c, SR_DIR_UNION, path), &u);
    if (err) {
        sr_error("%s: %s", path, strerror(-err));
        return SR_EXIT_USAGE;
    }
    image = find_image(u, o->image);
    if (image >= 0)
        startup = sr_set_has(&u->images[image].startup, job->call);
    sr_union_close(u);
    if (image < 0)
        return SR_EXIT_USAGE;
    snprintf(job->scenario, sizeof job->scenario, "%s/" SR_DIR_DISCOVERIES "/%d-%u-%d/scenario",
             c->dir, image, job->call.abi, job->call.nr);
    if (access(job->scenario, R_OK) == 0)
        return 0;
    if (startup) {
        snprintf(job->scenario, sizeof job->scenario, "/dev/null");
        return 0;
    }
    sr_error("%s: not observed in this campaign%s", sr_call_name(job->call, name),
             o->image ? " for this image" : " for the program; other images: --image PATH");
    return SR_EXIT_NO;
}

static int from_campaign(const struct options *o, struct job *job) {
    struct sr_campaign *c = calloc(1, sizeof *c);
    const char *what = o->args[1];
    struct stat st;
    int status = 0;

    if (!c || sr_campaign_open(o->args[0], c)) {
        free(c);
        return SR_EXIT_USAGE;
    }
    snprintf(job->campaign, sizeof job->campaign, "%s", c->dir);
    snprintf(job->program, sizeof job->program, "%s", c->program);
    job->has_base = sr_campaign_path(c, SR_DIR_BASE, job->base) && !access(job->base, R_OK);
    if (stat(what, &st) == 0 && S_ISREG(st.st_mode)) {
        snprintf(job->scenario, sizeof job->scenario, "%s", what);
        if (o->args[2])
            what = o->args[2];
    }
    job->has_call = sr_call_parse(what, strlen(what), &job->call);
    if (!*job->scenario && !job->has_call) {
        sr_error("%s: neither a file nor a system call known to %s", what, sr_call_source());
        status = SR_EXIT_USAGE;
    } else if (!*job->scenario) {
        status = find_witness(c, o, job);
    }
    free(c);
    return status;
}

static int from_program(const struct options *o, struct job *job) {
    if (sr_paths_program(o->program, job->program, sizeof job->program)) {
        sr_error("%s: no such program", o->program);
        return SR_EXIT_USAGE;
    }
    snprintf(job->scenario, sizeof job->scenario, "%s", o->args[0]);
    if (o->base)
        snprintf(job->base, sizeof job->base, "%s", o->base);
    job->has_base = o->base;
    if (o->args[1]) {
        job->has_call = sr_call_parse(o->args[1], strlen(o->args[1]), &job->call);
        if (!job->has_call) {
            sr_error("%s: no system call known to %s", o->args[1], sr_call_source());
            return SR_EXIT_USAGE;
        }
    }
    return 0;
}

/* In how many runs the image made the call. */
static unsigned count_runs(const struct sr_batch *b, const struct job *job, const char *image) {
    int slot = find_image(b->u, image);
    unsigned made = 0;

    for (size_t i = 0; i < b->n_records && slot >= 0; i++)
        for (uint32_t k = 0; b->records[i] && k < b->records[i]->n_images; k++)
            if (b->records[i]->images[k].image == (uint32_t)slot &&
                sr_set_has(&b->records[i]->images[k].calls, job->call))
                made++;
    return made;
}

static int answer(const struct sr_batch *b, const struct job *job, const struct options *o) {
    unsigned made = count_runs(b, job, o->image);
    const char *image = o->image ? o->image : job->program;
    char name[SR_CALL_NAME_BYTES];

    sr_call_name(job->call, name);
    if (o->json) {
        json_t *j = json_pack("{s:s, s:s, s:i, s:i}", "call", name, "image", image, "runs",
                              (int)b->n_records, "made", (int)made);
        json_dumpf(j, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(j);
    } else {
        printf("%s: made in %u of %zu runs by %s\n", name, made, b->n_records, image);
    }
    return made ? SR_EXIT_OK : SR_EXIT_NO;
}

static int show_set(const struct sr_batch *b, const struct job *job, const struct options *o) {
    struct sr_setfile *sf = sr_setfile_new();
    int status = SR_EXIT_OK;

    if (!sf)
        return SR_EXIT_ENV;
    sr_union_merge(sf->u, b->u);
    sr_setfile_sum(sf);
    sr_setfile_find_build_ids(sf);
    sr_setfile_key(sf, "made-by", "sysreach replay");
    sr_setfile_key(sf, "recorder", "seccomp-trace");
    sr_setfile_key(sf, "scenario", "%s", job->scenario);
    sr_setfile_key(sf, "inputs", "%zu", b->n_records);
    if (o->image) {
        int slot = sr_setfile_image(sf, o->image);

        if (slot < 0 || !sr_setfile_keep_image(sf, (unsigned)slot)) {
            sr_error("no image '%s' made calls", o->image);
            status = SR_EXIT_NO;
        }
    }
    if (status == SR_EXIT_OK && sr_setfile_save(NULL, sf, o->json))
        status = SR_EXIT_ENV;
    sr_setfile_free(sf);
    return status;
}

static void warn_signals(const struct job *job) {
    size_t len = 0;
    char *text = sr_file_read(job->scenario, SR_TEXT_MAX, &len), *line;

    for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, "signal ", 7) == 0) {
            sr_error("--exec counts no calls: the scenario's signals are not sent");
            break;
        }
    free(text);
}

static int run(const struct options *o, const struct job *job) {
    char *scenarios[] = {(char *)(uintptr_t)job->scenario};
    char why[1024];
    struct sr_batch batch;
    const struct sr_runner runner = {
        .program = job->program,
        .base = job->has_base ? job->base : NULL,
        .campaign = job->campaign[0] ? job->campaign : NULL,
        .times = o->times        ? o->times
                 : job->has_call ? RUNS_OF_A_CALL
                                 : 1,
        .grace_ms = (unsigned)o->grace_ms,
        .plain = o->exec,
    };
    int status;

    if (sr_sandbox_check(why, sizeof why)) {
        sr_error("%s", why);
        return SR_EXIT_ENV;
    }
    if (o->exec)
        warn_signals(job);
    if (sr_runner_run(&runner, scenarios, 1, &batch))
        return SR_EXIT_ENV;
    if (o->exec)
        status = SR_EXIT_OK;
    else
        status = job->has_call ? answer(&batch, job, o) : show_set(&batch, job, o);
    sr_batch_free(&batch);
    return status;
}

static const struct argp_option option_list[] = {
    {"program", KEY_PROGRAM, "PROGRAM", 0, "Run this program, without a campaign", 0},
    {"base", KEY_BASE, "FILE", 0, "Scenario lines that stand before it (with --program)", 0},
    {"times", 'n', "N", 0, "How often (default: 10 for a call, 1 for a scenario)", 0},
    {"image", 'i', "PATH", 0, "The image that makes the call (default: the program)", 0},
    {"json", 'j', NULL, 0, "As JSON", 0},
    {"exec", KEY_EXEC, NULL, 0,
     "Just run it and show its output, so that strace -f or a debugger can look", 0},
    {"grace", KEY_GRACE, "MS", 0, "How long leftover processes may go on (default 100)", 0},
    {"inside", KEY_INSIDE, NULL, OPTION_HIDDEN, NULL, 0},
    {"keep", KEY_KEEP, "BITS", OPTION_HIDDEN, NULL, 0},
    {"count", KEY_COUNT, "N", OPTION_HIDDEN, NULL, 0},
    {0},
};

static unsigned long number(struct argp_state *state, const char *arg, unsigned long max) {
    char *end;
    unsigned long n = strtoul(arg, &end, 10);

    if (!*arg || *end || n > max)
        argp_error(state, "'%s' is no number up to %lu", arg, max);
    return n;
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;

    switch (key) {
    case KEY_PROGRAM:
        o->program = arg;
        return 0;
    case KEY_BASE:
        o->base = arg;
        return 0;
    case 'n':
        o->times = (unsigned)number(state, arg, 1000000);
        return 0;
    case 'i':
        o->image = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case KEY_EXEC:
        o->exec = true;
        return 0;
    case KEY_INSIDE:
        o->inside = true;
        return 0;
    case KEY_COUNT:
        o->count = number(state, arg, 1000000);
        return 0;
    case KEY_KEEP:
        o->keep = number(state, arg, ULONG_MAX);
        return 0;
    case KEY_GRACE:
        o->grace_ms = number(state, arg, 60000);
        return 0;
    case ARGP_KEY_ARG:
        if (o->n_args == 3)
            argp_usage(state);
        o->args[o->n_args++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->inside && o->n_args < (o->program ? 1u : 2u))
            argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int sr_cmd_replay(int argc, char **argv) {
    static const struct argp argp = {
        option_list,
        parse_option,
        "DIR CALL\nDIR SCENARIO [CALL]\n--program PROGRAM SCENARIO [CALL]",
        "Run a witness or a scenario again on the stock binary, in the sandbox.\v"
        "With CALL it says in how many runs the call was made, and exits with 1 if in none; "
        "without it shows the set of all calls. DIR is a campaign folder.",
        NULL,
        NULL,
        NULL};
    struct options o = {.grace_ms = 100};
    struct job *job;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    if (o.inside) {
        const struct sr_inside in = {.program = o.program,
                                     .dir = SR_BOX_OUT,
                                     .scenarios = o.count,
                                     .times = o.times ? o.times : 1,
                                     .grace_ms = o.grace_ms,
                                     .keep_caps = o.keep,
                                     .record = !o.exec,
                                     .echo = o.exec};
        return sr_inside_run(&in);
    }
    job = calloc(1, sizeof *job);
    if (!job)
        return SR_EXIT_ENV;
    status = o.program ? from_program(&o, job) : from_campaign(&o, job);
    if (!status)
        status = run(&o, job);
    free(job);
    return status;
}
