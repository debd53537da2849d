/*
 * The scenario parser: total, bounded, linear in the text, no allocation and no system call.
 *
 * A line that is no directive, or goes beyond a bound, has no effect. What is accepted is counted
 * by the length of its canonical text too, so that this stays within SR_TEXT_MAX and reading it
 * again loses nothing. Every count only depends on what was accepted, never on how it was spelled:
 * so the canonical text, which holds a subset in another order, never meets a bound.
 */
#include <string.h>

#include "scenario_lex.h"
#include "scenario_text.h"
#include "sysreach/scenario.h"

/* What the directives of fixed size (stdio, umask, limits, signals, time, idle) can come to. */
#define FIXED_TEXT 2048
/* A node's attributes, a repeat count: as text, at most. */
#define NODE_TEXT   64
#define REPEAT_TEXT 12

struct parser {
    struct sr_scenario *s;
    struct sr_arena *arena;
    struct sr_content *content; /* where content lines go; NULL: nowhere */
    uint64_t content_bytes;
    size_t string_bytes; /* of SR_STRINGS_MAX */
    size_t text_bytes;   /* of the canonical text */
    bool full;           /* the arena is */
};

/* Smallest value of a limit that still lets the program start. */
static const uint64_t limit_floor[SR_LIMITS] = {
    [SR_LIMIT_AS] = 32u << 20, [SR_LIMIT_CPU] = 1,   [SR_LIMIT_DATA] = 4u << 20,
    [SR_LIMIT_NOFILE] = 8,     [SR_LIMIT_NPROC] = 1, [SR_LIMIT_STACK] = 256u << 10,
};

void sr_scenario_init(struct sr_scenario *s) {
    memset(s, 0, sizeof *s);
    s->stdio[0] = SR_STDIO_NULL;
    s->stdio[1] = s->stdio[2] = SR_STDIO_PIPE;
    s->umask = SR_UMASK_DEFAULT;
    s->time_ms = SR_TIME_DEFAULT_MS;
}

/*
 * Decodes a string that a NUL ends to the arena's free part, without taking that; sr_str.p is NULL
 * when there is no room.
 */
static struct sr_str peek_string(struct parser *p, struct sr_span text) {
    char *out = p->arena->base + p->arena->used;
    size_t room = p->arena->size - p->arena->used;
    size_t len = room ? sr_lex_decode(text, out, room - 1) : SIZE_MAX;

    if (len == SIZE_MAX) {
        p->full = true;
        return (struct sr_str){NULL, 0};
    }
    const char *nul = memchr(out, 0, len);
    if (nul)
        len = (size_t)(nul - out);
    out[len] = 0;
    return (struct sr_str){out, (uint32_t)len};
}

static void take_string(struct parser *p, struct sr_str str) {
    p->arena->used += (size_t)str.len + 1;
}

/* Whether a directive of that many bytes still fits in the canonical text; counts it if so. */
static bool take_text(struct parser *p, size_t bytes) {
    if (bytes > SR_TEXT_MAX - FIXED_TEXT || p->text_bytes + bytes > SR_TEXT_MAX - FIXED_TEXT)
        return false;
    p->text_bytes += bytes;
    return true;
}

/* An element of argv or the environment, in place of old. */
static bool take_argument(struct parser *p, struct sr_str str, struct sr_str old) {
    size_t bytes = p->string_bytes - (old.p ? old.len + 1u : 0) + str.len + 1u;

    if (bytes > SR_STRINGS_MAX ||
        !take_text(p, sizeof "argv0 \n" + sr_text_escaped_size(str.p, str.len, false)))
        return false;
    p->string_bytes = bytes;
    take_string(p, str);
    return true;
}

static void read_arg(struct parser *p, struct sr_span text) {
    struct sr_scenario *s = p->s;

    if (s->n_args == SR_ARGS_MAX)
        return;
    struct sr_str str = peek_string(p, text);
    if (str.p && take_argument(p, str, (struct sr_str){NULL, 0}))
        s->args[s->n_args++] = str;
}

static void read_argv0(struct parser *p, struct sr_span text) {
    struct sr_str str = peek_string(p, text);

    if (str.p && take_argument(p, str, p->s->argv0))
        p->s->argv0 = str;
}

/* Read by ld.so or libc before main: no scenario can set them any more. */
static bool is_loaders(const char *name, size_t len) {
    return (len >= 3 && !memcmp(name, "LD_", 3)) || (len >= 7 && !memcmp(name, "MALLOC_", 7)) ||
           sr_lex_is((struct sr_span){name, len}, "GLIBC_TUNABLES");
}

