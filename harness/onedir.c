/*
 * One campaign folder on the command line, see onedir.h.
 */
#include "onedir.h"

static const struct argp_option options[] = {{"json", 'j', NULL, 0, "Write JSON", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct sr_onedir *q = state->input;

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

const struct argp sr_onedir_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

bool sr_onedir_parse(int argc, char **argv, const char *doc, struct sr_onedir *out) {
    const struct argp argp = {options, parse, "DIR", doc, NULL, NULL, NULL};

    *out = (struct sr_onedir){0};
    return argp_parse(&argp, argc, argv, 0, NULL, out) == 0;
}
