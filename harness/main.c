/*
 * sysreach: finds the command that is named and hands over to it.
 *
 * The table is the one list of commands: it dispatches, and --help prints it.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "names.h"

static const struct command {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"trace", "records the system calls of one run", sr_cmd_trace},
    {"set", "shows, merges and compares sets", sr_cmd_set},
    {"bound", "the calls that a program's code could make, from its files", sr_cmd_bound},
    {"fuzz", "runs a campaign: AFL++ with every call recorded", sr_cmd_fuzz},
    {"status", "how a campaign stands", sr_cmd_status},
    {"report", "what a campaign observed", sr_cmd_report},
    {"show", "the evidence for one call", sr_cmd_show},
    {"replay", "runs an input again and says whether a call happens", sr_cmd_replay},
    {"init", NULL, sr_cmd_init}, /* not listed */
};

#define N_COMMANDS (sizeof commands / sizeof *commands)

static void print_version(FILE *to, struct argp_state *state) {
    (void)state;
    fprintf(to, "sysreach %s (%s)\n", SR_VERSION, sr_call_source());
}

static int help(int argc, char **argv) {
    char doc[2048];
    struct argp argp = {NULL, NULL, "COMMAND ...", doc, NULL, NULL, NULL};
    size_t at = (size_t)snprintf(doc, sizeof doc,
                                 "Which system calls a program can make, with evidence.\n\n"
                                 "Commands:\n");

    for (size_t i = 0; i < N_COMMANDS && at < sizeof doc; i++)
        if (commands[i].summary)
            at += (size_t)snprintf(doc + at, sizeof doc - at, "  %-8s %s\n", commands[i].name,
                                   commands[i].summary);
    if (at < sizeof doc)
        snprintf(doc + at, sizeof doc - at,
                 "\v`sysreach COMMAND --help` and the page sysreach-COMMAND(1) tell more.\n\n"
                 "Exit status: 0 done, 1 the answer is \"no\", 2 usage or bad input, 3 the "
                 "environment does not allow it.");
    if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
        return SR_EXIT_USAGE;
    argp_help(&argp, stderr, ARGP_HELP_USAGE | ARGP_HELP_SEE, argv[0]);
    return SR_EXIT_USAGE;
}

static int dispatch(const struct command *command, int argc, char **argv) {
    char name[32];
    int status;

    snprintf(name, sizeof name, "sysreach %s", command->name);
    argv[1] = name;
    status = command->run(argc - 1, argv + 1);
    /* A result that did not reach its reader is no result. */
    if (fflush(stdout) || ferror(stdout)) {
        sr_error("stdout: %s; the output is not complete", strerror(errno));
        return SR_EXIT_ENV;
    }
    return status;
}

int main(int argc, char **argv) {
    argp_err_exit_status = SR_EXIT_USAGE;
    argp_program_version_hook = print_version;
    if (argc < 2 || argv[1][0] == '-')
        return help(argc, argv);
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return dispatch(&commands[i], argc, argv);
    sr_error("no command '%s'; `sysreach --help` lists them", argv[1]);
    return SR_EXIT_USAGE;
}
