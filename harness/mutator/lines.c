/*
 * Edits of files whose lines the target knows ("line GLOB TEXT"): configuration files.
 *
 * A parser that refuses one line refuses the file, so what is put in is a line that the target
 * gives, in a place where it may stand: lines that begin a section go to the end, others before the
 * first section. Deliberate mistakes are one edit in twelve.
 */
#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "edit.h"

#define BLANKS " \t"

/* Whether the glob is for this name: the whole of it or its last component. */
static bool is_for(const char *glob, const char *name) {
    const char *slash = strrchr(name, '/');

    return !fnmatch(glob, name, FNM_EXTMATCH) || (slash && !fnmatch(glob, slash + 1, FNM_EXTMATCH));
}

/* The first word of a line. */
static struct sr_str first_word(const char *p, size_t len) {
    size_t from = 0, to;

    while (from < len && strchr(BLANKS, p[from]) && p[from])
        from++;
    for (to = from; to < len && !(p[to] && strchr(BLANKS "=\n", p[to]));)
        to++;
    return (struct sr_str){(char *)p + from, (uint32_t)(to - from)};
}

static bool same_word(struct sr_str a, struct sr_str b) {
    return a.len && a.len == b.len && !strncasecmp(a.p, b.p, a.len);
}

static struct sr_str word_of(const struct sr_target_line *l) {
    const char *text = l->text.n ? l->text.pieces[0].text : "";

    return first_word(text, strlen(text));
}

/* How many lines there are for a file, of one first word or (word.len is 0) of any; the n-th one.
 */
static uint32_t find_lines(const struct sr_edit *e, const char *name, struct sr_str word,
                           uint32_t n, const struct sr_target_line **found) {
    const struct sr_target *t = e->target;
    const char *glob = NULL;
    bool fits = false;
    uint32_t count = 0;

    for (size_t i = 0; i < t->n_lines; i++) {
        const struct sr_target_line *l = &t->lines[i];
        if (!glob || strcmp(glob, l->glob) != 0) { /* most have the glob of their neighbour */
            glob = l->glob;
            fits = is_for(glob, name);
        }
        if (fits && (!word.len || same_word(word_of(l), word)) && count++ == n)
            *found = l;
    }
    return count;
}

static const struct sr_target_line *pick_line(struct sr_edit *e, const char *name,
                                              struct sr_str word) {
    const struct sr_target_line *found = NULL;
    uint32_t n = find_lines(e, name, word, UINT32_MAX, &found);

    if (n)
        find_lines(e, name, word, sr_below(e, n), &found);
    return found;
}

bool sr_lines_known(const struct sr_edit *e, const struct sr_content *c) {
    const struct sr_target_line *found = NULL;

    for (uint32_t i = 0; i < e->s->n_nodes; i++)
        if (&e->s->nodes[i].content == c)
            return find_lines(e, e->s->nodes[i].name.p, (struct sr_str){NULL, 0}, UINT32_MAX,
                              &found) != 0;
    return false;
}

/* A file that the target knows lines of. */
static struct sr_node *pick_file(struct sr_edit *e) {
    struct sr_node *files[SR_NODES_MAX];
    uint32_t n = 0;

    for (uint32_t i = 0; i < e->s->n_nodes; i++)
        if (e->s->nodes[i].kind == SR_NODE_FILE && sr_lines_known(e, &e->s->nodes[i].content))
            files[n++] = &e->s->nodes[i];
    return n ? files[sr_below(e, n)] : NULL;
}

static bool begins_section(const struct sr_edit *e, struct sr_str word) {
    const struct sr_strings *s = &e->target->sections;

    for (size_t i = 0; i < s->n; i++)
        if (same_word(word, (struct sr_str){s->v[i], (uint32_t)strlen(s->v[i])}))
            return true;
    return false;
}

/* The line that begins at p, with its newline. */
static size_t line_length(const char *p, const char *end) {
    const char *newline = memchr(p, '\n', (size_t)(end - p));

    return (size_t)((newline ? newline + 1 : end) - p);
}

/* Where the first section begins; the end where there is none. */
static const char *first_section(const struct sr_edit *e, struct sr_str text) {
    const char *p = text.p, *end = text.p + text.len;

    while (p < end && !begins_section(e, first_word(p, line_length(p, end))))
        p += line_length(p, end);
    return p;
}

