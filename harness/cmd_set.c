/*
 * sysreach set: shows, merges, subtracts and compares sets, and tells names from numbers.
 *
 * The subcommands are rows of one table; they share one parser of options, and each row says which
 * options it takes. Whatever sr_setfile_read understands may stand for a SET.
 */
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "commands.h"
#include "names.h"
#include "setfile.h"

struct request {
    const char *command; /* "union" */
    const char *image, *output;
    bool numbers, json;
    char **args;
    int n_args;
};

static const struct argp_option opt_image = {
    "image",
    'i',
    "PATH",
    0,
    "Only the calls of this image: its path, or the last part of it. A set without images is taken "
    "as it is",
    0};
static const struct argp_option opt_output = {"output", 'o', "FILE", 0, "Write to FILE", 0};
static const struct argp_option opt_json = {"json", 'j', NULL, 0, "Write JSON", 0};
static const struct argp_option opt_numbers = {
    "numbers", 'n', NULL, 0, "Numbers instead of names, in their order and without a header", 0};

static bool has_images(const struct sr_setfile *sf) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, i))
            return true;
    return false;
}

static bool choose_image(struct sr_setfile *sf, const char *file, const char *image) {
    int slot = sr_setfile_image(sf, image);

    if (slot == -ENOTUNIQ)
        sr_error("%s: several images are called '%s'; give the whole path", file, image);
    else if (slot < 0)
        sr_error("%s: no image '%s'; `sysreach set show` lists those that it has", file, image);
    else if (!sr_setfile_keep_image(sf, (unsigned)slot))
        sr_error("%s: out of memory; free some", file);
    else
        return true;
    return false;
}

/* Reads one input and says on stderr what one should know about it. NULL: it said why. */
static struct sr_setfile *load(const char *file, const char *image) {
    struct sr_setfile_error err;
    struct sr_setfile *sf = sr_setfile_read(file, &err);

    if (!sf) {
        sr_error("%s", err.text);
        return NULL;
    }
    if (sf->skipped)
        sr_error("%s: %u names that %s does not know on x86-64 were skipped", file, sf->skipped,
                 sr_call_source());
    if (sf->conditional)
        sr_error("%s: %u calls are allowed on a condition only (arguments, capabilities, kernel); "
                 "they count as allowed",
                 file, sf->conditional);
    if (image && has_images(sf) && !choose_image(sf, file, image)) {
        sr_setfile_free(sf);
        return NULL;
    }
    if (sf->body.lost)
        sr_error("%s: the set is not complete: it met more unknown numbers than it holds", file);
    return sf;
}

/* True for a bound that says of itself that it may lack calls. */
static bool say_if_open(const char *file, const struct sr_setfile *sf) {
    for (unsigned i = 0; i < sf->n_keys; i++)
        if (strcmp(sf->keys[i].key, "closed") == 0 && strcmp(sf->keys[i].value, "no") == 0) {
            sr_error("%s: the bound is not closed: it may lack calls", file);
            return true;
        }
    return false;
}

static int save(const struct request *r, const struct sr_setfile *sf) {
    int err = sr_setfile_save(r->output, sf, r->json);

    if (!err)
        return SR_EXIT_OK;
    sr_error("%s: %s; nothing was written that can be relied on", r->output ? r->output : "stdout",
             strerror(-err));
    return SR_EXIT_ENV;
}

/* Numbers only, as text or as an array. There x32 calls have their bit and i386 ones their prefix,
 * so that both forms can be read again. */
static int show_numbers(const struct request *r, const struct sr_set *set) {
    json_t *array = r->json ? json_array() : NULL;
    char buf[SR_CALL_NAME_BYTES];
    struct sr_call c;

    for (unsigned at = 0; sr_set_next(set, &at, &c);) {
        if (!r->json)
            puts(sr_call_number(c, buf));
        else if (c.abi == SR_ABI_I386)
            json_array_append_new(array, json_string(sr_call_number(c, buf)));
        else
            json_array_append_new(
                array, json_integer(c.abi == SR_ABI_X32 ? c.nr | (int32_t)SR_X32_BIT : c.nr));
    }
    if (array) {
        json_dumpf(array, stdout, 0);
        putchar('\n');
        json_decref(array);
    }
    return SR_EXIT_OK;
}