static void read_env(struct parser *p, struct sr_span text) {
    struct sr_scenario *s = p->s;
    struct sr_str str = peek_string(p, text);
    const char *equals = str.p ? memchr(str.p, '=', str.len) : NULL;
    uint32_t i;

    if (!equals || equals == str.p || is_loaders(str.p, (size_t)(equals - str.p)))
        return;
    size_t name = (size_t)(equals - str.p) + 1;
    for (i = 0; i < s->n_envs; i++)
        if (s->envs[i].len >= name && !memcmp(s->envs[i].p, str.p, name))
            break;
    if (i == SR_ENVS_MAX)
        return;
    if (!take_argument(p, str, i < s->n_envs ? s->envs[i] : (struct sr_str){NULL, 0}))
        return;
    s->envs[i] = str;
    if (i == s->n_envs)
        s->n_envs++;
}

/* Drops empty, "." and ".." components in place; false when what is left is beyond the bounds. */
static bool clean_name(struct sr_str *name) {
    char *out = name->p, *end = name->p + name->len;
    unsigned depth = 0;

    for (char *at = name->p; at < end;) {
        char *slash = memchr(at, '/', (size_t)(end - at));
        size_t n = (size_t)((slash ? slash : end) - at);
        struct sr_span part = {at, n};
        if (n && !sr_lex_is(part, ".") && !sr_lex_is(part, "..")) {
            if (n > SR_NAME_MAX || ++depth > SR_DEPTH_MAX)
                return false;
            if (depth > 1)
                *out++ = '/';
            memmove(out, at, n);
            out += n;
        }
        at += n + 1;
    }
    *out = 0;
    name->len = (uint32_t)(out - name->p);
    return true;
}

static void read_cwd(struct parser *p, struct sr_span rest) {
    struct sr_span word = sr_lex_word(&rest);
    struct sr_str name = peek_string(p, word);

    if (!word.n || !name.p || !clean_name(&name))
        return;
    if (!name.len) {
        p->s->cwd = (struct sr_str){NULL, 0};
        return;
    }
    if (take_text(p, sizeof "cwd \n" - 1 + sr_text_escaped_size(name.p, name.len, true))) {
        take_string(p, name);
        p->s->cwd = name;
    }
}

/* One of "mode=", "mtime=", "size=", where the kind has it; anything else has no effect. */
static void read_attribute(struct sr_node *n, struct sr_span w) {
    uint64_t v;

    if (w.n > 5 && !memcmp(w.p, "mode=", 5) && n->kind != SR_NODE_SYMLINK) {
        if (sr_lex_number((struct sr_span){w.p + 5, w.n - 5}, 8, false, &v)) {
            n->has_mode = true;
            n->mode = (uint32_t)(v & 07777);
        }
    } else if (w.n > 5 && !memcmp(w.p, "size=", 5) && n->kind == SR_NODE_FILE) {
        if (sr_lex_number((struct sr_span){w.p + 5, w.n - 5}, 10, true, &v)) {
            n->has_size = true;
            n->size = v > SR_SIZE_MAX ? SR_SIZE_MAX : (uint32_t)v;
        }
    } else if (w.n > 6 && !memcmp(w.p, "mtime=", 6)) {
        if (sr_lex_seconds((struct sr_span){w.p + 6, w.n - 6}, &n->mtime))
            n->has_mtime = true;
    }
}

static void read_node(struct parser *p, enum sr_node_kind kind, struct sr_span rest) {
    struct sr_scenario *s = p->s;
    struct sr_node n = {.kind = kind};
    size_t mark = p->arena->used;

    if (kind == SR_NODE_FILE || kind == SR_NODE_FIFO)
        p->content = NULL; /* a line without effect takes its content with it */
    n.name = peek_string(p, sr_lex_word(&rest));
    if (s->n_nodes == SR_NODES_MAX || !n.name.p || !clean_name(&n.name) || !n.name.len)
        return;
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].name.len == n.name.len && !memcmp(s->nodes[i].name.p, n.name.p, n.name.len))
            return;
    take_string(p, n.name);
    if (kind == SR_NODE_SYMLINK) {
        n.target = peek_string(p, sr_lex_word(&rest));
        if (!n.target.len) {
            p->arena->used = mark;
            return;
        }
        take_string(p, n.target);
    }
    for (struct sr_span w; (w = sr_lex_word(&rest)).n;)
        read_attribute(&n, w);
    size_t target = n.target.p ? sr_text_escaped_size(n.target.p, n.target.len, true) : 0;
    if (!take_text(p, NODE_TEXT + sr_text_escaped_size(n.name.p, n.name.len, true) + target)) {
        p->arena->used = mark;
        return;
    }
    n.content.first = (uint16_t)s->n_segments;
    s->nodes[s->n_nodes] = n;
    if (kind == SR_NODE_FILE || kind == SR_NODE_FIFO)
        p->content = &s->nodes[s->n_nodes].content;
    s->n_nodes++;
}

