/*
 * Scenarios as canonical text, and whether two of them mean the same.
 *
 * One order, one spelling, defaults left out (docs/scenario.md). Content is printed by lines as a
 * person would write it; adjacent pieces that are not repeated are one text, however the parser
 * came to hold them, so printing, reading and printing again gives the same bytes.
 */
#include <string.h>

#include "scenario_text.h"
#include "sysreach/scenario.h"

struct sink {
    char *buf;
    size_t cap, len;
};

static void put(struct sink *k, const char *p, size_t n) {
    if (k->len < k->cap) {
        size_t room = k->cap - k->len;
        memcpy(k->buf + k->len, p, n < room ? n : room);
    }
    k->len += n;
}

static void put_str(struct sink *k, const char *s) {
    put(k, s, strlen(s));
}

static void put_number(struct sink *k, uint64_t v, unsigned radix) {
    char tmp[24];
    size_t at = sizeof tmp;

    do
        tmp[--at] = (char)('0' + v % radix);
    while (v /= radix);
    put(k, tmp + at, sizeof tmp - at);
}

/* 1: stands as it is; 2: a letter after the backslash; 4: \xHH */
static unsigned escape_width(unsigned char c, bool word) {
    if (c > ' ' && c < 0x7f)
        return c == '\\' ? 2 : 1;
    if (c == ' ')
        return word ? 4 : 1;
    return c == '\n' || c == '\t' || c == '\r' || c == 033 ? 2 : 4;
}

size_t sr_text_escaped_size(const char *p, size_t len, bool word) {
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += escape_width((unsigned char)p[i], word);
    return n;
}

static void put_escaped(struct sink *k, const char *p, size_t len, bool word) {
    static const char hex[] = "0123456789abcdef";
    size_t plain = 0;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)p[i];
        unsigned width = escape_width(c, word);
        if (width == 1)
            continue;
        put(k, p + plain, i - plain);
        plain = i + 1;
        if (width == 2) {
            char letter = c == '\n'   ? 'n'
                          : c == '\t' ? 't'
                          : c == '\r' ? 'r'
                          : c == 033  ? 'e'
                                      : '\\';
            put(k, (char[]){'\\', letter}, 2);
        } else {
            put(k, (char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
        }
    }
    put(k, p + plain, len - plain);
}

/* "KEY TEXT" */
static void put_line(struct sink *k, const char *key, struct sr_str text, bool word) {
    put_str(k, key);
    put_escaped(k, text.p, text.len, word);
    put(k, "\n", 1);
}

/*
 * Pieces i to end - 1, none repeated, as lines. A line's first character depends on how it ends, so
 * its newline is looked for first, across pieces.
 */
static void put_lines(struct sink *k, const struct sr_segment *seg, size_t i, size_t end) {
    size_t off = 0; /* in piece i */

    while (i < end) {
        if (off == seg[i].text.len) {
            i++;
            off = 0;
            continue;
        }
        size_t last = i;
        const char *newline = memchr(seg[i].text.p + off, '\n', seg[i].text.len - off);
        while (!newline && last + 1 < end) {
            last++;
            newline = memchr(seg[last].text.p, '\n', seg[last].text.len);
        }
        put(k, newline ? "|" : "+", 1);
        for (; i < last; i++, off = 0)
            put_escaped(k, seg[i].text.p + off, seg[i].text.len - off, false);
        size_t stop = newline ? (size_t)(newline - seg[i].text.p) : seg[i].text.len;
        put_escaped(k, seg[i].text.p + off, stop - off, false);
        put(k, "\n", 1);
        off = newline ? stop + 1 : stop;
    }
}

static void put_content(struct sink *k, const struct sr_scenario *s, struct sr_content c) {
    size_t end = (size_t)c.first + c.n;

    for (size_t i = c.first; i < end;) {
        const struct sr_segment *seg = &s->segments[i];
        if (seg->repeat == 1) {
            size_t run = i;
            while (run < end && s->segments[run].repeat == 1)
                run++;
            put_lines(k, s->segments, i, run);
            i = run;
            continue;
        }
        i++;
        size_t len = seg->text.len;
        if (!len || !seg->repeat)
            continue;
        bool newline = seg->text.p[len - 1] == '\n';
        put(k, "*", 1);
        put_number(k, seg->repeat, 10);
        put(k, newline ? "|" : "+", 1);
        put_escaped(k, seg->text.p, newline ? len - 1 : len, false);
        put(k, "\n", 1);
    }
}