static int run_show(const struct request *r) {
    struct sr_setfile *sf = load(r->args[0], r->image);
    int status;

    if (!sf)
        return SR_EXIT_USAGE;
    status = r->numbers ? show_numbers(r, &sf->body) : save(r, sf);
    sr_setfile_free(sf);
    return status;
}

/* "# made-by: sysreach set minus a b" */
static void note_origin(struct sr_setfile *sf, const struct request *r) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return;
    fprintf(f, "sysreach set %s", r->command);
    if (r->image)
        fprintf(f, " --image %s", r->image);
    for (int i = 0; i < r->n_args; i++)
        fprintf(f, " %s", r->args[i]);
    if (fclose(f) == 0)
        sr_setfile_key(sf, "made-by", "%s", text);
    free(text);
}

/* union, minus, intersect: the first set, then each further one applied to it. */
static int run_combine(const struct request *r) {
    struct sr_setfile *out = sr_setfile_new();
    bool is_union = strcmp(r->command, "union") == 0, is_minus = strcmp(r->command, "minus") == 0;
    bool fits = true, open = false;
    int status;

    if (!out) {
        sr_error("out of memory; free some");
        return SR_EXIT_ENV;
    }
    note_origin(out, r);
    for (int i = 0; i < r->n_args; i++) {
        struct sr_setfile *sf = load(r->args[i], r->image);

        if (!sf) {
            sr_setfile_free(out);
            return SR_EXIT_USAGE;
        }
        /* What a subtrahend lacks is too many in the result, not missing from it. */
        if (say_if_open(r->args[i], sf) && (i == 0 || !is_minus))
            open = true;
        if (is_union)
            fits = sr_setfile_merge(out, sf) && fits;
        else if (i == 0)
            out->body = sf->body;
        else if (is_minus)
            out->body = sr_set_minus(&out->body, &sf->body);
        else
            out->body = sr_set_intersect(&out->body, &sf->body);
        sr_setfile_free(sf);
    }
    if (!fits)
        sr_error("more images or objects than a set holds (256, 1024): some are left out, their "
                 "calls are not");
    if (is_union && out->body.lost)
        sr_error("the union is not complete: more unknown numbers than a set holds");
    if (open)
        sr_setfile_key(out, "closed", "no");
    status = save(r, out);
    sr_setfile_free(out);
    return status;
}

/* Known x86-64 calls of a set: those that percentages are of. */
static unsigned in_table(const struct sr_set *set) {
    struct sr_call c;
    unsigned n = 0;

    for (unsigned at = 0; sr_set_next(set, &at, &c);)
        n += c.abi == SR_ABI_X86_64 && sr_call_known(c);
    return n;
}

static double percent(const struct sr_set *set) {
    unsigned table = sr_call_table_count(SR_ABI_X86_64);

    return table ? 100.0 * in_table(set) / table : 0;
}

struct part {
    const char *title, *key;
    struct sr_set set;
};

static void print_part(const struct part *p, bool with_names, struct sr_names *names) {
    unsigned count = sr_set_count(&p->set), others = count - in_table(&p->set);
    int column = 0;

    printf("%-10s %4u  %5.1f %%", p->title, count, percent(&p->set));
    if (others)
        printf("  (and %u of them outside the table)", others);
    putchar('\n');
    if (!with_names)
        return;
    sr_names_of(&p->set, names);
    for (size_t i = 0; i < names->n; i++) {
        int len = (int)strlen(names->name[i]);

        if (column && column + 1 + len > 78) {
            putchar('\n');
            column = 0;
        }
        column += printf("%s%s", column ? " " : "    ", names->name[i]);
    }
    if (column)
        putchar('\n');
}

static void print_comparison(const struct request *r, const struct part *parts, size_t n,
                             struct sr_names *names) {
    printf("A: %s\nB: %s\n", r->args[0], r->args[1]);
    if (r->image)
        printf("image: %s\n", r->image);
    printf("percentages of the %u x86-64 calls that %s knows\n\n",
           sr_call_table_count(SR_ABI_X86_64), sr_call_source());
    for (size_t i = 0; i < n; i++)
        print_part(&parts[i], i >= 2, names);
}

