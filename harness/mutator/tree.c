/*
 * Edits of the file tree: nodes added, removed, doubled; their kind, name, mode, size, time,
 * target.
 */
#include <string.h>

#include "edit.h"

static struct sr_node *pick_node(struct sr_edit *e) {
    return e->s->n_nodes ? &e->s->nodes[sr_below(e, e->s->n_nodes)] : NULL;
}

/* Fifos are rare: opening one may wait. */
static enum sr_node_kind pick_kind(struct sr_edit *e) {
    uint32_t n = sr_below(e, 40);

    return n < 24 ? SR_NODE_FILE : n < 32 ? SR_NODE_DIR : n < 39 ? SR_NODE_SYMLINK : SR_NODE_FIFO;
}

static bool make_target(struct sr_edit *e, struct sr_node *n) {
    static const char *const targets[] = {"nowhere", "..", ".", "/", "/dev/null", "../a", "a/b"};
    const struct sr_node *to = pick_node(e);

    if (to && !sr_one_in(e, 3)) { /* itself, perhaps: a loop */
        n->target = to->name;
    } else {
        const char *target = sr_pick(e, targets);
        n->target = (struct sr_str){(char *)target, (uint32_t)strlen(target)};
    }
    return n->target.len != 0;
}

/* What a node of its kind must have, and must not. */
static bool set_kind(struct sr_edit *e, struct sr_node *n, enum sr_node_kind kind) {
    n->kind = kind;
    if (kind == SR_NODE_SYMLINK) {
        n->has_mode = false;
        if (!n->target.len && !make_target(e, n))
            return false;
    } else {
        n->target = (struct sr_str){NULL, 0};
    }
    if (kind != SR_NODE_FILE)
        n->has_size = false;
    if (kind == SR_NODE_SYMLINK || kind == SR_NODE_DIR)
        n->content.n = 0;
    return true;
}

bool sr_edit_node_add(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_node n = {.kind = SR_NODE_FILE};
    struct sr_content *like = sr_content_pick(e);

    if (s->n_nodes == SR_NODES_MAX || !sr_value_new_name(e, &n.name))
        return false;
    if (like)
        n.content = *like;
    if (!set_kind(e, &n, pick_kind(e)))
        return false;
    s->nodes[s->n_nodes++] = n;
    return true;
}

bool sr_edit_node_remove(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (!s->n_nodes)
        return false;
    uint32_t i = sr_below(e, s->n_nodes);
    s->n_nodes--;
    memmove(&s->nodes[i], &s->nodes[i + 1], (s->n_nodes - i) * sizeof *s->nodes);
    return true;
}

bool sr_edit_node_again(struct sr_edit *e) {
    const struct sr_node *from = pick_node(e);

    if (!from || e->s->n_nodes == SR_NODES_MAX)
        return false;
    struct sr_node n = *from;
    if (!sr_value_new_name(e, &n.name))
        return false;
    e->s->nodes[e->s->n_nodes++] = n;
    return true;
}

/* Empty files by the dozen in one directory: programs sort and buffer what they list. */
bool sr_edit_node_many(struct sr_edit *e) {
    static const uint32_t counts[] = {5, 20, 70, 130, 200};
    uint32_t n = sr_pick(e, counts);
    struct sr_str dir = {0};
    bool any = false;

    sr_value_directory(e, &dir);
    for (uint32_t i = 0; i < n && e->s->n_nodes < SR_NODES_MAX; i++) {
        char last[8] = {'/', 'n', (char)('0' + i / 100), (char)('0' + i / 10 % 10),
                        (char)('0' + i % 10)};
        struct sr_node node = {.kind = SR_NODE_FILE};
        struct sr_build b = sr_build_begin(e);

        if (dir.len)
            sr_build_add(&b, dir.p, dir.len);
        sr_build_add(&b, dir.len ? last : last + 1, dir.len ? 5 : 4);
        if (!sr_build_end(&b, &node.name))
            return any;
        e->s->nodes[e->s->n_nodes++] = node;
        any = true;
    }
    return any;
}

bool sr_edit_node_kind(struct sr_edit *e) {
    struct sr_node *n = pick_node(e);
    enum sr_node_kind kind = pick_kind(e);

    return n && n->kind != kind && set_kind(e, n, kind);
}

bool sr_edit_node_name(struct sr_edit *e) {
    struct sr_node *n = pick_node(e);

    return n && sr_value_new_name(e, &n->name);
}

bool sr_edit_node_mode(struct sr_edit *e) {
    static const uint32_t modes[] = {0,    0200, 0400, 0444,  0600,  0644,
                                     0700, 0755, 0777, 01777, 04755, 02755};
    struct sr_node *n = pick_node(e);

    if (!n || n->kind == SR_NODE_SYMLINK)
        return false;
    n->has_mode = !n->has_mode || !sr_one_in(e, 3);
    n->mode = sr_one_in(e, 3) ? 0 : sr_pick(e, modes);
    return true;
}

bool sr_edit_node_size(struct sr_edit *e) {
    static const uint32_t sizes[] = {0, 1, 2, 511, 512, 4095, 4096, 4097, 65536, 1u << 20};
    struct sr_node *n = pick_node(e);

    if (!n || n->kind != SR_NODE_FILE)
        return false;
    n->has_size = !n->has_size || !sr_one_in(e, 3);
    n->size = sr_one_in(e, 3) ? sr_below(e, 100) : sr_pick(e, sizes);
    return true;
}

bool sr_edit_node_mtime(struct sr_edit *e) {
    static const int64_t times[] = {0,          -1,         1,          1000000000,   1700000000,
                                    2147483647, 2147483648, 4294967296, 253402300800, -2147483649};
    struct sr_node *n = pick_node(e);

    if (!n)
        return false;
    n->has_mtime = !n->has_mtime || !sr_one_in(e, 3);
    n->mtime = sr_pick(e, times);
    return true;
}

bool sr_edit_node_target(struct sr_edit *e) {
    struct sr_node *n = pick_node(e);

    return n && n->kind == SR_NODE_SYMLINK && make_target(e, n);
}
