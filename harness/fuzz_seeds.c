/*
 * The seeds that afl-fuzz gets: scenarios as they are, any other file wrapped in one.
 *
 * What PROGRAM is given on the command line becomes base.scn, the lines that stand before every
 * input; @@ there is the file `input` of the scenario's tree.
 */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "fuzz.h"
#include "layout.h"
#include "sysreach/scenario.h"

#define SEEDS_MAX    100000
#define INPUT_NAME   "input"
#define DEFAULT_PATH "PATH=/usr/local/bin:/usr/bin:/bin"

static bool has_input_file(const struct sr_fuzz *f) {
    for (int i = 1; i < f->options.n_words; i++)
        if (strstr(f->options.words[i], "@@"))
            return true;
    return false;
}

static struct sr_str str_of(char *p, size_t len) {
    return (struct sr_str){p, (uint32_t)len};
}

/* word with every @@ replaced; malloc'ed. */
static char *with_input(const char *word) {
    char *out = malloc(strlen(word) / 2 * sizeof INPUT_NAME + strlen(word) + 1), *to = out;

    for (const char *p = word; out && *p;) {
        if (p[0] == '@' && p[1] == '@') {
            memcpy(to, INPUT_NAME, sizeof INPUT_NAME - 1);
            to += sizeof INPUT_NAME - 1;
            p += 2;
        } else {
            *to++ = *p++;
        }
    }
    if (out)
        *to = 0;
    return out;
}

/* The canonical text of a scenario as malloc'ed memory. */
static char *printed(const struct sr_scenario *s, size_t *len) {
    *len = sr_scenario_print(s, false, NULL, 0);
    char *text = malloc(*len + 1);

    if (text)
        sr_scenario_print(s, false, text, *len);
    return text;
}

static int write_base(struct sr_fuzz *f, const struct sr_scenario *s) {
    char path[PATH_MAX], *text;
    size_t len;
    int err;

    text = printed(s, &len);
    if (!text)
        return -ENOMEM;
    err =
        sr_campaign_path(&f->c, SR_DIR_BASE, path) ? sr_file_write(path, text, len) : -ENAMETOOLONG;
    free(text);
    return err;
}

int sr_fuzz_base_of_command(struct sr_fuzz *f) {
    struct sr_scenario *s = calloc(1, sizeof *s);
    char env[] = DEFAULT_PATH;
    int err = f->options.n_words - 1 > SR_ARGS_MAX ? -E2BIG : 0;

    if (!s)
        return -ENOMEM;
    sr_scenario_init(s);
    s->envs[s->n_envs++] = str_of(env, sizeof env - 1);
    for (int i = 1; !err && i < f->options.n_words; i++) {
        char *word = with_input(f->options.words[i]);

        if (word)
            s->args[s->n_args++] = str_of(word, strlen(word));
        else
            err = -ENOMEM;
    }
    if (!err)
        err = write_base(f, s);
    for (unsigned i = 0; i < s->n_args; i++)
        free(s->args[i].p);
    free(s);
    return err;
}

/* A raw file as a scenario: the content of `input`, or of stdin. */
static char *wrapped(const struct sr_fuzz *f, char *bytes, size_t n, size_t *len) {
    struct sr_scenario *s = calloc(1, sizeof *s);
    char name[] = INPUT_NAME, *text;

    if (!s)
        return NULL;
    sr_scenario_init(s);
    s->segments[0] = (struct sr_segment){str_of(bytes, n), 1};
    s->n_segments = 1;
    if (has_input_file(f)) {
        s->nodes[0].kind = SR_NODE_FILE;
        s->nodes[0].name = str_of(name, sizeof name - 1);
        s->nodes[0].content = (struct sr_content){0, 1};
        s->n_nodes = 1;
    } else {
        s->stdio[0] = SR_STDIO_PIPE;
        s->input = (struct sr_content){0, 1};
    }
    text = printed(s, len);
    free(s);
    return text;
}

