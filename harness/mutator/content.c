/*
 * Edits of content: lines copied, moved, altered; files made equal or nearly so; repetition, binary
 * bytes, the end.
 *
 * A content that is edited gets its pieces anew at the end of the scenario's array, so that others
 * which shared them keep theirs.
 */
#include <string.h>

#include "edit.h"

/* What a run may come to by repetition; beyond that executions get slow for nothing new. */
#define COMMON_BYTES (64u << 10)
#define RARE_BYTES   (1u << 20)

/* Contents are numbered: stdin's (if its kind has one) first, then those of files and fifos. */
static struct sr_content *nth_content(struct sr_scenario *s, uint32_t n, uint32_t *count) {
    struct sr_content *found = NULL;
    enum sr_stdio in = s->stdio[0];

    *count = 0;
    if ((in == SR_STDIO_FILE || in == SR_STDIO_PIPE || in == SR_STDIO_PTY) && (*count)++ == n)
        found = &s->input;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if ((s->nodes[i].kind == SR_NODE_FILE || s->nodes[i].kind == SR_NODE_FIFO) &&
            (*count)++ == n)
            found = &s->nodes[i].content;
    return found;
}

struct sr_content *sr_content_pick(struct sr_edit *e) {
    uint32_t count;

    nth_content(e->s, UINT32_MAX, &count);
    return count ? nth_content(e->s, sr_below(e, count), &count) : NULL;
}

/* The line around a place in a text, with its newline if it has one. */
static struct sr_str line_at(struct sr_str text, uint32_t at) {
    const char *before = memrchr(text.p, '\n', at);
    const char *begin = before ? before + 1 : text.p;
    const char *newline = memchr(text.p + at, '\n', text.len - at);
    const char *end = newline ? newline + 1 : text.p + text.len;

    return (struct sr_str){(char *)begin, (uint32_t)(end - begin)};
}

struct sr_str sr_content_line(struct sr_edit *e) {
    static const char *const lines[] = {"",    "one",  "two",      "a",   "}", "int main(void) {",
                                        "\t",  "  x",  "x  y",     "x\r", "#", ".",
                                        "ONE", "\xff", "\xc3\xa4", "-",   "0", "*"};
    struct sr_content *c = sr_one_in(e, 4) ? NULL : sr_content_pick(e);

    if (c && c->n) {
        struct sr_str text = e->s->segments[c->first + sr_below(e, c->n)].text;
        if (text.len) {
            text = line_at(text, sr_below(e, text.len));
            text.len -= text.p[text.len - 1] == '\n';
            return text;
        }
    }
    const char *line = sr_pick(e, lines);
    return (struct sr_str){(char *)line, (uint32_t)strlen(line)};
}

/* Piece i of a content becomes the n new ones; i == c->n: they are added. */
static bool set_pieces(struct sr_edit *e, struct sr_content *c, uint32_t i,
                       const struct sr_segment *new, uint32_t n) {
    struct sr_scenario *s = e->s;
    struct sr_segment *to = &s->segments[s->n_segments], *from = &s->segments[c->first];
    uint32_t after = i == c->n ? i : i + 1;

    if (s->n_segments + c->n + n > SR_SEGMENTS_MAX)
        return false;
    memcpy(to, from, i * sizeof *to);
    memcpy(to + i, new, n * sizeof *to);
    memcpy(to + i + n, from + after, (c->n - after) * sizeof *to);
    *c = (struct sr_content){(uint16_t)s->n_segments, (uint16_t)(i + n + c->n - after)};
    s->n_segments += c->n;
    return true;
}

bool sr_content_set(struct sr_edit *e, struct sr_content *c, uint32_t i, struct sr_segment new) {
    return set_pieces(e, c, i, &new, 1);
}

/* One to change: seldom a file whose lines the target knows, since any change breaks those. */
static struct sr_content *pick_to_change(struct sr_edit *e) {
    struct sr_content *c = sr_content_pick(e);

    return c && sr_lines_known(e, c) && !sr_one_in(e, 16) ? NULL : c;
}

static void add_line(struct sr_build *b, struct sr_str line) {
    sr_build_add(b, line.p, line.len);
    if (!line.len || line.p[line.len - 1] != '\n')
        sr_build_add(b, "\n", 1);
}

/* A line with a small change in it. */
static void add_altered(struct sr_edit *e, struct sr_build *b, struct sr_str line) {
    uint32_t end = line.len && line.p[line.len - 1] == '\n' ? line.len - 1 : line.len;
    uint32_t at = sr_below(e, end + 1);
    static const char *const pieces[] = {" ", "\t", "x", "  ", "X", "\r", "\\", "\"", "0"};

    sr_build_add(b, line.p, at);
    if (at < end && sr_one_in(e, 3)) {
        char c = line.p[at];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        sr_build_add(b, (char[]){letter ? (char)(c ^ 0x20) : 'y'}, 1);
        at++;
    } else if (at < end && sr_one_in(e, 2)) {
        at++;
    } else {
        const char *piece = sr_pick(e, pieces);
        sr_build_add(b, piece, strlen(piece));
    }
    sr_build_add(b, line.p + at, line.len - at);
}

