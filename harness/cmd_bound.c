/*
 * sysreach bound: the calls that a program's code could make, from its ELF files.
 *
 * One bound is computed; what is shown of it is the set, the chains to calls, the unresolved sites,
 * the counts, or how real call stacks fit it. With --output the set is written besides.
 */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bound_check.h"
#include "bound_json.h"
#include "bound_observed.h"
#include "bound_print.h"
#include "bound_view.h"
#include "commands.h"
#include "names.h"
#include "paths.h"

enum { KEY_OBSERVED = 256, KEY_ROOT };

enum mode { MODE_SET, MODE_WHY, MODE_UNRESOLVED, MODE_STATS, MODE_CHECK };

struct options {
    enum mode mode;
    enum sr_policy policy;
    const char *program, *root, *check, *output;
    struct sr_list modules, observed, why;
    size_t left_out; /* observed objects that are not in the bound */
    bool json;
};

static int no_memory(void) {
    sr_error("out of memory; free some");
    return SR_EXIT_ENV;
}

static int tell(const struct sr_object_error *err) {
    sr_error("%s", err->text);
    return err->environment ? SR_EXIT_ENV : SR_EXIT_USAGE;
}

/* A named file that is not there is the caller's mistake, not the environment's. */
static bool is_missing(const char *root, const char *file) {
    char path[PATH_MAX];
    struct stat st;

    return snprintf(path, sizeof path, "%s%s%s", root ? root : "", root ? "/" : "", file) >=
               (int)sizeof path ||
           (lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG));
}

/* As a shell finds it; in another root it is a path there. */
static int find_program(const struct options *o, char *buf, size_t size) {
    struct stat st;

    if (o->root && (stat(o->root, &st) || !S_ISDIR(st.st_mode))) {
        sr_error("%s: no folder; name the top of a tree of files", o->root);
        return SR_EXIT_USAGE;
    }
    if (!o->root && sr_paths_program(o->program, buf, size) == 0)
        return SR_EXIT_OK;
    if ((!o->root && errno == ENOENT) || is_missing(o->root, o->program)) {
        sr_error("%s: no such program%s%s; give its path", o->program, o->root ? " in " : "",
                 o->root ? o->root : "");
        return SR_EXIT_USAGE;
    }
    /* Whoever reads it says what is wrong with it. */
    return snprintf(buf, size, "%s", o->program) < (int)size ? SR_EXIT_OK : SR_EXIT_USAGE;
}

/* Adds what was observed loaded to the modules. */
static int add_observed(struct options *o, const struct sr_closure_request *r) {
    struct sr_closure_request bare = {.program = r->program, .root = r->root};
    struct sr_observed seen = {.modules = &o->modules};
    struct sr_object_error err;
    struct sr_closure *start;
    int status = SR_EXIT_OK;

    if (!o->observed.n)
        return SR_EXIT_OK;
    start = sr_closure_open(&bare, &err);
    if (!start)
        return tell(&err);
    for (size_t i = 0; status == SR_EXIT_OK && i < o->observed.n; i++)
        status = sr_bound_observed(o->observed.items[i], start, o->root, &seen);
    o->left_out = seen.left_out;
    sr_closure_close(start);
    return status;
}

static int print_json(json_t *value) {
    if (!value)
        return no_memory();
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
    return SR_EXIT_OK;
}

static int write_set(const struct options *o, const struct sr_bound_view *v) {
    struct sr_setfile *sf = sr_bound_view_set(v);
    int err;

    if (sf && o->json)
        sf->more = sr_bound_json_members(v);
    if (!sf || (o->json && !sf->more) ||
        (o->left_out && !sr_setfile_key(sf, "left-out", "%zu", o->left_out))) {
        sr_setfile_free(sf);
        return no_memory();
    }
    if (sf->u->names_lost)
        sr_error("more objects than a set holds (%d); some are not named in it", SR_OBJECTS_MAX);
    err = sr_setfile_save(o->output, sf, o->json);
    sr_setfile_free(sf);
    if (!err)
        return SR_EXIT_OK;
    sr_error("%s: %s; nothing was written that can be relied on", o->output ? o->output : "stdout",
             strerror(-err));
    return SR_EXIT_ENV;
}

static bool parse_call(const char *text, struct sr_call *call) {
    struct sr_setfile_error err = {""};

    if (sr_call_parse(text, strlen(text), call))
        return true;
    sr_setfile_unknown_call(&err, "--why", "", text, strlen(text));
    sr_error("%s", err.text);
    return false;
}

static void say_not_in_bound(const struct sr_bound_view *v, const char *name) {
    printf("%s is not in the %s bound of %s", name, sr_policy_name(v->request->policy),
           v->paths[0]);
    if (!sr_bound_closed(v))
        printf(", but the bound is not closed: %zu sites have numbers that are not known",
               v->result->n_unresolved);
    putchar('\n');
}