static void put_node(struct sink *k, const struct sr_scenario *s, const struct sr_node *n) {
    put_str(k, sr_node_kind_name(n->kind));
    put(k, " ", 1);
    put_escaped(k, n->name.p, n->name.len, true);
    if (n->kind == SR_NODE_SYMLINK) {
        put(k, " ", 1);
        put_escaped(k, n->target.p, n->target.len, true);
    }
    if (n->has_mode) {
        put_str(k, " mode=");
        put_number(k, n->mode, 8);
    }
    if (n->has_mtime) {
        put_str(k, n->mtime < 0 ? " mtime=-" : " mtime=");
        put_number(k, n->mtime < 0 ? -(uint64_t)n->mtime : (uint64_t)n->mtime, 10);
    }
    if (n->has_size) {
        put_str(k, " size=");
        put_number(k, n->size, 10);
    }
    put(k, "\n", 1);
    put_content(k, s, n->content);
}

static void put_peer(struct sink *k, const struct sr_peer *p) {
    put_str(k, sr_peer_kind_name(p->kind));
    put(k, " ", 1);
    if (p->kind == SR_PEER_SERVE) {
        put_str(k, sr_net_name(p->net));
        put(k, ":", 1);
        if (p->net == SR_NET_UNIX)
            put_escaped(k, p->name.p, p->name.len, true);
        else
            put_number(k, p->port, 10);
        put(k, " ", 1);
    }
    put_line(k, "", p->command, false);
}

static void put_limits_and_signals(struct sink *k, const struct sr_scenario *s) {
    for (unsigned i = 0; i < SR_LIMITS; i++) {
        if (!s->has_limit[i])
            continue;
        put_str(k, "limit ");
        put_str(k, sr_limit_name((enum sr_limit)i));
        put(k, " ", 1);
        if (s->limit[i] == UINT64_MAX)
            put_str(k, "unlimited");
        else
            put_number(k, s->limit[i], 10);
        put(k, "\n", 1);
    }
    for (uint32_t i = 0; i < s->n_signals; i++) {
        put_str(k, "signal ");
        put_str(k, sr_signal_name(s->signals[i].signo));
        put_str(k, " after ");
        put_number(k, s->signals[i].after, 10);
        put(k, "\n", 1);
    }
}

static void put_stdio(struct sink *k, const char *key, enum sr_stdio kind, enum sr_stdio usual) {
    if (kind == usual)
        return;
    put_str(k, key);
    put_str(k, sr_stdio_name(kind));
    put(k, "\n", 1);
}

size_t sr_scenario_print(const struct sr_scenario *s, bool complete, char *buf, size_t cap) {
    struct sink k = {buf, cap, 0};

    if (complete)
        put_str(&k, "reset\n");
    if (s->argv0.p)
        put_line(&k, "argv0 ", s->argv0, false);
    for (uint32_t i = 0; i < s->n_args; i++)
        put_line(&k, "arg ", s->args[i], false);
    for (uint32_t i = 0; i < s->n_envs; i++)
        put_line(&k, "env ", s->envs[i], false);
    if (s->pace_ms) {
        put_str(&k, "stdin pty pace=");
        put_number(&k, s->pace_ms, 10);
        put(&k, "\n", 1);
    } else {
        put_stdio(&k, "stdin ", s->stdio[0], SR_STDIO_NULL);
    }
    put_content(&k, s, s->input);
    put_stdio(&k, "stdout ", s->stdio[1], SR_STDIO_PIPE);
    put_stdio(&k, "stderr ", s->stdio[2], SR_STDIO_PIPE);
    if (s->cwd.p)
        put_line(&k, "cwd ", s->cwd, true);
    if (s->umask != SR_UMASK_DEFAULT) {
        put_str(&k, "umask ");
        put_number(&k, s->umask, 8);
        put(&k, "\n", 1);
    }
    for (uint32_t i = 0; i < s->n_nodes; i++)
        put_node(&k, s, &s->nodes[i]);
    for (uint32_t i = 0; i < s->n_peers; i++)
        put_peer(&k, &s->peers[i]);
    put_limits_and_signals(&k, s);
    if (s->time_ms != SR_TIME_DEFAULT_MS) {
        put_str(&k, "time ");
        put_number(&k, s->time_ms, 10);
        put(&k, "\n", 1);
    }
    if (s->idle_ms) {
        put_str(&k, "idle ");
        put_number(&k, s->idle_ms, 10);
        put(&k, "\n", 1);
    }
    return k.len;
}

