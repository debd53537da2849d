/*
 * Values: strings for places of a kind, and names in the scenario's tree.
 *
 * Names of what exists are the most useful ones; lists come next, then made-up numbers and texts.
 */
#include <stdio.h>
#include <string.h>

#include "edit.h"

struct sr_build sr_build_begin(struct sr_edit *e) {
    return (struct sr_build){.arena = e->arena, .p = e->arena->base + e->arena->used};
}

void sr_build_add(struct sr_build *b, const char *p, size_t len) {
    if (b->arena->used + b->len + len + 1 > b->arena->size) {
        b->full = true;
        return;
    }
    memcpy(b->p + b->len, p, len);
    b->len += len;
}

static void add_text(struct sr_build *b, const char *text) {
    sr_build_add(b, text, strlen(text));
}

bool sr_build_end(struct sr_build *b, struct sr_str *out) {
    sr_build_add(b, "", 0);
    if (b->full)
        return false;
    b->p[b->len] = 0;
    b->arena->used += b->len + 1;
    *out = (struct sr_str){b->p, (uint32_t)b->len};
    return true;
}

static void add_number(struct sr_edit *e, struct sr_build *b) {
    char text[24];
    uint32_t bit = sr_below(e, 32);
    int64_t n = 0;

    switch (sr_below(e, 4)) {
    case 0:
        n = sr_below(e, 10);
        break;
    case 1:
        n = (INT64_C(1) << bit) + sr_below(e, 3) - 1;
        break;
    case 2:
        n = sr_below(e, 1000);
        break;
    default:
        n = (int64_t)sr_below(e, UINT32_MAX) - (sr_one_in(e, 4) ? UINT32_MAX : 0);
    }
    sr_build_add(b, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)n));
}

/* A part of one of the arguments or of the content; else a few bytes. */
static void add_some_text(struct sr_edit *e, struct sr_build *b) {
    struct sr_str from = {NULL, 0};

    if (e->s->n_args && sr_one_in(e, 2))
        from = e->s->args[sr_below(e, e->s->n_args)];
    else
        from = sr_content_line(e);
    if (from.len) {
        uint32_t at = sr_below(e, from.len), n = 1 + sr_below(e, from.len - at);
        const char *nul = memchr(from.p + at, 0, n);
        sr_build_add(b, from.p + at, nul ? (size_t)(nul - from.p - at) : n);
        return;
    }
    for (uint32_t n = 1 + sr_below(e, 6); n; n--)
        sr_build_add(b, (char[]){(char)(1 + sr_below(e, 255))}, 1);
}

static bool fits(const struct sr_node *n, enum sr_make make) {
    return make == SR_MAKE_PATH || (n->kind == SR_NODE_DIR) == (make == SR_MAKE_DIR);
}

/*
 * The name of a node, or of a directory on the way to one. As seen from the working directory,
 * since that is where arguments are looked up.
 */
static bool add_existing(struct sr_edit *e, struct sr_build *b, enum sr_make make) {
    const struct sr_scenario *s = e->s;

    if (!s->n_nodes)
        return false;
    const struct sr_node *n = &s->nodes[sr_below(e, s->n_nodes)];
    for (unsigned tries = 0; tries < 8 && !fits(n, make); tries++)
        n = &s->nodes[sr_below(e, s->n_nodes)];
    size_t len = n->name.len;
    const char *slash = memrchr(n->name.p, '/', len);
    if (make != SR_MAKE_FILE && slash && (!fits(n, make) || sr_one_in(e, 3)))
        len = (size_t)(slash - n->name.p);
    else if (!fits(n, make))
        return false;
    if (s->cwd.p && !sr_one_in(e, 4)) {
        add_text(b, "../");
        for (const char *at = s->cwd.p; (at = strchr(at, '/')); at++)
            add_text(b, "../");
    }
    sr_build_add(b, n->name.p, len);
    return true;
}

