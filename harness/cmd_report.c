/*
 * sysreach report: what a campaign observed, with a witness for each call.
 */
#include <argp.h>
#include <stdlib.h>

#include "commands.h"
#include "report.h"

struct request {
    const char *dir;
    bool json;
};

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "Write JSON", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct request *q = state->input;

    switch (key) {
    case 'j':
        q->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (q->dir)
            argp_error(state, "one campaign folder at a time");
        q->dir = arg;
        return 0;
    case ARGP_KEY_END:
        if (!q->dir)
            argp_error(state, "name a campaign folder");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    options,
    parse,
    "DIR",
    "Prints what the campaign in DIR observed: per image the start-up set, the seed set and what "
    "fuzzing added, each call with its witness and how often replays made it again.",
    NULL,
    NULL,
    NULL};

int sr_cmd_report(int argc, char **argv) {
    struct request q = {NULL, false};
    struct sr_report *r;
    int status = SR_EXIT_OK;

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
        if (q.json) {
            if (sr_report_json(r, stdout))
                status = SR_EXIT_ENV;
        } else {
            sr_report_text(r, stdout);
        }
        sr_report_free(r);
    }
    free(r);
    return status;
}