/* One chain, printed or put into the array. SR_EXIT_NO: there is none. */
static int show_chain(const struct sr_bound_view *v, struct sr_call call, json_t *chains) {
    char buf[SR_CALL_NAME_BYTES];
    const char *name = sr_call_name(call, buf);
    struct sr_step *steps = NULL;
    int n = sr_bound_why(v->bound, call, &steps), status = n ? SR_EXIT_OK : SR_EXIT_NO;

    if (n < 0)
        return no_memory();
    if (chains && json_array_append_new(chains, sr_bound_json_chain(v, name, steps, n)))
        status = no_memory();
    else if (!chains && n)
        sr_bound_print_chain(v, name, steps, n);
    else if (!chains)
        say_not_in_bound(v, name);
    free(steps);
    return status;
}

static int show_why(const struct options *o, const struct sr_bound_view *v) {
    json_t *chains = o->json ? json_array() : NULL;
    int status = SR_EXIT_OK;

    if (o->json && !chains)
        return no_memory();
    for (size_t i = 0; i < o->why.n; i++) {
        struct sr_call call = {0, 0};
        int s = parse_call(o->why.items[i], &call) ? SR_EXIT_OK : SR_EXIT_USAGE;

        if (i && !o->json)
            putchar('\n');
        if (s == SR_EXIT_OK)
            s = show_chain(v, call, chains);
        status = s > status ? s : status;
    }
    if (o->json && print_json(sr_bound_json_chains(v, chains)))
        status = SR_EXIT_ENV;
    return status;
}

static int show_check(const struct options *o, const struct sr_bound_view *v, FILE *from) {
    struct sr_bound_check *c = sr_bound_check_read(v, from);
    int status = SR_EXIT_OK;

    if (!c) {
        sr_error("%s: %s; nothing was checked", o->check, strerror(errno));
        return errno == EISDIR ? SR_EXIT_USAGE : SR_EXIT_ENV;
    }
    if (c->passed_over)
        sr_error("%s: passed over what is no frame: %llu line%s", o->check,
                 (unsigned long long)c->passed_over, c->passed_over == 1 ? "" : "s");
    if (!c->total) {
        sr_error("%s: no frames in it; give what `strace -k` writes, or lines \"OBJECT 0xOFFSET\"",
                 o->check);
        status = SR_EXIT_USAGE;
    } else if (o->json) {
        status = print_json(sr_bound_json_check(v, c));
    } else {
        sr_bound_print_check(v, c);
    }
    if (status == SR_EXIT_OK && c->not_reachable)
        status = SR_EXIT_NO;
    sr_bound_check_free(c);
    return status;
}

static int show(const struct options *o, const struct sr_bound_view *v, FILE *stacks) {
    int status = SR_EXIT_OK;

    for (size_t i = 0; i < v->closure->n_notes; i++)
        sr_error("%s", v->closure->notes[i]);
    if (o->mode == MODE_SET || o->output)
        status = write_set(o, v);
    if (status)
        return status;
    switch (o->mode) {
    case MODE_WHY:
        return show_why(o, v);
    case MODE_CHECK:
        return show_check(o, v, stacks);
    case MODE_UNRESOLVED:
        if (o->json)
            return print_json(sr_bound_json_unresolved(v));
        sr_bound_print_unresolved(v);
        return SR_EXIT_OK;
    case MODE_STATS:
        if (o->json)
            return print_json(sr_bound_json_stats(v));
        sr_bound_print_stats(v);
        return SR_EXIT_OK;
    case MODE_SET:
        if (!sr_bound_closed(v))
            sr_error("the bound is not closed: the numbers of %zu sites are not known; "
                     "--unresolved lists them",
                     v->result->n_unresolved);
    }
    return SR_EXIT_OK;
}

static int run(struct options *o, FILE *stacks) {
    struct sr_bound_request r = {.policy = o->policy, .closure = {.root = o->root}};
    struct sr_object_error err = {"", false};
    struct sr_bound_view v;
    struct sr_bound *b;
    char program[PATH_MAX];
    int status = find_program(o, program, sizeof program);

    r.closure.program = program;
    for (size_t i = 0; status == SR_EXIT_OK && i < o->modules.n; i++)
        if (is_missing(o->root, o->modules.items[i])) {
            sr_error("%s: no such module; give its path", o->modules.items[i]);
            status = SR_EXIT_USAGE;
        }
    if (status == SR_EXIT_OK)
        status = add_observed(o, &r.closure);
    if (status)
        return status;
    r.closure.modules = (const char *const *)o->modules.items;
    r.closure.n_modules = o->modules.n;
    b = sr_bound_compute(&r, &err);
    if (!b)
        return tell(&err);
    if (sr_bound_view_init(&v, b, &r)) {
        status = show(o, &v, stacks);
        sr_bound_view_free(&v);
    } else {
        status = no_memory();
    }
    sr_bound_free(b);
    return status;
}