static void add_listed(struct sr_edit *e, struct sr_build *b, const struct sr_kind *k) {
    if (k->values.n)
        add_text(b, k->values.v[sr_below(e, (uint32_t)k->values.n)]);
}

static void add_value(struct sr_edit *e, struct sr_build *b, const struct sr_kind *k) {
    switch (k->make) {
    case SR_MAKE_LISTED:
        break;
    case SR_MAKE_NUMBER:
        if (sr_one_in(e, 2)) {
            add_number(e, b);
            return;
        }
        break;
    case SR_MAKE_TEXT:
        if (sr_one_in(e, 2)) {
            add_some_text(e, b);
            return;
        }
        break;
    case SR_MAKE_FILE:
    case SR_MAKE_DIR:
    case SR_MAKE_PATH:
        if (!sr_one_in(e, 4) && add_existing(e, b, k->make))
            return;
    }
    add_listed(e, b, k);
}

bool sr_value_fill(struct sr_edit *e, const char *prefix, const struct sr_template *t,
                   struct sr_str *out) {
    struct sr_build b = sr_build_begin(e);

    add_text(&b, prefix);
    for (size_t i = 0; i < t->n; i++) {
        add_text(&b, t->pieces[i].text);
        if (t->pieces[i].kind >= 0)
            add_value(e, &b, &e->target->kinds[t->pieces[i].kind]);
    }
    return sr_build_end(&b, out);
}

bool sr_value_of(struct sr_edit *e, const char *kind, const char *prefix, struct sr_str *out) {
    struct sr_piece piece = {.text = (char[]){""}, .kind = sr_target_kind(e->target, kind)};

    return sr_value_fill(e, prefix, &(struct sr_template){&piece, 1}, out);
}

bool sr_value_directory(struct sr_edit *e, struct sr_str *out) {
    struct sr_build b = sr_build_begin(e);
    const struct sr_scenario *s = e->s;

    if (!s->n_nodes)
        return false;
    const struct sr_node *n = &s->nodes[sr_below(e, s->n_nodes)];
    const char *slash = memrchr(n->name.p, '/', n->name.len);
    if (n->kind != SR_NODE_DIR && !slash)
        return false;
    sr_build_add(&b, n->name.p, n->kind == SR_NODE_DIR ? n->name.len : (size_t)(slash - n->name.p));
    return sr_build_end(&b, out);
}

/* The last component of a node's name. */
static struct sr_str last_part(const struct sr_node *n) {
    const char *slash = memrchr(n->name.p, '/', n->name.len);
    const char *from = slash ? slash + 1 : n->name.p;

    return (struct sr_str){(char *)from, (uint32_t)(n->name.p + n->name.len - from)};
}

bool sr_value_new_name(struct sr_edit *e, struct sr_str *out) {
    static const char *const names[] = {"a", "b",   "c",   "f",    "d1",       "d2",      "sub",
                                        "A", "a.c", "b.o", "-",    "-x",       ".hidden", "x y",
                                        "~", "a~",  "#",   "core", "\xc3\xa4", "\xff",    "x\ny"};
    struct sr_build b = sr_build_begin(e);
    struct sr_str dir;
    uint32_t n = e->s->n_nodes;

    if (n && sr_one_in(e, 2)) { /* within a directory that there is, or one that is made so */
        if (sr_value_directory(e, &dir)) {
            b = sr_build_begin(e);
            sr_build_add(&b, dir.p, dir.len);
        } else {
            add_text(&b, "d1");
        }
        add_text(&b, "/");
    }
    if (n && sr_one_in(e, 2)) {
        struct sr_str part = last_part(&e->s->nodes[sr_below(e, n)]);
        sr_build_add(&b, part.p, part.len);
        if (sr_one_in(e, 4))
            add_text(&b, "2");
    } else {
        add_text(&b, sr_pick(e, names));
    }
    return sr_build_end(&b, out);
}
