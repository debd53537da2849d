/*
 * sysreach show: the evidence for one call of a campaign; for one that was not observed, how the
 * program's code could get to it.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "layout.h"
#include "names.h"
#include "report.h"

#define TEXT_BYTES_MAX (16u << 20)
#define EVIDENCE_KEYS  256

struct request {
    const char *dir, *call, *image;
};

static const struct argp_option options[] = {
    {"image", 'i', "PATH", 0, "Only where this image made it: its path, or the last part of it", 0},
    {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct request *q = state->input;

    switch (key) {
    case 'i':
        q->image = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (q->call)
            argp_error(state, "one call at a time");
        *(q->dir ? &q->call : &q->dir) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!q->call)
            argp_error(state, "name a campaign folder and a call");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "DIR CALL",
    "Prints the evidence that the campaign in DIR has for CALL: when and by which input it was "
    "made first, arguments, call stack, the scenario, and how to run that again. Of a call that "
    "was "
    "not observed: how the program's code could get to it, as the static bound has it.\v"
    "CALL is a name or number as `sysreach set show` prints it. Exit status 1: the call was not "
    "observed.",
    NULL,
    NULL,
    NULL};

static bool is_image(const char *path, const char *wanted) {
    const char *slash = strrchr(path, '/');

    return !wanted || strcmp(path, wanted) == 0 || (slash && strcmp(slash + 1, wanted) == 0);
}

/* A file of the discovery's folder with each line indented; false: it is not there. */
static bool put_file(const struct sr_report *r, const struct sr_discovery *d, const char *file) {
    char folder[NAME_MAX + 1], part[2 * NAME_MAX], path[PATH_MAX], *text;

    sr_discovery_name(d->image, d->call, folder);
    snprintf(part, sizeof part, "%s/%s/%s", SR_DIR_DISCOVERIES, folder, file);
    text = sr_campaign_path(&r->c, part, path) ? sr_file_read(path, TEXT_BYTES_MAX, NULL) : NULL;
    if (!text)
        return false;
    for (char *line = text, *next; *line; line = next) {
        size_t n = strcspn(line, "\n");

        next = line + n + (line[n] == '\n');
        printf("    %.*s\n", (int)n, line);
    }
    free(text);
    return true;
}

/* The lines of `evidence` that are not registers. */
static void put_evidence(const struct sr_report *r, const struct sr_discovery *d) {
    char folder[NAME_MAX + 1], part[2 * NAME_MAX], path[PATH_MAX], *text;
    struct sr_pair pairs[EVIDENCE_KEYS];
    static const struct {
        const char *key, *label;
    } rows[] = {{"args", "arguments"}, {"ip", "instruction"},   {"sp", "stack"},
                {"tid", "thread"},     {"call", "call number"}, {"first", "first process"}};

    sr_discovery_name(d->image, d->call, folder);
    snprintf(part, sizeof part, "%s/%s/evidence", SR_DIR_DISCOVERIES, folder);
    text = sr_campaign_path(&r->c, part, path) ? sr_file_read(path, TEXT_BYTES_MAX, NULL) : NULL;
    if (!text) {
        printf("  evidence       %s: %s\n", path, strerror(errno));
        return;
    }
    size_t n = sr_pairs_parse(text, pairs, EVIDENCE_KEYS);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = sr_pairs_get(pairs, n, rows[i].key);

        if (value)
            printf("  %-14s %s\n", rows[i].label,
                   strcmp(rows[i].key, "first") != 0 ? value
                   : *value == '1'                   ? "yes"
                                                     : "no, one that it started");
    }
    free(text);
}