static int write_seed(struct sr_fuzz *f, const char *name, const char *text, size_t len) {
    char part[NAME_MAX + 64], path[PATH_MAX];
    int err;

    snprintf(part, sizeof part, "%s/%s", SR_DIR_SEEDS, name);
    err = sr_campaign_path(&f->c, part, path) ? sr_file_write(path, text, len) : -ENAMETOOLONG;
    if (err)
        sr_error("%s/%s: %s", f->c.dir, part, strerror(-err));
    return err;
}

static bool is_scenario_name(const char *name) {
    size_t n = strlen(name);

    return n > 4 && strcmp(name + n - 4, ".scn") == 0;
}

/* 1: one more seed; 0: left out, which was said; -1: cannot go on. */
static int take_seed(struct sr_fuzz *f, const char *from, const char *name) {
    char path[PATH_MAX], out[NAME_MAX + 1], *bytes, *text = NULL;
    size_t n, len;
    int result = 0;

    if (snprintf(path, sizeof path, "%s/%s", from, name) >= (int)sizeof path)
        return 0;
    bytes = sr_file_read(path, SR_TEXT_MAX, &n);
    if (!bytes) {
        sr_error("seed %s left out: %s", path,
                 errno == EFBIG ? "longer than 1 MiB" : strerror(errno));
        return 0;
    }
    if (!n) {
        sr_error("seed %s left out: it is empty, and afl-fuzz takes no empty one", path);
    } else if (is_scenario_name(name)) {
        result = write_seed(f, name, bytes, n) ? -1 : 1;
    } else if (!(text = wrapped(f, bytes, n, &len))) {
        sr_error("out of memory");
        result = -1;
    } else if (len > SR_TEXT_MAX || snprintf(out, sizeof out, "%s.scn", name) >= (int)sizeof out) {
        sr_error("seed %s left out: as a scenario it is longer than 1 MiB, or its name is too long",
                 path);
    } else {
        result = write_seed(f, out, text, len) ? -1 : 1;
    }
    free(text);
    free(bytes);
    return result;
}

static int no_dots(const struct dirent *e) {
    return e->d_name[0] != '.';
}

/* Whether one of the patterns, divided by blanks, is for this name. */
static bool is_wanted(const char *globs, const char *name) {
    char glob[NAME_MAX + 1];
    size_t len;

    for (; *globs; globs += len) {
        globs += strspn(globs, " \t");
        len = strcspn(globs, " \t");
        snprintf(glob, sizeof glob, "%.*s", (int)len, globs);
        if (len && fnmatch(glob, name, FNM_EXTMATCH) == 0)
            return true;
    }
    return false;
}

int sr_fuzz_seeds(struct sr_fuzz *f, const char *from, const char *globs) {
    struct dirent **names = NULL;
    long seeds = 0;

    if (!from) {
        const char *text = has_input_file(f) ? "file " INPUT_NAME "\n|a\n" : "stdin pipe\n|a\n";
        return write_seed(f, "minimal.scn", text, strlen(text)) ? SR_EXIT_ENV : SR_EXIT_OK;
    }
    int n = scandir(from, &names, no_dots, alphasort);
    if (n < 0) {
        sr_error("%s: %s; -i wants a folder of seeds", from, strerror(errno));
        return SR_EXIT_USAGE;
    }
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        struct stat st;

        snprintf(path, sizeof path, "%s/%s", from, names[i]->d_name);
        if (seeds >= 0 && seeds < SEEDS_MAX && (!globs || is_wanted(globs, names[i]->d_name)) &&
            stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
            int taken = take_seed(f, from, names[i]->d_name);
            seeds = taken < 0 ? -1 : seeds + taken;
        }
        free(names[i]);
    }
    free(names);
    if (seeds == 0) {
        if (globs)
            sr_error("%s: no seed called %s; see the target's line `quick`", from, globs);
        else
            sr_error("%s: no seed in it; one file with one line is enough", from);
        return SR_EXIT_USAGE;
    }
    return seeds < 0 ? SR_EXIT_ENV : SR_EXIT_OK;
}
