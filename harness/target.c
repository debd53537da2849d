/*
 * Target files: lines of "KEY REST", read into struct sr_target (docs/targets.md).
 *
 * A mistake is an error with its line, never a line that silently does nothing: people write these
 * files by hand. Kinds may be used before their values are given, so places are resolved by name
 * when they are met, and kinds that got no value are found at the end.
 */
#include "target_private.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct sr_target *t;
    const char *path;
    unsigned line;
    unsigned *kind_line; /* where each kind was first met; 0: built in */
    size_t base_len;
    bool has_grace, has_budget;
    char *err;
    size_t err_size;
};

/* Writes "PATH: line N: what"; returns false, so that callers can return it. */
__attribute__((format(printf, 2, 3))) static bool fail(struct reader *r, const char *format, ...) {
    char what[512];
    va_list ap;

    va_start(ap, format);
    vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    if (r->line)
        snprintf(r->err, r->err_size, "%s: line %u: %s", r->path, r->line, what);
    else
        snprintf(r->err, r->err_size, "%s: %s", r->path, what);
    return false;
}

static bool no_memory(struct reader *r) {
    return fail(r, "out of memory");
}

/* The kind of that name, made when it is new; -1: out of memory. */
static int use_kind(struct reader *r, const char *name, size_t len) {
    struct sr_target *t = r->t;
    int found = sr_target_find_kind(t, name, len);

    if (found >= 0)
        return found;
    unsigned *lines = realloc(r->kind_line, (t->n_kinds + 1) * sizeof *lines);
    if (!lines)
        return -1;
    r->kind_line = lines;
    lines[t->n_kinds] = r->line;
    return sr_target_add_kind(t, name, len) ? (int)t->n_kinds - 1 : -1;
}

static int hex_digit(char c) {
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = memchr(digits, c, sizeof digits - 1);

    return at ? (int)((at - digits) % 16) : -1;
}

/* Undoes the escapes of the scenario format in place; the new length. */
static size_t unescape(char *p, size_t len) {
    static const char letters[] = "ntre\\", bytes[] = "\n\t\r\033\\";
    char *out = p;

    for (size_t i = 0; i < len; i++) {
        const char *letter =
            p[i] == '\\' && i + 1 < len ? memchr(letters, p[i + 1], sizeof letters - 1) : NULL;
        if (letter) {
            *out++ = bytes[letter - letters];
            i++;
        } else if (p[i] == '\\' && i + 3 < len && p[i + 1] == 'x' && hex_digit(p[i + 2]) >= 0 &&
                   hex_digit(p[i + 3]) >= 0) {
            *out++ = (char)(hex_digit(p[i + 2]) * 16 + hex_digit(p[i + 3]));
            i += 3;
        } else {
            *out++ = p[i];
        }
    }
    return (size_t)(out - p);
}

/* "a|b|c": a kind of its own, without a name. Its index, or -1: out of memory. */
static int use_alternatives(struct reader *r, char *p, size_t len) {
    int kind = use_kind(r, "", 0);

    while (kind >= 0) {
        char *bar = memchr(p, '|', len);
        size_t n = bar ? (size_t)(bar - p) : len;
        if (!sr_target_add_string(&r->t->kinds[kind].values, p, unescape(p, n)))
            return -1;
        if (!bar)
            break;
        p += n + 1;
        len -= n + 1;
    }
    return kind;
}

/* "--color=<always|never>": text and places, cut up in place. */
static bool read_template(struct reader *r, char *p, size_t len, struct sr_template *out) {
    while (len) {
        char *open = memchr(p, '<', len),
             *close = open ? memchr(open, '>', len - (size_t)(open - p)) : NULL;
        if (open && (!close || close == open + 1))
            return fail(
                r,
                "a place that is empty or has no end in \"%.*s\"; write <KIND> or <A|B>, and "
                "\\x3c for the sign itself",
                (int)len, p);
        struct sr_piece *piece = APPEND(out->pieces, out->n);
        size_t text = open ? (size_t)(open - p) : len;
        size_t used = close ? (size_t)(close - p) + 1 : len;
        if (!piece)
            return no_memory(r);
        piece->kind = -1;
        if (open) {
            size_t inner = (size_t)(close - open) - 1;
            piece->kind = memchr(open + 1, '|', inner) ? use_alternatives(r, open + 1, inner)
                                                       : use_kind(r, open + 1, inner);
        }
        if (!(piece->text = strndup(p, unescape(p, text))) || (open && piece->kind < 0))
            return no_memory(r);
        p += used;
        len -= used;
    }
    return true;
}