static void put_call(const struct sr_report *r, const struct sr_report_call *c) {
    const struct sr_discovery *d = &c->d;
    const char *image = r->images[c->image].path;
    char name[SR_CALL_NAME_BYTES], when[32];

    printf("%s, made by %s\n", sr_call_name(c->call, name), image);
    printf("  origin         %s\n", c->origin == SR_ORIGIN_STARTUP
                                        ? "start-up: every run makes it before main"
                                    : c->origin == SR_ORIGIN_SEED ? "a seed makes it"
                                                                  : "fuzzing");
    if (sr_set_has(&r->images[c->image].attempted, c->call))
        printf("  refused        at least once, by the program's own seccomp filter\n");
    sr_report_put_role_names(r, r->images[c->image].slot, c->call, stdout);
    if (!c->found) {
        printf("  evidence       none of its own; %s\n",
               c->origin == SR_ORIGIN_STARTUP ? "no input was seen to make it after start-up"
                                              : "the forkserver has not seen it");
        if (c->witness[0])
            printf("  witness        %s/%s\n  run it again   sysreach replay %s %s/%s\n", r->c.dir,
                   c->witness, r->c.dir, r->c.dir, c->witness);
        return;
    }
    printf("  first          %s, input %" PRIu64 " of instance %s\n",
           sr_time_print(d->time_ms, when), d->input, d->instance);
    if (d->state == SR_STATE_PENDING)
        printf("  replays        none yet\n");
    else
        printf("  replays        %u of %u on the stock binary made it again (%s)\n", d->replayed,
               d->replays, sr_state_name(d->state));
    put_evidence(r, d);
    printf("  call stack\n");
    if (!put_file(r, d, "backtrace"))
        printf("    (not read yet)\n");
    printf("  scenario       %s/%s\n", r->c.dir, c->witness);
    if (!put_file(r, d, "scenario"))
        printf("    (not there any more)\n");
    printf("  run it again   sysreach replay %s %s\n", r->c.dir, name);
}

/* The chain to a call that the program was not observed to make. */
static void put_chain(struct sr_report *r, struct sr_call call) {
    const struct sr_report_gap *g;
    char name[SR_CALL_NAME_BYTES];

    r->bound = sr_report_bound_new(r);
    if (!r->bound) {
        sr_error("out of memory; free some");
        return;
    }
    for (size_t i = 0; i < r->bound->notes.n; i++)
        sr_error("%s", r->bound->notes.items[i]);
    if (!r->bound->computed)
        return;
    sr_call_name(call, name);
    g = sr_report_bound_gap(r->bound, call);
    if (g)
        sr_bound_print_chain(&r->bound->view[g->in_tight ? SR_POLICY_TIGHT : SR_POLICY_SOUND], name,
                             g->steps, g->n);
    else
        printf("%s is in no bound of %s%s\n", name, r->c.program,
               sr_bound_closed(&r->bound->view[SR_POLICY_SOUND])
                   ? ""
                   : ", but the bounds are not closed: they may lack calls");
}

static int show(const struct request *q, struct sr_report *r) {
    struct sr_call call;
    unsigned n = 0;

    if (!sr_call_parse(q->call, strlen(q->call), &call)) {
        sr_error("'%s' is no call of %s; names are as `sysreach set show` prints them", q->call,
                 sr_call_source());
        return SR_EXIT_USAGE;
    }
    for (size_t i = 0; i < r->n_calls; i++)
        if (sr_call_equal(r->calls[i].call, call) &&
            is_image(r->images[r->calls[i].image].path, q->image)) {
            if (n++)
                putchar('\n');
            put_call(r, &r->calls[i]);
        }
    if (n)
        return SR_EXIT_OK;
    printf("%s: not observed%s%s; this campaign has run %" PRIu64 " inputs\n", q->call,
           q->image ? " from " : "", q->image ? q->image : "", r->sum.finished);
    if (is_image(r->c.program, q->image))
        put_chain(r, call);
    return SR_EXIT_NO;
}

int sr_cmd_show(int argc, char **argv) {
    struct request q = {NULL, NULL, NULL};
    struct sr_report *r;
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &q))
        return SR_EXIT_USAGE;
    r = calloc(1, sizeof *r);
    if (!r) {
        sr_error("out of memory");
        return SR_EXIT_ENV;
    }
    if (sr_report_read(q.dir, r)) {
        status = SR_EXIT_USAGE;
    } else {
        status = show(&q, r);
        sr_report_free(r);
    }
    free(r);
    return status;
}