/* text with one line of it deleted, doubled, altered, replaced, moved, or one put before it. */
static bool edit_line(struct sr_edit *e, struct sr_str text, struct sr_str *out) {
    struct sr_str line = line_at(text, sr_below(e, text.len));
    struct sr_str some = sr_content_line(e);
    struct sr_build b = sr_build_begin(e);
    const char *rest = line.p + line.len;
    size_t rest_len = (size_t)(text.p + text.len - rest);

    sr_build_add(&b, text.p, (size_t)(line.p - text.p));
    switch (sr_below(e, 8)) {
    case 0:
        break;
    case 1:
        add_line(&b, line);
        sr_build_add(&b, line.p, line.len);
        break;
    case 2:
    case 3:
        add_altered(e, &b, line);
        break;
    case 4:
        add_line(&b, some);
        break;
    case 5: /* changes places with the next one */
        if (rest_len) {
            struct sr_str next = line_at((struct sr_str){(char *)rest, (uint32_t)rest_len}, 0);
            add_line(&b, next);
            rest += next.len;
            rest_len -= next.len;
        }
        sr_build_add(&b, line.p, line.len);
        break;
    default:
        add_line(&b, some);
        sr_build_add(&b, line.p, line.len);
    }
    sr_build_add(&b, rest, rest_len);
    return sr_build_end(&b, out);
}

/* One of the repetitions of piece i is edited, so that a difference lies between equal lines. */
static bool edit_one_of_many(struct sr_edit *e, struct sr_content *c, uint32_t i) {
    struct sr_segment seg = e->s->segments[c->first + i], pieces[3];
    uint32_t before = sr_below(e, seg.repeat), after = seg.repeat - 1 - before, n = 0;
    struct sr_str edited;

    if (!edit_line(e, seg.text, &edited))
        return false;
    if (before)
        pieces[n++] = (struct sr_segment){seg.text, before};
    pieces[n++] = (struct sr_segment){edited, 1};
    if (after)
        pieces[n++] = (struct sr_segment){seg.text, after};
    return set_pieces(e, c, i, pieces, n);
}

static bool edit_lines_of(struct sr_edit *e, struct sr_content *c) {
    struct sr_segment seg = {{NULL, 0}, 1};
    uint32_t i = c->n ? sr_below(e, c->n) : 0;

    if (c->n)
        seg = e->s->segments[c->first + i];
    if (!seg.text.len || sr_one_in(e, 10)) { /* a new line at the end */
        struct sr_str some = sr_content_line(e);
        struct sr_build b = sr_build_begin(e);
        add_line(&b, some);
        return sr_build_end(&b, &seg.text) &&
               sr_content_set(e, c, c->n, (struct sr_segment){seg.text, 1});
    }
    if (seg.repeat > 1 && !sr_one_in(e, 3))
        return edit_one_of_many(e, c, i);
    return edit_line(e, seg.text, &seg.text) && sr_content_set(e, c, i, seg);
}

bool sr_edit_content_line(struct sr_edit *e) {
    struct sr_content *c = pick_to_change(e);

    return c && edit_lines_of(e, c);
}

bool sr_edit_content_equal(struct sr_edit *e) {
    struct sr_content *from = sr_content_pick(e), *to = pick_to_change(e);

    if (!from || !to || from == to)
        return false;
    *to = *from;
    return true;
}

bool sr_edit_content_alike(struct sr_edit *e) {
    struct sr_content *from = sr_content_pick(e), *to = pick_to_change(e);

    if (!from || !to)
        return false;
    *to = *from;
    return edit_lines_of(e, to);
}

bool sr_edit_content_repeat(struct sr_edit *e) {
    static const uint32_t counts[] = {1, 2, 3, 10, 100, 1000, 4096, 20000};
    struct sr_content *c = pick_to_change(e);

    if (!c || !c->n)
        return false;
    uint32_t i = sr_below(e, c->n);
    struct sr_segment seg = e->s->segments[c->first + i];
    uint32_t most = (sr_one_in(e, 16) ? RARE_BYTES : COMMON_BYTES) / (seg.text.len + 1);
    uint32_t count = sr_pick(e, counts);
    if (seg.repeat == 1 && seg.text.len && sr_one_in(e, 2)) { /* one line of it, at the end */
        seg.text = line_at(seg.text, sr_below(e, seg.text.len));
        i = c->n;
    }
    seg.repeat = count < most ? count : most + 1;
    return sr_content_set(e, c, i, seg);
}

bool sr_edit_content_bytes(struct sr_edit *e) {
    struct sr_content *c = pick_to_change(e);
    struct sr_segment seg = {{(char[]){""}, 0}, 1};

    if (!c)
        return false;
    uint32_t i = c->n ? sr_below(e, c->n) : 0;
    if (c->n)
        seg = e->s->segments[c->first + i];
    struct sr_build b = sr_build_begin(e);
    uint32_t at = sr_below(e, seg.text.len + 1);
    sr_build_add(&b, seg.text.p, at);
    for (uint32_t n = 1 + sr_below(e, 4); n; n--)
        sr_build_add(&b, (char[]){(char)(sr_one_in(e, 3) ? 0 : sr_below(e, 256))}, 1);
    sr_build_add(&b, seg.text.p + at, seg.text.len - at);
    return sr_build_end(&b, &seg.text) && sr_content_set(e, c, i, seg);
}

/* Empties it, cuts it, or takes away or adds the last newline. */
bool sr_edit_content_end(struct sr_edit *e) {
    struct sr_content *c = pick_to_change(e);

    if (!c || !c->n)
        return false;
    if (sr_one_in(e, 4)) {
        c->n = sr_one_in(e, 2) ? 0 : (uint16_t)sr_below(e, c->n);
        return true;
    }
    struct sr_segment seg = e->s->segments[c->first + c->n - 1u];
    if (seg.text.len && seg.text.p[seg.text.len - 1] == '\n') {
        struct sr_build b = sr_build_begin(e);
        sr_build_add(&b, seg.text.p,
                     sr_one_in(e, 4) ? sr_below(e, seg.text.len) : seg.text.len - 1);
        return sr_build_end(&b, &seg.text) && sr_content_set(e, c, c->n - 1u, seg);
    }
    static char newline[] = "\n"; /* outlives this call */
    return sr_content_set(e, c, c->n, (struct sr_segment){{newline, 1}, 1});
}