/* The next word of *rest, ended by a NUL that is written; NULL: there is none. */
static char *next_word(char **rest) {
    char *word = *rest + strspn(*rest, " \t");
    size_t len = strcspn(word, " \t");

    if (!len)
        return NULL;
    *rest = word + len;
    if (**rest)
        *(*rest)++ = 0;
    return word;
}

static bool read_option(struct reader *r, char *rest) {
    struct sr_option *o = APPEND(r->t->options, r->t->n_options);

    if (!o)
        return no_memory(r);
    for (char *word; (word = next_word(&rest));) {
        struct sr_template *t = APPEND(o->words, o->n);
        if (!t)
            return no_memory(r);
        if (!read_template(r, word, strlen(word), t))
            return false;
    }
    return o->n || fail(r, "no option; write one such as \"option --width=<num>\"");
}

static bool read_env(struct reader *r, char *rest) {
    char *name = next_word(&rest), *value = next_word(&rest);

    if (!value || strchr(name, '='))
        return fail(r, "no variable and value; write \"env NAME <KIND>\" or \"env NAME <A|B>\"");
    struct sr_target_env *e = APPEND(r->t->envs, r->t->n_envs);
    if (!e || !(e->name = strdup(name)))
        return no_memory(r);
    return read_template(r, value, strlen(value), &e->value);
}

static bool read_value(struct reader *r, char *rest) {
    char *kind = next_word(&rest);

    if (!kind)
        return fail(r, "no kind; write \"value KIND VALUE\"");
    int i = use_kind(r, kind, strlen(kind));
    if (i < 0 || !sr_target_add_string(&r->t->kinds[i].values, rest, unescape(rest, strlen(rest))))
        return no_memory(r);
    return true;
}

/* A line that the scenario parser would take for no directive is a mistake here. */
static bool read_base(struct reader *r, const char *line) {
    static const char *const keys[] = {"arg",    "argv0",   "env",    "stdin",  "stdout",
                                       "stderr", "file",    "dir",    "fifo",   "cwd",
                                       "umask",  "symlink", "limit",  "signal", "time",
                                       "idle",   "before",  "client", "serve"};
    size_t len = strcspn(line, " "), i = 0, n = sizeof keys / sizeof *keys;

    while (i < n && (strlen(keys[i]) != len || memcmp(keys[i], line, len) != 0))
        i++;
    if (i == n && !(*line && strchr("|+*", *line)))
        return fail(r, "\"%s\" is no scenario line; see sysreach-scenario(5)", line);
    len = strlen(line);
    char *base = realloc(r->t->base, r->base_len + len + 2);
    if (!base)
        return no_memory(r);
    memcpy(base + r->base_len, line, len);
    memcpy(base + r->base_len + len, "\n", 2);
    r->base_len += len + 1;
    r->t->base = base;
    return true;
}

static bool read_words(struct reader *r, char *rest, struct sr_strings *list) {
    for (char *word; (word = next_word(&rest));)
        if (!sr_target_add_string(list, word, strlen(word)))
            return no_memory(r);
    return true;
}

/* A value that stands once. relative: to the target file's folder. */
static bool set_once(struct reader *r, char **field, const char *value, bool relative) {
    const char *slash = relative && *value != '/' ? strrchr(r->path, '/') : NULL;
    size_t folder = slash ? (size_t)(slash + 1 - r->path) : 0, len = strlen(value);

    if (*field)
        return fail(r, "a second line of this kind; leave one out");
    if (!len)
        return fail(r, "nothing follows; write a value or leave the line out");
    if (!(*field = malloc(folder + len + 1)))
        return no_memory(r);
    memcpy(*field, r->path, folder);
    memcpy(*field + folder, value, len + 1);
    return true;
}

static bool read_grace(struct reader *r, const char *value) {
    char *end;
    unsigned long ms = strtoul(value, &end, 10);

    if (*value < '0' || *value > '9' || *end || ms > SR_GRACE_MAX_MS)
        return fail(r, "\"%s\" is no time; write milliseconds from 0 to %d", value,
                    SR_GRACE_MAX_MS);
    if (r->has_grace)
        return fail(r, "a second line of this kind; leave one out");
    r->has_grace = true;
    r->t->grace_ms = (unsigned)ms;
    return true;
}

