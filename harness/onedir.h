/*
 * Command lines of the form "COMMAND [--json] DIR", for those that look at one campaign.
 */
#ifndef SR_ONEDIR_H
#define SR_ONEDIR_H

#include <argp.h>
#include <stdbool.h>

struct sr_onedir {
    const char *dir;
    bool json;
};

/* For a command with further options: a child of its argp, whose input is a struct sr_onedir. */
extern const struct argp sr_onedir_argp;

/* doc: what --help says. Ends the process on bad usage, as argp does; false: it could not parse. */
bool sr_onedir_parse(int argc, char **argv, const char *doc, struct sr_onedir *out);

#endif
