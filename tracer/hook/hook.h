/*
 * The hook library: a forkserver for AFL++ inside the program under test, with a recorder.
 *
 * libsysreach-hook.so is preloaded into the program (AFL_PRELOAD). Where main would begin it speaks
 * AFL++'s forkserver protocol instead: one child for each scenario, followed by the recorder until
 * nothing of it is left. It depends on libc alone, allocates nothing from the program's heap, and
 * once the filter is in place makes every call through the gate (sys.h).
 */
#ifndef SR_HOOK_H
#define SR_HOOK_H

#include "run.h"

#define SR_HOOK_ENV "SYSREACH_HOOK" /* names the configuration file */

#define SR_HOOK_WORDS_MAX 16

/* The configuration: lines "key value"; docs/file-formats.md lists the keys. */
struct sr_hook_conf {
    const char *program; /* image name of the program, whatever file really runs */
    const char *union_path;
    const char *discoveries; /* folder */
    const char *inputs;      /* log that is appended to */
    const char *base;        /* scenario lines that stand before every input */
    const char *root;        /* top of each scenario's tree */
    const char *instance;
    const char *hide;   /* in the sandbox: what the program must not see; NULL: not in one */
    uint64_t keep_caps; /* see struct sr_run */
    unsigned slot;      /* of the instance in the union */
    unsigned grace_ms;
    bool record;
    const char *session[SR_HOOK_WORDS_MAX]; /* see sr_scenario_depth */
    size_t n_session;
    const char *prelude[SR_HOOK_WORDS_MAX]; /* "FUNCTION ARG..." */
    size_t n_prelude;
    const char *fresh[SR_HOOK_WORDS_MAX]; /* how names of variables begin that the prelude reads */
    size_t n_fresh;
    const char *roles[SR_ROLE_RULES_MAX]; /* rules, see sr_roles_rule */
    unsigned n_roles;
    char text[16384];
};

/* Addresses of the program's own code, for call sites. */
struct sr_code {
    uintptr_t lo, hi;
};

struct sr_hook {
    struct sr_hook_conf conf;
    struct sr_run run;
    struct sr_union *u;
    struct sr_union_instance *instance;
    struct sr_code code;
    uint8_t *map;      /* AFL++'s, at our first entry; NULL: not under AFL++ */
    uint32_t map_size; /* whole map, as announced */
    bool site_is_new;  /* in this run */
    char *base_text;
    size_t base_len;
    const uint8_t *shm_input; /* length and bytes of the test case; NULL: on descriptor 0 */
    char *input;              /* buffer for the latter */
    const char *data;         /* the test case of this run */
    size_t len;
    enum sr_depth depth; /* of this run */
    uint64_t hash, last_hash, logged_sets;
    int discoveries, inputs;
    char *print; /* room for a scenario's text */
    const unsigned long *auxv;
};

/* conf.c: 0 or a negative errno; bad keys are ignored. */
int sr_hook_read_conf(struct sr_hook_conf *c, const char *path);
/* Appends a line to PATH.error, because afl-fuzz sends stderr to /dev/null. */
void sr_hook_error(const char *conf_path, const char *what, int err);

/* forkserver.c */
int sr_hook_set_up(struct sr_hook *h, const char *conf_path);
/* Serves until AFL++ goes away. Returns only in children, with what main gets. */
struct sr_argblock;
void sr_hook_serve(struct sr_hook *h, struct sr_argblock *out);

/* prelude.c: before the filter. 0 or a negative errno; -ENOENT: the program has no such function.
 */
int sr_hook_prelude(struct sr_hook *h);
/* Whether this scenario sets a variable that the prelude has read: then the child runs the program
 * anew, by an exec. */
bool sr_hook_is_fresh(const struct sr_hook *h);

/* feedback.c: marks the map entry of a call site. */
void sr_hook_site(struct sr_hook *h, const struct sr_stop *stop);

/* evidence.c: writes the folder of a discovery. */
int sr_hook_witness(struct sr_hook *h, const struct sr_stop *stop);

/* inputlog.c: appends this run to the log where it is worth it. */
void sr_hook_log(struct sr_hook *h);

#define SR_PRINT_BYTES (8u << 20)

#endif
