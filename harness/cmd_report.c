/*
 * sysreach report: what a campaign observed, with a witness for each call, beside the bound.
 */
#include <stdlib.h>

#include "commands.h"
#include "onedir.h"
#include "report.h"

enum { KEY_NO_BOUND = 256 };

struct request {
    struct sr_onedir one;
    bool no_bound;
};

static const struct argp_option options[] = {
    {"no-bound", KEY_NO_BOUND, NULL, 0, "Do not compute the static bound", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct request *q = state->input;

    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &q->one;
        return 0;
    case KEY_NO_BOUND:
        q->no_bound = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&sr_onedir_argp, 0, NULL, 0}, {0}};

static const struct argp argp = {
    options,
    parse,
    "DIR",
    "Prints what the campaign in DIR observed: per image the start-up set, the seed set and what "
    "fuzzing added, each call with its witness and how often replays made it again; and which "
    "calls the program's code could make that were not observed.",
    children,
    NULL,
    NULL};

static int report(const struct request *q, struct sr_report *r) {
    int status = SR_EXIT_OK;

    if (sr_report_read(q->one.dir, r))
        return SR_EXIT_USAGE;
    if (!q->no_bound && !(r->bound = sr_report_bound_new(r)))
        sr_error("out of memory; there is no bound in the report");
    if (!q->one.json)
        sr_report_text(r, stdout);
    else if (sr_report_json(r, stdout))
        status = SR_EXIT_ENV;
    sr_report_free(r);
    return status;
}

int sr_cmd_report(int argc, char **argv) {
    struct request q = {{NULL, false}, false};
    struct sr_report *r;
    int status;

    if (argp_parse(&argp, argc, argv, 0, NULL, &q))
        return SR_EXIT_USAGE;
    r = calloc(1, sizeof *r);
    if (!r) {
        sr_error("out of memory");
        return SR_EXIT_ENV;
    }
    status = report(&q, r);
    free(r);
    return status;
}