/* "pace=MS" */
static uint32_t read_pace(struct sr_span rest) {
    struct sr_span w = sr_lex_word(&rest);
    uint64_t ms;

    if (w.n <= 5 || memcmp(w.p, "pace=", 5) != 0 ||
        !sr_lex_number((struct sr_span){w.p + 5, w.n - 5}, 10, false, &ms))
        return 0;
    return ms > SR_PACE_MAX_MS ? SR_PACE_MAX_MS : (uint32_t)ms;
}

static void read_stdio(struct parser *p, int fd, struct sr_span rest) {
    struct sr_span word = sr_lex_word(&rest);
    unsigned kind = 0;

    if (fd == 0)
        p->content = NULL;
    while (kind < SR_STDIOS && !sr_lex_is(word, sr_stdio_name((enum sr_stdio)kind)))
        kind++;
    if (kind == SR_STDIOS)
        return;
    p->s->stdio[fd] = (enum sr_stdio)kind;
    if (fd != 0)
        return;
    p->s->pace_ms = kind == SR_STDIO_PTY ? read_pace(rest) : 0;
    p->s->input = (struct sr_content){(uint16_t)p->s->n_segments, 0};
    if (kind == SR_STDIO_FILE || kind == SR_STDIO_PIPE || kind == SR_STDIO_PTY)
        p->content = &p->s->input;
}

/* Adds len decoded bytes that lie at the end of the arena's used part (at joins: see below). */
static bool add_content(struct parser *p, char *text, uint32_t len, uint64_t repeat, bool joins) {
    struct sr_scenario *s = p->s;
    struct sr_content *c = p->content;
    uint64_t fits = (SR_CONTENT_MAX - p->content_bytes) / (len ? len : 1);

    if (repeat > fits)
        repeat = fits;
    if (!len || !repeat || (!joins && s->n_segments == SR_SEGMENTS_MAX))
        return false;
    size_t visible = text[len - 1] == '\n' ? len - 1 : len;
    if (!take_text(p, sizeof "|\n" - 1 + (repeat > 1 ? REPEAT_TEXT : 0) +
                          sr_text_escaped_size(text, visible, false)))
        return false;
    p->content_bytes += len * repeat;
    if (joins) {
        s->segments[s->n_segments - 1].text.len += len;
        p->arena->used += len;
    } else {
        s->segments[s->n_segments++] = (struct sr_segment){{text, len}, (uint32_t)repeat};
        c->n++;
        p->arena->used += (size_t)len + 1;
    }
    return true;
}

/* "|TEXT", "+TEXT", "*N|TEXT" or "*N+TEXT" */
static void read_content(struct parser *p, struct sr_span line) {
    struct sr_scenario *s = p->s;
    struct sr_span digits = {line.p, 0};
    uint64_t repeat = 1;

    if (!p->content)
        return;
    if (*line.p == '*') {
        digits.p++;
        while (digits.n + 1 < line.n && digits.p[digits.n] >= '0' && digits.p[digits.n] <= '9')
            digits.n++;
        line.p += digits.n + 1;
        line.n -= digits.n + 1;
        if (!line.n || (*line.p != '|' && *line.p != '+') ||
            !sr_lex_number(digits, 10, false, &repeat))
            return;
    }
    struct sr_span text = {line.p + 1, line.n - 1};
    bool newline = *line.p == '|';
    char *free_part = p->arena->base + p->arena->used;

    /* Joins the piece before when that is not repeated either and nothing was stored since. */
    struct sr_segment *last = p->content->n ? &s->segments[s->n_segments - 1] : NULL;
    bool joins =
        last && repeat == 1 && last->repeat == 1 && last->text.p + last->text.len + 1 == free_part;
    char *out = joins ? free_part - 1 : free_part;
    size_t room = p->arena->size - (size_t)(out - p->arena->base);
    size_t len = room >= 2 ? sr_lex_decode(text, out, room - 2) : SIZE_MAX;
    if (len == SIZE_MAX) {
        p->full = true;
    } else {
        if (newline)
            out[len++] = '\n';
        out[len] = 0;
        if (add_content(p, out, (uint32_t)len, repeat, joins))
            return;
    }
    if (joins)
        *out = 0; /* the end of the piece before, again */
}

