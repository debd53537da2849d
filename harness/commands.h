/*
 * The subcommands of sysreach: one function each, in cmd_NAME.c, called by main.c.
 *
 * Each takes argc/argv beginning with its own name ("sysreach set"), parses them with argp and
 * returns the exit status: see SR_EXIT_*.
 */
#ifndef SR_COMMANDS_H
#define SR_COMMANDS_H

#define SR_VERSION "0.1.0"

enum {
    SR_EXIT_OK = 0,
    SR_EXIT_NO = 1,    /* the answer is "no": sets differ, a call did not happen */
    SR_EXIT_USAGE = 2, /* usage or bad input */
    SR_EXIT_ENV = 3,   /* the environment does not allow it */
};

int sr_cmd_trace(int argc, char **argv);
int sr_cmd_set(int argc, char **argv);
int sr_cmd_bound(int argc, char **argv);
int sr_cmd_fuzz(int argc, char **argv);
int sr_cmd_status(int argc, char **argv);
int sr_cmd_report(int argc, char **argv);
int sr_cmd_show(int argc, char **argv);
int sr_cmd_replay(int argc, char **argv);
int sr_cmd_init(int argc, char **argv);

/* "sysreach: …" and a newline on stderr. */
void sr_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