static bool read_reference(struct reader *r, char *rest) {
    char *name = next_word(&rest);

    if (!name || !*rest)
        return fail(r, "no name and file; write \"reference NAME FILE\"");
    return set_once(r, &r->t->reference_name, name, false) &&
           set_once(r, &r->t->reference, rest, true);
}

static bool read_capabilities(struct reader *r, char *rest) {
    for (char *word; (word = next_word(&rest));) {
        if (sr_target_capability(word) < 0)
            return fail(r, "\"%s\" is no capability; see capabilities(7)", word);
        if (!sr_target_add_string(&r->t->capabilities, word, strlen(word)))
            return no_memory(r);
    }
    return true;
}

static bool read_bind(struct reader *r, char *rest) {
    char *name = next_word(&rest), *path = next_word(&rest);

    if (!path || next_word(&rest))
        return fail(r, "not a name and a path; write \"bind NAME PATH\"");
    if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return fail(r, "\"%s\" is no name of a file in the fixtures' folder", name);
    if (*path != '/')
        return fail(r, "\"%s\" is no absolute path", path);
    struct sr_target_bind *b = APPEND(r->t->binds, r->t->n_binds);
    return (b && (b->name = strdup(name)) && (b->path = strdup(path))) || no_memory(r);
}

/* Letters, digits and some signs: what a word of a role is made of. */
static bool is_plain(const char *word, const char *signs) {
    while (isalnum((unsigned char)*word) || (*word && strchr(signs, *word)))
        word++;
    return !*word;
}

static bool read_role(struct reader *r, char *rest) {
    char *image = next_word(&rest), *name = next_word(&rest);

    if (!name || !*rest)
        return fail(r, "no image, name and condition; write \"role IMAGE NAME CONDITION\"");
    if (!is_plain(image, "-_.+") || !is_plain(name, "-_."))
        return fail(r, "\"%s %s\" is no image's base name and a plain name", image, name);
    struct sr_target_role *role = APPEND(r->t->roles, r->t->n_roles);
    if (!role || !(role->image = strdup(image)) || !(role->name = strdup(name)))
        return no_memory(r);
    role->line = r->line;
    for (char *word; (word = next_word(&rest));) {
        if (!is_plain(word, "!=-_,.+:/"))
            return fail(r, "\"%s\" is no condition; see docs/targets.md", word);
        if (!sr_target_add_string(&role->conditions, word, strlen(word)))
            return no_memory(r);
    }
    return role->conditions.n || fail(r, "no condition; see docs/targets.md");
}

static bool read_budget(struct reader *r, char *rest) {
    unsigned sum = 0;

    for (size_t i = 0; i < SR_DEPTHS; i++) {
        char *word = next_word(&rest), *end = word;
        unsigned long share = word && isdigit((unsigned char)*word) ? strtoul(word, &end, 10) : 101;
        if (share > 100 || *end)
            return fail(r, "not three shares in percent; write such as \"budget 40 20 40\"");
        if (i == 0 && r->has_budget)
            return fail(r, "a second line of this kind; leave one out");
        r->t->budget[i] = (unsigned)share;
        sum += (unsigned)share;
    }
    r->has_budget = true;
    return (sum == 100 && !next_word(&rest)) ||
           fail(r, "the three shares do not make 100; write such as \"budget 40 20 40\"");
}

/* "line GLOB TEXT": TEXT is the rest as it is, spaces too. */
static bool read_file_line(struct reader *r, char *rest) {
    char *glob = next_word(&rest);

    if (!glob || !*rest)
        return fail(r, "no name pattern and text; write \"line GLOB TEXT\"");
    struct sr_target_line *l = APPEND(r->t->lines, r->t->n_lines);
    if (!l || !(l->glob = strdup(glob)))
        return no_memory(r);
    return read_template(r, rest, strlen(rest), &l->text);
}

/* Words whose rest of the line is one value that stands once. */
static bool read_single(struct reader *r, const char *word, const char *rest, bool *known) {
    struct sr_target *t = r->t;
    const struct {
        const char *word;
        char **field;
        bool relative;
    } singles[] = {
        {"program", &t->program, false}, {"package", &t->package, false},
        {"built", &t->built, false},     {"seeds", &t->seeds, true},
        {"setup", &t->setup, true},      {"grammar", &t->grammar, true},
        {"quick", &t->quick, false},
    };

    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        if (!strcmp(word, singles[i].word)) {
            *known = true;
            return set_once(r, singles[i].field, rest, singles[i].relative);
        }
    return true;
}