/* "tcp:PORT", "udp:PORT" or "unix:NAME"; false: nothing of the kind. The name is taken. */
static bool read_where(struct parser *p, struct sr_span w, struct sr_peer *peer) {
    const char *colon = w.n ? memchr(w.p, ':', w.n) : NULL;
    size_t n = colon ? (size_t)(colon - w.p) : 0;
    struct sr_span rest = {w.p + n + 1, w.n - n - 1};
    unsigned net = 0;
    uint64_t port;

    while (colon && net < SR_NETS && !sr_lex_is((struct sr_span){w.p, n}, sr_net_name(net)))
        net++;
    if (!colon || net == SR_NETS)
        return false;
    peer->net = (enum sr_net)net;
    if (net != SR_NET_UNIX) {
        if (!sr_lex_number(rest, 10, false, &port) || port < 1 || port > 65535)
            return false;
        peer->port = (uint32_t)port;
        return true;
    }
    peer->name = peek_string(p, rest);
    if (!peer->name.p || !clean_name(&peer->name) || !peer->name.len ||
        peer->name.len > SR_SOCKET_NAME_MAX)
        return false;
    take_string(p, peer->name);
    return true;
}

static void read_peer(struct parser *p, enum sr_peer_kind kind, struct sr_span text) {
    struct sr_scenario *s = p->s;
    struct sr_peer peer = {.kind = kind};
    size_t mark = p->arena->used;

    if (s->n_peers == SR_PEERS_MAX)
        return;
    if (kind == SR_PEER_SERVE) {
        if (!read_where(p, sr_lex_word(&text), &peer))
            return;
        if (text.n) { /* the space between */
            text.p++;
            text.n--;
        }
    }
    peer.command = peek_string(p, text);
    size_t bytes = peer.command.len + 1u + (peer.name.p ? peer.name.len + 1u : 0);
    size_t name = peer.name.p ? sr_text_escaped_size(peer.name.p, peer.name.len, true) : 0;
    if (!peer.command.len || p->string_bytes + bytes > SR_STRINGS_MAX ||
        !take_text(p, NODE_TEXT + name +
                          sr_text_escaped_size(peer.command.p, peer.command.len, false))) {
        p->arena->used = mark;
        return;
    }
    p->string_bytes += bytes;
    take_string(p, peer.command);
    s->peers[s->n_peers++] = peer;
}

static void read_umask(struct parser *p, struct sr_span rest) {
    uint64_t v;

    if (sr_lex_number(sr_lex_word(&rest), 8, false, &v)) {
        p->s->has_umask = true;
        p->s->umask = (uint32_t)(v & 0777);
    }
}

static void read_limit(struct parser *p, struct sr_span rest) {
    struct sr_span name = sr_lex_word(&rest), value = sr_lex_word(&rest);
    uint64_t v = UINT64_MAX;
    unsigned i = 0;

    while (i < SR_LIMITS && !sr_lex_is(name, sr_limit_name((enum sr_limit)i)))
        i++;
    if (i == SR_LIMITS || (!sr_lex_is(value, "unlimited") && !sr_lex_number(value, 10, true, &v)))
        return;
    p->s->has_limit[i] = true;
    p->s->limit[i] = v < limit_floor[i] ? limit_floor[i] : v;
}

static void read_signal(struct parser *p, struct sr_span rest) {
    struct sr_scenario *s = p->s;
    struct sr_span name = sr_lex_word(&rest), after = sr_lex_word(&rest);
    int signo = sr_signal_number(name.p, name.n);
    uint64_t n;

    if (!signo || s->n_signals == SR_SIGNALS_MAX || !sr_lex_is(after, "after") ||
        !sr_lex_number(sr_lex_word(&rest), 10, false, &n))
        return;
    struct sr_signal sig = {signo, n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n};
    uint32_t at = s->n_signals++;
    for (; at && s->signals[at - 1].after > sig.after; at--)
        s->signals[at] = s->signals[at - 1];
    s->signals[at] = sig;
}

static void read_time(struct parser *p, struct sr_span rest) {
    uint64_t v;

    if (sr_lex_number(sr_lex_word(&rest), 10, false, &v))
        p->s->time_ms = v < 1 ? 1 : v > SR_TIME_MAX_MS ? SR_TIME_MAX_MS : (uint32_t)v;
}

