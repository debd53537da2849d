/*
 * A target: a program under study, how to get and run it, and what inputs of it are made of.
 *
 * Read from a commented text file (docs/targets.md). Options and variables are templates: words
 * with places in them, each of a kind that has values ("<num>", "<always|never|auto>"). The command
 * line reads the upper half, the mutator the lower one; both use this parser, which needs libc
 * alone.
 */
#ifndef SR_TARGET_H
#define SR_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "sysreach/scenario.h"

#define SR_GRACE_DEFAULT_MS 20
#define SR_GRACE_MAX_MS     60000
#define SR_TARGET_BYTES_MAX (1u << 20) /* of a target file */

struct sr_strings {
    char **v; /* v[n] is NULL where n is not 0 */
    size_t n;
};

/* How values of a kind come about, besides those listed. */
enum sr_make {
    SR_MAKE_LISTED, /* not at all */
    SR_MAKE_NUMBER, /* any number */
    SR_MAKE_TEXT,   /* any text */
    SR_MAKE_FILE,   /* names in the scenario's tree: of files, symlinks and fifos */
    SR_MAKE_DIR,    /* of directories */
    SR_MAKE_PATH,   /* of anything */
};

/* Values that fit in a place. Alternatives are a kind without a name. */
struct sr_kind {
    char *name;
    enum sr_make make;
    struct sr_strings values; /* decoded; may hold any byte but NUL */
};

/* Text and then, unless kind is negative, a value of that kind. */
struct sr_piece {
    char *text;
    int kind; /* index in sr_target.kinds */
};

/* One argument, or a variable's value. */
struct sr_template {
    struct sr_piece *pieces;
    size_t n;
};

struct sr_option { /* one or more arguments that belong together */
    struct sr_template *words;
    size_t n;
};

struct sr_target_env {
    char *name;
    struct sr_template value;
};

/* A line that may stand in a file of the scenario whose name matches the glob. */
struct sr_target_line {
    char *glob;
    struct sr_template text;
};

/* "bind NAME PATH": what the set-up script made under NAME is shown, read-only, at PATH. */
struct sr_target_bind {
    char *name, *path;
};

/* "role IMAGE NAME CONDITION...": which processes of an image (its base name) play a role. */
struct sr_target_role {
    char *image, *name;
    struct sr_strings
        conditions; /* docs/targets.md; "calls=listen", "!execs", "child-of=monitor" */
    unsigned line;  /* in the target file, for messages */
};

struct sr_target {
    char *name;                       /* the file's name */
    char *program;                    /* as written: a path, or a name for PATH */
    char *package;                    /* Debian binary package, or NULL */
    char *built;                      /* the program in the built source tree, or NULL */
    struct sr_strings build;          /* shell lines before make */
    struct sr_strings depends;        /* packages that building needs */
    char *seeds;                      /* folder, or NULL: the default one */
    char *reference_name, *reference; /* a set to compare with, or NULL */
    char *base;                       /* scenario text that stands before every input; "" if none */
    unsigned grace_ms;                /* how long an input's leftover processes may go on */
    struct sr_strings needs;          /* packages whose programs the scenarios use */
    struct sr_strings capabilities; /* that the program keeps when the user is root: "CAP_CHOWN" */
    char *setup;   /* shell script: fills the fixtures folder, its only argument; NULL: none */
    char *grammar; /* shell script: prints more lines of this file for the installed version, gets
                      the program's path; NULL: none */
    struct sr_target_bind *binds;
    size_t n_binds;
    struct sr_target_role *roles;
    size_t n_roles;
    struct sr_strings session;  /* words that tell a real counterpart; see enum sr_depth */
    unsigned budget[SR_DEPTHS]; /* shares of the time in percent; all 0: none given */
    struct sr_strings
        prelude;             /* "FUNCTION ARG...": what the forkserver may do once for all inputs */
    struct sr_strings fresh; /* how names of variables begin that the prelude reads */
    char *quick;             /* glob of the seeds that the quick profile takes, or NULL: all */

    struct sr_kind *kinds; /* the built-in ones first, always in the same order */
    size_t n_kinds;
    struct sr_option *options;
    size_t n_options;
    struct sr_target_env *envs;
    size_t n_envs;
    struct sr_target_line *lines;
    size_t n_lines;
    struct sr_strings sections; /* first words of lines that begin a section of a file */
};

/*
 * Reads a target file. seeds and reference become relative to the file's folder. 0, or -1 with
 * "FILE: line N: what; what to do" in err; *t is then as after sr_target_free.
 */
int sr_target_read(const char *path, struct sr_target *t, char *err, size_t size);

/* A target without a file: built-in kinds, no options. 0, or -1: out of memory. */
int sr_target_init(struct sr_target *t);

void sr_target_free(struct sr_target *t);

/* A kind's index by its name, or -1. */
int sr_target_kind(const struct sr_target *t, const char *name);

/* A capability's number by its name ("CAP_KILL"), or -1. */
int sr_target_capability(const char *name);

#endif