static bool read_line(struct reader *r, char *line) {
    struct sr_target *t = r->t;

    if (!*line || *line == '#')
        return true;
    char *rest = line + strcspn(line, " \t");
    if (*rest)
        *rest++ = 0;
    if (!strcmp(line, "value"))
        return read_value(r, rest);
    if (!strcmp(line, "base"))
        return read_base(r, rest);
    rest += strspn(rest, " \t");
    if (!strcmp(line, "option"))
        return read_option(r, rest);
    if (!strcmp(line, "env"))
        return read_env(r, rest);
    if (!strcmp(line, "line"))
        return read_file_line(r, rest);
    if (!strcmp(line, "section"))
        return read_words(r, rest, &t->sections);
    if (!strcmp(line, "build"))
        return sr_target_add_string(&t->build, rest, strlen(rest)) || no_memory(r);
    if (!strcmp(line, "depends"))
        return read_words(r, rest, &t->depends);
    if (!strcmp(line, "needs"))
        return read_words(r, rest, &t->needs);
    if (!strcmp(line, "capability"))
        return read_capabilities(r, rest);
    if (!strcmp(line, "bind"))
        return read_bind(r, rest);
    if (!strcmp(line, "role"))
        return read_role(r, rest);
    if (!strcmp(line, "prelude"))
        return sr_target_add_string(&t->prelude, rest, strlen(rest)) || no_memory(r);
    if (!strcmp(line, "fresh"))
        return read_words(r, rest, &t->fresh);
    if (!strcmp(line, "session"))
        return read_words(r, rest, &t->session);
    if (!strcmp(line, "budget"))
        return read_budget(r, rest);
    if (!strcmp(line, "reference"))
        return read_reference(r, rest);
    if (!strcmp(line, "grace"))
        return read_grace(r, rest);
    bool known = false;
    bool ok = read_single(r, line, rest, &known);
    if (known)
        return ok;
    return fail(r, "\"%s\" is no word of target files; see docs/targets.md", line);
}

static bool read_lines(struct reader *r, char *text, size_t len) {
    if (memchr(text, 0, len))
        return fail(r, "it holds a NUL byte and so is no target file");
    for (char *line = text; line;) {
        char *newline = strchr(line, '\n');
        if (newline)
            *newline++ = 0;
        r->line++;
        if (!read_line(r, line))
            return false;
        line = newline;
    }
    for (size_t i = sr_target_builtin_kinds; i < r->t->n_kinds; i++) {
        const struct sr_kind *k = &r->t->kinds[i];
        r->line = r->kind_line[i];
        if (!k->values.n)
            return fail(r, "no values of <%s>; add lines \"value %s VALUE\"", k->name, k->name);
    }
    r->line = 0;
    return r->t->program || fail(r, "no program; add a line \"program PATH\"");
}

static char *read_file(struct reader *r, size_t *len) {
    FILE *f = fopen(r->path, "re");
    char *text = f ? malloc(SR_TARGET_BYTES_MAX + 1) : NULL;

    errno = f ? ENOMEM : errno;
    if (text) {
        *len = fread(text, 1, SR_TARGET_BYTES_MAX + 1, f);
        errno = ferror(f) ? errno : *len > SR_TARGET_BYTES_MAX ? EFBIG : 0;
        if (!errno)
            text[*len] = 0;
    }
    if (errno) {
        fail(r, "%s; give the path of a target file", strerror(errno));
        free(text);
        text = NULL;
    }
    if (f)
        fclose(f);
    return text;
}

int sr_target_read(const char *path, struct sr_target *t, char *err, size_t size) {
    struct reader r = {.t = t, .path = path, .err = err, .err_size = size};
    const char *slash = strrchr(path, '/');
    size_t len = 0;
    char *text = NULL;
    bool ok = !sr_target_init(t);

    if (!ok || !(r.kind_line = calloc(sr_target_builtin_kinds, sizeof *r.kind_line)) ||
        !(t->name = strdup(slash ? slash + 1 : path)))
        ok = no_memory(&r);
    ok = ok && (text = read_file(&r, &len)) && read_lines(&r, text, len);
    free(text);
    free(r.kind_line);
    if (!ok)
        sr_target_free(t);
    return ok ? 0 : -1;
}