static void read_idle(struct parser *p, struct sr_span rest) {
    uint64_t v;

    if (sr_lex_number(sr_lex_word(&rest), 10, false, &v))
        p->s->idle_ms = v > SR_TIME_MAX_MS ? SR_TIME_MAX_MS : (uint32_t)v;
}

/* What s already holds counts too; slack for the places where counts are above the real length. */
static void count_held(struct parser *p) {
    struct sr_scenario *s = p->s;

    p->content_bytes = sr_content_size(s, s->input);
    p->string_bytes = s->argv0.p ? s->argv0.len + 1u : 0;
    for (uint32_t i = 0; i < s->n_args; i++)
        p->string_bytes += s->args[i].len + 1u;
    for (uint32_t i = 0; i < s->n_envs; i++)
        p->string_bytes += s->envs[i].len + 1u;
    for (uint32_t i = 0; i < s->n_peers; i++)
        p->string_bytes +=
            s->peers[i].command.len + 1u + (s->peers[i].name.p ? s->peers[i].name.len + 1u : 0);
    for (uint32_t i = 0; i < s->n_nodes; i++)
        p->content_bytes += sr_content_size(s, s->nodes[i].content);
    p->text_bytes = sr_scenario_print(s, true, NULL, 0) +
                    (size_t)NODE_TEXT * (s->n_nodes + s->n_peers) +
                    (size_t)REPEAT_TEXT * s->n_segments +
                    sizeof "argv0 \n" * (s->n_args + s->n_envs + (s->argv0.p != NULL));
}

static void read_line(struct parser *p, struct sr_span line) {
    if (!line.n || *line.p == '#')
        return;
    if (*line.p == '|' || *line.p == '+' || *line.p == '*') {
        read_content(p, line);
        return;
    }
    const char *space = memchr(line.p, ' ', line.n);
    struct sr_span key = {line.p, space ? (size_t)(space - line.p) : line.n};
    struct sr_span text = {line.p + key.n + (space != NULL), line.n - key.n - (space != NULL)};

    if (sr_lex_is(key, "arg"))
        read_arg(p, text);
    else if (sr_lex_is(key, "env"))
        read_env(p, text);
    else if (sr_lex_is(key, "file"))
        read_node(p, SR_NODE_FILE, text);
    else if (sr_lex_is(key, "dir"))
        read_node(p, SR_NODE_DIR, text);
    else if (sr_lex_is(key, "symlink"))
        read_node(p, SR_NODE_SYMLINK, text);
    else if (sr_lex_is(key, "fifo"))
        read_node(p, SR_NODE_FIFO, text);
    else if (sr_lex_is(key, "stdin"))
        read_stdio(p, 0, text);
    else if (sr_lex_is(key, "stdout"))
        read_stdio(p, 1, text);
    else if (sr_lex_is(key, "stderr"))
        read_stdio(p, 2, text);
    else if (sr_lex_is(key, "argv0"))
        read_argv0(p, text);
    else if (sr_lex_is(key, "cwd"))
        read_cwd(p, text);
    else if (sr_lex_is(key, "umask"))
        read_umask(p, text);
    else if (sr_lex_is(key, "limit"))
        read_limit(p, text);
    else if (sr_lex_is(key, "signal"))
        read_signal(p, text);
    else if (sr_lex_is(key, "before"))
        read_peer(p, SR_PEER_BEFORE, text);
    else if (sr_lex_is(key, "client"))
        read_peer(p, SR_PEER_CLIENT, text);
    else if (sr_lex_is(key, "serve"))
        read_peer(p, SR_PEER_SERVE, text);
    else if (sr_lex_is(key, "time"))
        read_time(p, text);
    else if (sr_lex_is(key, "idle"))
        read_idle(p, text);
    else if (sr_lex_is(key, "reset")) {
        sr_scenario_init(p->s);
        p->content = NULL;
        count_held(p);
    }
}

void sr_scenario_parse(struct sr_scenario *s, struct sr_arena *arena, const void *text,
                       size_t len) {
    struct parser p = {.s = s, .arena = arena};
    struct sr_span rest = {text, len < SR_TEXT_MAX ? len : SR_TEXT_MAX};

    count_held(&p);
    while (rest.n && !p.full) {
        const char *newline = memchr(rest.p, '\n', rest.n);
        size_t n = newline ? (size_t)(newline - rest.p) : rest.n;
        read_line(&p, (struct sr_span){rest.p, n});
        n += newline != NULL;
        rest.p += n;
        rest.n -= n;
    }
}