static bool print_comparison_json(const struct request *r, const struct part *parts, size_t n,
                                  bool equal, struct sr_names *names) {
    json_t *out =
        json_pack("{s:s, s:i, s:s, s:s, s:i, s:s?, s:b}", "sysreach", "comparison", "version", 1,
                  "arch", "x86-64", "names_from", sr_call_source(), "table",
                  (int)sr_call_table_count(SR_ABI_X86_64), "image", r->image, "equal", equal);

    for (size_t i = 0; i < n; i++) {
        json_t *calls = json_array(),
               *part = json_pack("{s:i, s:f, s:o}", "count", (int)sr_set_count(&parts[i].set),
                                 "percent", percent(&parts[i].set), "calls", calls);

        sr_names_of(&parts[i].set, names);
        for (size_t k = 0; k < names->n; k++)
            json_array_append_new(calls, json_string(names->name[k]));
        if (i < 2) {
            char *file = sr_setfile_escape(r->args[i], true);

            json_object_set_new(part, "file", file ? json_string(file) : NULL);
            free(file);
        }
        json_object_set_new(out, parts[i].key, part);
    }
    if (out) {
        json_dumpf(out, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(4));
        putchar('\n');
    }
    json_decref(out);
    return out != NULL;
}

static int run_compare(const struct request *r) {
    struct sr_setfile *a = load(r->args[0], r->image), *b = a ? load(r->args[1], r->image) : NULL;
    struct sr_names *names = malloc(sizeof *names);
    int status = SR_EXIT_USAGE;

    if (a)
        say_if_open(r->args[0], a);
    if (b)
        say_if_open(r->args[1], b);
    if (a && b && names) {
        const struct part parts[] = {
            {"A", "a", a->body},
            {"B", "b", b->body},
            {"only in A", "only_a", sr_set_minus(&a->body, &b->body)},
            {"in both", "both", sr_set_intersect(&a->body, &b->body)},
            {"only in B", "only_b", sr_set_minus(&b->body, &a->body)},
        };
        size_t n = sizeof parts / sizeof *parts;
        bool equal = sr_set_equal(&a->body, &b->body);

        status = equal ? SR_EXIT_OK : SR_EXIT_NO;
        if (!r->json)
            print_comparison(r, parts, n, names);
        else if (!print_comparison_json(r, parts, n, equal, names))
            status = SR_EXIT_ENV;
    }
    free(names);
    sr_setfile_free(a);
    sr_setfile_free(b);
    return status;
}

static int run_names(const struct request *r) {
    char number[SR_CALL_NAME_BYTES], name[SR_CALL_NAME_BYTES];
    int status = SR_EXIT_OK;

    for (int i = 0; i < r->n_args; i++) {
        struct sr_setfile_error err = {""};
        const char *arg = r->args[i];
        struct sr_call c;

        if (!sr_call_parse(arg, strlen(arg), &c)) {
            sr_setfile_unknown_call(&err, "names", "", arg, strlen(arg));
            sr_error("%s", err.text);
            status = SR_EXIT_USAGE;
            continue;
        }
        printf("%s %s\n", sr_call_number(c, number), sr_call_name(c, name));
        if (!sr_call_known(c) && status == SR_EXIT_OK)
            status = SR_EXIT_NO;
    }
    return status;
}

static const struct subcommand {
    const char *name, *args, *summary, *doc;
    int min, max;
    const struct argp_option *options[4];
    int (*run)(const struct request *);
} subcommands[] = {
    {"show",
     "SET",
     "prints a set",
     "Prints a set in the text form, whatever form it was in: a header, then one name a line, "
     "sorted as `LC_ALL=C sort` does.",
     1,
     1,
     {&opt_image, &opt_numbers, &opt_json, &opt_output},
     run_show},
    {"union",
     "SET SET...",
     "all calls of several sets",
     "Merges sets: all calls that are in at least one of them. Images stay apart, each with the "
     "calls it made in any of the sets.",
     1,
     0,
     {&opt_image, &opt_json, &opt_output, NULL},
     run_combine},
    {"minus",
     "SET SET...",
     "calls of the first set that are in none of the others",
     "Prints the calls of the first set that are in none of the others.",
     2,
     0,
     {&opt_image, &opt_json, &opt_output, NULL},
     run_combine},
    {"intersect",
     "SET SET...",
     "calls that are in all of several sets",
     "Prints the calls that are in all of the sets.",
     2,
     0,
     {&opt_image, &opt_json, &opt_output, NULL},
     run_combine},
    {"compare",
     "SET SET",
     "what two sets share and what they do not",
     "Compares two sets A and B: how many calls, and which, are in A only, in both, in B only, "
     "with "
     "percentages of all x86-64 calls. Exit status 1: they differ.",
     2,
     2,
     {&opt_image, &opt_json, NULL, NULL},
     run_compare},
    {"names",
     "NUMBER|NAME...",
     "numbers of names and names of numbers",
     "Prints number and name of each call: 257, openat, i386:295, x32:openat, '#-1'. Exit status "
     "1: a number has no name.",
     1,
     0,
     {NULL, NULL, NULL, NULL},
     run_names},
};