/* The beginning of some line between p and end. */
static const char *some_line(struct sr_edit *e, const char *p, const char *end) {
    if (p == end)
        return p;
    const char *at = p + sr_below(e, (uint32_t)(end - p) + 1);
    const char *before = memrchr(p, '\n', (size_t)(at - p));

    return before ? before + 1 : p;
}

/* out: text with the bytes from..to replaced by a line. */
static bool put(struct sr_edit *e, struct sr_str text, const char *from, const char *to,
                struct sr_str line, struct sr_str *out) {
    struct sr_build b = sr_build_begin(e);
    size_t before = (size_t)(from - text.p);

    sr_build_add(&b, text.p, before);
    if (before && from[-1] != '\n')
        sr_build_add(&b, "\n", 1);
    sr_build_add(&b, line.p, line.len);
    if (line.len && line.p[line.len - 1] != '\n')
        sr_build_add(&b, "\n", 1);
    sr_build_add(&b, to, (size_t)(text.p + text.len - to));
    return sr_build_end(&b, out);
}

static bool insert(struct sr_edit *e, const char *name, struct sr_str text, struct sr_str *out) {
    const struct sr_target_line *l = pick_line(e, name, (struct sr_str){NULL, 0});
    const char *end = text.p + text.len, *at;
    struct sr_str line;

    if (!l || !sr_value_fill(e, "", &l->text, &line))
        return false;
    if (begins_section(e, first_word(line.p, line.len)))
        at = end;
    else if (sr_one_in(e, 12))
        at = some_line(e, text.p, end);
    else /* the first one of a kind counts in many formats */
        at = sr_one_in(e, 3) ? text.p : some_line(e, text.p, first_section(e, text));
    return put(e, text, at, at, line, out);
}

/* Behind the second word of a line of three or more; NULL: it has fewer. */
static const char *after_two(const char *p, const char *end) {
    for (int words = 0; words < 2; words++) {
        while (p < end && (*p == ' ' || *p == '\t'))
            p++;
        while (p < end && *p != ' ' && *p != '\t' && *p != '\n')
            p++;
    }
    return p + 1 < end && *p != '\n' && p[1] != '\n' ? p : NULL;
}

/* A new line keeps what the old one says first: "Subsystem sftp" and another command. */
static void keep_name(struct sr_edit *e, const char *p, size_t len, struct sr_str *line) {
    const char *old = after_two(p, p + len), *new = after_two(line->p, line->p + line->len);
    struct sr_build b;

    if (!old || !new)
        return;
    b = sr_build_begin(e);
    sr_build_add(&b, p, (size_t)(old - p));
    sr_build_add(&b, new, (size_t)(line->p + line->len - new));
    sr_build_end(&b, line);
}

/* The line at p anew: another value. more: what it says is put behind the value that it has. */
static bool renew(struct sr_edit *e, const char *name, struct sr_str text, const char *p,
                  size_t len, bool more, struct sr_str *out) {
    struct sr_str word = first_word(p, len), line;
    const struct sr_target_line *l = word.len ? pick_line(e, name, word) : NULL;

    if (!l || !sr_value_fill(e, "", &l->text, &line))
        return false;
    if (!more && sr_one_in(e, 2))
        keep_name(e, p, len, &line);
    if (more) {
        struct sr_str again = first_word(line.p, line.len);
        const char *value = again.p + again.len, *end = line.p + line.len;
        struct sr_build b = sr_build_begin(e);
        while (value < end && (*value == ' ' || *value == '\t' || *value == '='))
            value++;
        while (len && (p[len - 1] == '\n' || p[len - 1] == ' '))
            len--;
        sr_build_add(&b, p, len);
        sr_build_add(&b, memchr(p, ',', len) || sr_one_in(e, 2) ? "," : " ", 1);
        sr_build_add(&b, value, (size_t)(end - value));
        if (!sr_build_end(&b, &line))
            return false;
        len = line_length(p, text.p + text.len);
    }
    return put(e, text, p, p + len, line, out);
}

