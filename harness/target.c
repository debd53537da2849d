/*
 * Target files: lines of "KEY REST", read into struct sr_target (docs/targets.md).
 *
 * A mistake is an error with its line, never a line that silently does nothing: people write these
 * files by hand. Kinds may be used before their values are given, so places are resolved by name
 * when they are met, and kinds that got no value are found at the end.
 */
#include "target.h"

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
    bool has_grace;
    char *err;
    size_t err_size;
};

static const struct {
    const char *name;
    enum sr_make make;
    const char *values[12];
} builtin_kinds[] = {
    {"num",
     SR_MAKE_NUMBER,
     {"0", "1", "2", "3", "-1", "10", "65536", "2147483647", "99999999999999999999", "", "x"}},
    {"size", SR_MAKE_NUMBER, {"0", "1", "512", "1k", "4096", "1M", "1G", "-1", ""}},
    {"text", SR_MAKE_TEXT, {"", "a", "-", "two words", "\xc3\xa4", "%s", "\n"}},
    {"regex",
     SR_MAKE_LISTED,
     {"", ".", ".*", "^$", "^", "[a-z]", "a\\|b", "\\(x*\\)\\1", "[", "\\(", "*", "[[:space:]]"}},
    {"glob", SR_MAKE_LISTED, {"*", "*.c", "?", "[a-m]*", "[", "a", "\\*", ""}},
    {"file", SR_MAKE_FILE, {"-", "/dev/null"}},
    {"dir", SR_MAKE_DIR, {".", "..", "/"}},
    {"path", SR_MAKE_PATH, {"-", ".", "/dev/null"}},
};

#define BUILTIN_KINDS (sizeof builtin_kinds / sizeof *builtin_kinds)

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

/* Makes room for one more element, zeroed; NULL: out of memory. */
static void *append(void **array, size_t *n, size_t element) {
    char *more = realloc(*array, (*n + 1) * element);

    if (!more)
        return NULL;
    *array = more;
    memset(more + *n * element, 0, element);
    return more + element * (*n)++;
}

#define APPEND(array, n) append((void **)&(array), &(n), sizeof *(array))

static bool add_string(struct sr_strings *list, const char *p, size_t len) {
    char *copy = strndup(p, len);
    char **more = copy ? realloc(list->v, (list->n + 2) * sizeof *more) : NULL;

    if (!more) {
        free(copy);
        return false;
    }
    list->v = more;
    list->v[list->n++] = copy;
    list->v[list->n] = NULL;
    return true;
}

static void free_strings(struct sr_strings *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
}

static void free_template(struct sr_template *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->pieces[i].text);
    free(t->pieces);
}

void sr_target_free(struct sr_target *t) {
    char **const strings[] = {&t->name,  &t->program,        &t->package,   &t->built,
                              &t->seeds, &t->reference_name, &t->reference, &t->base};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(*strings[i]);
    free_strings(&t->build);
    free_strings(&t->depends);
    for (size_t i = 0; i < t->n_kinds; i++) {
        free(t->kinds[i].name);
        free_strings(&t->kinds[i].values);
    }
    free(t->kinds);
    for (size_t i = 0; i < t->n_options; i++) {
        for (size_t k = 0; k < t->options[i].n; k++)
            free_template(&t->options[i].words[k]);
        free(t->options[i].words);
    }
    free(t->options);
    for (size_t i = 0; i < t->n_envs; i++) {
        free(t->envs[i].name);
        free_template(&t->envs[i].value);
    }
    free(t->envs);
    memset(t, 0, sizeof *t);
}

static struct sr_kind *add_kind(struct sr_target *t, const char *name, size_t len) {
    struct sr_kind *k = APPEND(t->kinds, t->n_kinds);

    if (k && !(k->name = strndup(name, len))) {
        t->n_kinds--;
        return NULL;
    }
    return k;
}

int sr_target_init(struct sr_target *t) {
    memset(t, 0, sizeof *t);
    t->grace_ms = SR_GRACE_DEFAULT_MS;
    if (!(t->base = calloc(1, 1)))
        goto fail;
    for (size_t i = 0; i < BUILTIN_KINDS; i++) {
        const char *name = builtin_kinds[i].name;
        struct sr_kind *k = add_kind(t, name, strlen(name));
        if (!k)
            goto fail;
        k->make = builtin_kinds[i].make;
        for (size_t v = 0; v < sizeof builtin_kinds[i].values / sizeof(char *); v++) {
            const char *value = builtin_kinds[i].values[v];
            if (value && !add_string(&k->values, value, strlen(value)))
                goto fail;
        }
    }
    return 0;
fail:
    sr_target_free(t);
    return -1;
}

static int find_kind(const struct sr_target *t, const char *name, size_t len) {
    for (size_t i = 0; i < t->n_kinds; i++)
        if (len && strlen(t->kinds[i].name) == len && !memcmp(t->kinds[i].name, name, len))
            return (int)i;
    return -1;
}

int sr_target_kind(const struct sr_target *t, const char *name) {
    return find_kind(t, name, strlen(name));
}

/* The kind of that name, made when it is new; -1: out of memory. */
static int use_kind(struct reader *r, const char *name, size_t len) {
    struct sr_target *t = r->t;
    int found = find_kind(t, name, len);

    if (found >= 0)
        return found;
    unsigned *lines = realloc(r->kind_line, (t->n_kinds + 1) * sizeof *lines);
    if (!lines)
        return -1;
    r->kind_line = lines;
    lines[t->n_kinds] = r->line;
    return add_kind(t, name, len) ? (int)t->n_kinds - 1 : -1;
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
            *out++ = (char)(hex_digit(p[i + 2]) << 4 | hex_digit(p[i + 3]));
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
        if (!add_string(&r->t->kinds[kind].values, p, unescape(p, n)))
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
    if (i < 0 || !add_string(&r->t->kinds[i].values, rest, unescape(rest, strlen(rest))))
        return no_memory(r);
    return true;
}

/* A line that the scenario parser would take for no directive is a mistake here. */
static bool read_base(struct reader *r, const char *line) {
    static const char *const keys[] = {"arg",    "argv0",   "env",   "stdin",  "stdout",
                                       "stderr", "file",    "dir",   "fifo",   "cwd",
                                       "umask",  "symlink", "limit", "signal", "time"};
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
        if (!add_string(list, word, strlen(word)))
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
    if (!strcmp(line, "program"))
        return set_once(r, &t->program, rest, false);
    if (!strcmp(line, "package"))
        return set_once(r, &t->package, rest, false);
    if (!strcmp(line, "built"))
        return set_once(r, &t->built, rest, false);
    if (!strcmp(line, "build"))
        return add_string(&t->build, rest, strlen(rest)) || no_memory(r);
    if (!strcmp(line, "depends"))
        return read_words(r, rest, &t->depends);
    if (!strcmp(line, "seeds"))
        return set_once(r, &t->seeds, rest, true);
    if (!strcmp(line, "reference"))
        return read_reference(r, rest);
    if (!strcmp(line, "grace"))
        return read_grace(r, rest);
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
    for (size_t i = BUILTIN_KINDS; i < r->t->n_kinds; i++) {
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

    if (!ok || !(r.kind_line = calloc(BUILTIN_KINDS, sizeof *r.kind_line)) ||
        !(t->name = strdup(slash ? slash + 1 : path)))
        ok = no_memory(&r);
    ok = ok && (text = read_file(&r, &len)) && read_lines(&r, text, len);
    free(text);
    free(r.kind_line);
    if (!ok)
        sr_target_free(t);
    return ok ? 0 : -1;
}