#define N_SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

static const char inputs_doc[] =
    "\vA SET is a set file, a list of names, a JSON array of numbers or names, an OCI or Docker "
    "seccomp profile, a campaign folder, or - for stdin.";

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct request *r = state->input;

    switch (key) {
    case 'i':
        r->image = arg;
        return 0;
    case 'o':
        r->output = arg;
        return 0;
    case 'n':
        r->numbers = true;
        return 0;
    case 'j':
        r->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        r->args = state->argv + state->next;
        r->n_args = state->argc - state->next;
        state->next = state->argc;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(const struct subcommand *s, int argc, char **argv) {
    struct argp_option options[5];
    char doc[1024], name[64];
    struct argp argp = {options, parse_option, s->args, doc, NULL, NULL, NULL};
    struct request r = {.command = s->name};
    int n = 0, from_stdin = 0;

    memset(options, 0, sizeof options);
    for (int i = 0; i < 4 && s->options[i]; i++)
        options[n++] = *s->options[i];
    snprintf(doc, sizeof doc, "%s%s", s->doc, s->run == run_names ? "" : inputs_doc);
    snprintf(name, sizeof name, "sysreach set %s", s->name);
    argv[0] = name;
    if (argp_parse(&argp, argc, argv, 0, NULL, &r))
        return SR_EXIT_USAGE;
    if (r.n_args < s->min || (s->max && r.n_args > s->max)) {
        sr_error("set %s: %s; `sysreach set %s --help` tells more", s->name,
                 r.n_args < s->min ? "too few arguments" : "too many arguments", s->name);
        return SR_EXIT_USAGE;
    }
    for (int i = 0; i < r.n_args; i++)
        from_stdin += strcmp(r.args[i], "-") == 0;
    if (from_stdin > 1) {
        sr_error("set %s: stdin can be read once only; put one of the sets in a file", s->name);
        return SR_EXIT_USAGE;
    }
    if (r.numbers && r.output) {
        sr_error("set %s: --numbers goes to stdout; leave --output out", s->name);
        return SR_EXIT_USAGE;
    }
    return s->run(&r);
}

int sr_cmd_set(int argc, char **argv) {
    char doc[2048];
    struct argp argp = {NULL, NULL, "COMMAND ...", doc, NULL, NULL, NULL};
    size_t at;

    if (argc > 1 && argv[1][0] != '-') {
        for (size_t i = 0; i < N_SUBCOMMANDS; i++)
            if (strcmp(argv[1], subcommands[i].name) == 0)
                return run(&subcommands[i], argc - 1, argv + 1);
        sr_error("set: no command '%s'; `sysreach set --help` lists them", argv[1]);
        return SR_EXIT_USAGE;
    }
    at = (size_t)snprintf(doc, sizeof doc, "Works on sets of system calls.\n\nCommands:\n");
    for (size_t i = 0; i < N_SUBCOMMANDS && at < sizeof doc; i++)
        at += (size_t)snprintf(doc + at, sizeof doc - at, "  %-10s %s\n", subcommands[i].name,
                               subcommands[i].summary);
    if (at < sizeof doc)
        snprintf(doc + at, sizeof doc - at, "%s", inputs_doc);
    if (argp_parse(&argp, argc, argv, 0, NULL, NULL))
        return SR_EXIT_USAGE;
    argp_help(&argp, stderr, ARGP_HELP_USAGE | ARGP_HELP_SEE, argv[0]);
    return SR_EXIT_USAGE;
}