/* What can be said before the work is done. */
static int prepare(const struct options *o, FILE **stacks) {
    unsigned from_stdin = o->check && strcmp(o->check, "-") == 0;
    struct sr_call call;
    struct stat st;

    *stacks = NULL;
    for (size_t i = 0; i < o->why.n; i++)
        if (!parse_call(o->why.items[i], &call))
            return SR_EXIT_USAGE;
    for (size_t i = 0; i < o->observed.n; i++)
        from_stdin += strcmp(o->observed.items[i], "-") == 0;
    if (from_stdin > 1) {
        sr_error("stdin can be read once only; put one of the inputs in a file");
        return SR_EXIT_USAGE;
    }
    if (!o->check)
        return SR_EXIT_OK;
    *stacks = strcmp(o->check, "-") == 0 ? stdin : fopen(o->check, "re");
    if (*stacks && fstat(fileno(*stacks), &st) == 0 && S_ISDIR(st.st_mode)) {
        if (*stacks != stdin)
            fclose(*stacks);
        *stacks = NULL;
        errno = EISDIR;
    }
    if (*stacks)
        return SR_EXIT_OK;
    sr_error("%s: %s; check the name", o->check, strerror(errno));
    return SR_EXIT_USAGE;
}

static const struct argp_option option_list[] = {
    {"policy", 'p', "sound|tight", 0,
     "sound: every code address taken anywhere counts as called; tight (the default): only those "
     "that reachable code and data can name",
     0},
    {"module", 'm', "SO", 0, "An object that the program loads at run time; may be repeated", 0},
    {"observed", KEY_OBSERVED, "DIR", 0,
     "Every object that the program was seen to map is a module: a campaign folder, a trace, a "
     "union; may be repeated",
     0},
    {"root", KEY_ROOT, "DIR", 0, "Paths are those of the tree of files under DIR", 0},
    {"why", 'w', "CALL", 0, "Show how the code gets to CALL; may be repeated", 1},
    {"unresolved", 'u', NULL, 0, "List the sites whose number is not known", 1},
    {"stats", 's', NULL, 0, "Count functions, bytes and sites of each object", 1},
    {"check", 'c', "FILE", 0,
     "Check that all frames of FILE ('-': stdin), a log of `strace -k` or lines \"OBJECT "
     "0xOFFSET\", lie in reachable code",
     1},
    {"json", 'j', NULL, 0, "As JSON", 2},
    {"output", 'o', "FILE", 0, "Write the set to FILE, also where something else is shown", 2},
    {0},
};

static void set_mode(struct options *o, enum mode mode, struct argp_state *state) {
    if (o->mode != MODE_SET && o->mode != mode)
        argp_error(state, "one of --why, --unresolved, --stats and --check");
    o->mode = mode;
}

static void add_to(struct sr_list *list, const char *arg, struct argp_state *state) {
    if (!sr_list_add(list, arg))
        argp_failure(state, SR_EXIT_ENV, 0, "out of memory; free some");
}

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;

    switch (key) {
    case 'p':
        if (strcmp(arg, "sound") != 0 && strcmp(arg, "tight") != 0)
            argp_error(state, "policy '%s' is neither sound nor tight", arg);
        o->policy = strcmp(arg, "sound") == 0 ? SR_POLICY_SOUND : SR_POLICY_TIGHT;
        return 0;
    case 'm':
        add_to(&o->modules, arg, state);
        return 0;
    case KEY_OBSERVED:
        add_to(&o->observed, arg, state);
        return 0;
    case KEY_ROOT:
        o->root = *arg ? arg : NULL;
        return 0;
    case 'w':
        add_to(&o->why, arg, state);
        set_mode(o, MODE_WHY, state);
        return 0;
    case 'u':
        set_mode(o, MODE_UNRESOLVED, state);
        return 0;
    case 's':
        set_mode(o, MODE_STATS, state);
        return 0;
    case 'c':
        o->check = arg;
        set_mode(o, MODE_CHECK, state);
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->program)
            argp_error(state, "one program");
        o->program = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->program)
            argp_error(state, "which program?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int sr_cmd_bound(int argc, char **argv) {
    static const struct argp argp = {
        option_list,
        parse_option,
        "PROGRAM",
        "The system calls that a program's code could make, from its ELF files and those of the "
        "libraries that it needs: an upper bound to what can be observed.\v"
        "The set is written to stdout. It is not closed, and says so, where the number of a "
        "reachable system-call instruction is not known. Exit status 1: a call of --why is not in "
        "the bound, a frame of --check is not reachable.",
        NULL,
        NULL,
        NULL};
    struct options o = {.policy = SR_POLICY_TIGHT};
    FILE *stacks = NULL;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &o);
    status = prepare(&o, &stacks);
    if (status == SR_EXIT_OK)
        status = run(&o, stacks);
    if (stacks && stacks != stdin)
        fclose(stacks);
    sr_list_free(&o.modules);
    sr_list_free(&o.observed);
    sr_list_free(&o.why);
    return status;
}