uint64_t sr_content_size(const struct sr_scenario *s, struct sr_content c) {
    uint64_t n = 0;

    for (size_t i = c.first; i < (size_t)c.first + c.n; i++)
        n += (uint64_t)s->segments[i].text.len * s->segments[i].repeat;
    return n;
}

static bool equal_str(struct sr_str a, struct sr_str b) {
    if (!a.p || !b.p)
        return a.p == b.p;
    return a.len == b.len && !memcmp(a.p, b.p, a.len);
}

/* A place in a content: piece i of those before end, its round-th repetition, byte off. */
struct cursor {
    const struct sr_segment *seg;
    size_t i, end;
    uint32_t round, off;
};

static void cursor_advance(struct cursor *c, uint32_t n) {
    c->off += n;
    if (c->off == c->seg[c->i].text.len) {
        c->off = 0;
        c->round++;
    }
    while (c->i < c->end && (c->round >= c->seg[c->i].repeat || !c->seg[c->i].text.len)) {
        c->i++;
        c->round = 0;
    }
}

static bool equal_content(const struct sr_scenario *sa, struct sr_content ca,
                          const struct sr_scenario *sb, struct sr_content cb) {
    struct cursor a = {sa->segments, ca.first, (size_t)ca.first + ca.n, 0, 0};
    struct cursor b = {sb->segments, cb.first, (size_t)cb.first + cb.n, 0, 0};

    if (sr_content_size(sa, ca) != sr_content_size(sb, cb))
        return false;
    while (a.i < a.end && b.i < b.end) {
        const struct sr_segment *x = &a.seg[a.i], *y = &b.seg[b.i];
        if (!a.round && !a.off && !b.round && !b.off && x->repeat == y->repeat &&
            equal_str(x->text, y->text)) {
            a.i++;
            b.i++;
            continue;
        }
        uint32_t left_a = x->text.len - a.off, left_b = y->text.len - b.off;
        uint32_t n = left_a < left_b ? left_a : left_b;
        if (memcmp(x->text.p + a.off, y->text.p + b.off, n) != 0)
            return false;
        cursor_advance(&a, n);
        cursor_advance(&b, n);
    }
    return true;
}

static bool equal_node(const struct sr_scenario *a, const struct sr_node *x,
                       const struct sr_scenario *b, const struct sr_node *y) {
    return x->kind == y->kind && equal_str(x->name, y->name) && equal_str(x->target, y->target) &&
           x->has_mode == y->has_mode && (!x->has_mode || x->mode == y->mode) &&
           x->has_mtime == y->has_mtime && (!x->has_mtime || x->mtime == y->mtime) &&
           x->has_size == y->has_size && (!x->has_size || x->size == y->size) &&
           equal_content(a, x->content, b, y->content);
}

static bool equal_peer(const struct sr_peer *x, const struct sr_peer *y) {
    return x->kind == y->kind && x->net == y->net && x->port == y->port &&
           equal_str(x->name, y->name) && equal_str(x->command, y->command);
}

static bool equal_strs(const struct sr_str *a, const struct sr_str *b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (!equal_str(a[i], b[i]))
            return false;
    return true;
}

bool sr_scenario_equal(const struct sr_scenario *a, const struct sr_scenario *b) {
    if (a->n_args != b->n_args || a->n_envs != b->n_envs || a->n_nodes != b->n_nodes ||
        a->n_signals != b->n_signals || a->n_peers != b->n_peers || a->pace_ms != b->pace_ms ||
        a->umask != b->umask || a->time_ms != b->time_ms || a->idle_ms != b->idle_ms ||
        memcmp(a->stdio, b->stdio, sizeof a->stdio) != 0)
        return false;
    if (!equal_str(a->argv0, b->argv0) || !equal_str(a->cwd, b->cwd) ||
        !equal_strs(a->args, b->args, a->n_args) || !equal_strs(a->envs, b->envs, a->n_envs) ||
        !equal_content(a, a->input, b, b->input))
        return false;
    for (uint32_t i = 0; i < a->n_nodes; i++)
        if (!equal_node(a, &a->nodes[i], b, &b->nodes[i]))
            return false;
    for (uint32_t i = 0; i < a->n_peers; i++)
        if (!equal_peer(&a->peers[i], &b->peers[i]))
            return false;
    for (unsigned i = 0; i < SR_LIMITS; i++)
        if (a->has_limit[i] != b->has_limit[i] || (a->has_limit[i] && a->limit[i] != b->limit[i]))
            return false;
    for (uint32_t i = 0; i < a->n_signals; i++)
        if (a->signals[i].signo != b->signals[i].signo ||
            a->signals[i].after != b->signals[i].after)
            return false;
    return true;
}
