/*
 * sysreach report: what a campaign observed, with a witness for each call.
 */
#include <stdlib.h>

#include "commands.h"
#include "onedir.h"
#include "report.h"

static const char doc[] =
    "Prints what the campaign in DIR observed: per image the start-up set, the seed set and what "
    "fuzzing added, each call with its witness and how often replays made it again.";

int sr_cmd_report(int argc, char **argv) {
    struct sr_onedir q;
    struct sr_report *r;
    int status = SR_EXIT_OK;

    if (!sr_onedir_parse(argc, argv, doc, &q))
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