/* Taken out and put in elsewhere, on its side of the first section. */
static bool move(struct sr_edit *e, struct sr_str text, const char *p, size_t len,
                 struct sr_str *out) {
    struct sr_str line = {(char *)p, (uint32_t)len}, rest;
    const char *section = first_section(e, text);
    bool inside = p >= section;
    size_t border = (size_t)(section - text.p);

    if (!put(e, text, p, p + len, (struct sr_str){(char *)p, 0}, &rest))
        return false;
    if (!inside)
        border -= len;
    const char *from = inside ? rest.p + border : rest.p;
    const char *to = inside ? rest.p + rest.len : rest.p + border;
    if (from > to)
        return false;
    const char *at = some_line(e, from, to);
    return put(e, rest, at, at, line, out);
}

/* A mistake: a line cut off, without its first word, doubled on one line, or with odd bytes. */
static bool spoil(struct sr_edit *e, struct sr_str text, const char *p, size_t len,
                  struct sr_str *out) {
    static const char *const odd[] = {"\"", "x", " ", "=",  "\\",
                                      ",",  "-", "%", "\r", "99999999999"};
    struct sr_build b = sr_build_begin(e);
    uint32_t cut = sr_below(e, (uint32_t)len + 1);
    struct sr_str line;

    switch (sr_below(e, 4)) {
    case 0:
        sr_build_add(&b, p, cut);
        break;
    case 1:
        sr_build_add(&b, p + cut, len - cut);
        break;
    default: {
        const char *piece = sr_pick(e, odd);
        sr_build_add(&b, p, cut);
        sr_build_add(&b, piece, strlen(piece));
        sr_build_add(&b, p + cut, len - cut);
    }
    }
    return sr_build_end(&b, &line) && put(e, text, p, p + len, line, out);
}

static bool edit_text(struct sr_edit *e, const char *name, struct sr_str text, struct sr_str *out) {
    const char *end = text.p + text.len, *p = some_line(e, text.p, end);
    size_t len;
    uint32_t n = sr_below(e, 24);

    if (p == end) /* behind the last newline */
        p = text.p;
    len = p < end ? line_length(p, end) : 0;
    if (n < 9 || !len)
        return insert(e, name, text, out);
    if (n < 15)
        return renew(e, name, text, p, len, false, out);
    if (n < 16)
        return renew(e, name, text, p, len, true, out);
    if (n < 20)
        return put(e, text, p, p + len, (struct sr_str){(char *)p, 0}, out);
    if (n < 21)
        return put(e, text, p, p, (struct sr_str){(char *)p, (uint32_t)len}, out);
    if (n < 22)
        return move(e, text, p, len, out);
    return spoil(e, text, p, len, out);
}

bool sr_edit_line(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_node *f = pick_file(e);
    struct sr_segment seg = {{(char[]){""}, 0}, 1};

    if (!f)
        return false;
    uint32_t i = f->content.n ? sr_below(e, f->content.n) : 0;
    if (f->content.n)
        seg = s->segments[f->content.first + i];
    if (!edit_text(e, f->name.p, seg.text, &seg.text))
        return false;
    /* Most lines do not get in each other's way, and a run with several costs no more. */
    for (uint32_t n = sr_one_in(e, 3) ? 1 + sr_below(e, 3) : 0; n; n--)
        if (!insert(e, f->name.p, seg.text, &seg.text))
            break;
    return sr_content_set(e, &f->content, i, seg);
}

/* A file that is not there yet, of a line whose glob is a name. */
bool sr_edit_line_file(struct sr_edit *e) {
    const struct sr_target *t = e->target;
    struct sr_scenario *s = e->s;
    struct sr_node node = {.kind = SR_NODE_FILE};
    struct sr_segment seg = {{(char[]){""}, 0}, 1};
    uint32_t start = t->n_lines ? sr_below(e, (uint32_t)t->n_lines) : 0;
    const char *name = NULL;

    for (size_t i = 0; i < t->n_lines && !name; i++) {
        const char *glob = t->lines[(start + i) % t->n_lines].glob;
        if (!strpbrk(glob, "*?[(\\"))
            name = glob;
    }
    for (uint32_t i = 0; name && i < s->n_nodes; i++)
        if (!strcmp(s->nodes[i].name.p, name))
            return false;
    if (!name || s->n_nodes == SR_NODES_MAX)
        return false;
    node.name = (struct sr_str){(char *)name, (uint32_t)strlen(name)};
    for (uint32_t n = 1 + sr_below(e, 4); n; n--)
        if (!insert(e, name, seg.text, &seg.text))
            return false;
    if (!sr_content_set(e, &node.content, 0, seg))
        return false;
    s->nodes[s->n_nodes++] = node;
    return true;
}
