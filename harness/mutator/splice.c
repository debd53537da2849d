/*
 * Splicing: parts of another scenario taken over as they are.
 *
 * Strings are shared with the other one's arena, which lives as long as the edit does.
 */
#include <string.h>

#include "edit.h"

static bool take_content(struct sr_edit *e, struct sr_content from, struct sr_content *out) {
    struct sr_scenario *s = e->s;

    if (s->n_segments + from.n > SR_SEGMENTS_MAX)
        return false;
    memcpy(&s->segments[s->n_segments], &e->other->segments[from.first],
           from.n * sizeof *s->segments);
    *out = (struct sr_content){(uint16_t)s->n_segments, from.n};
    s->n_segments += from.n;
    return true;
}

/* A node, in place of the one of its name. */
static bool take_node(struct sr_edit *e, const struct sr_node *from) {
    struct sr_scenario *s = e->s;
    struct sr_node n = *from;
    uint32_t i = 0;

    while (i < s->n_nodes && (s->nodes[i].name.len != n.name.len ||
                              memcmp(s->nodes[i].name.p, n.name.p, n.name.len) != 0))
        i++;
    if (i == SR_NODES_MAX || !take_content(e, from->content, &n.content))
        return false;
    s->nodes[i] = n;
    s->n_nodes += i == s->n_nodes;
    return true;
}

static bool take_tree(struct sr_edit *e) {
    bool done = false;

    if (sr_one_in(e, 2))
        e->s->n_nodes = 0;
    for (uint32_t i = 0; i < e->other->n_nodes; i++)
        done |= take_node(e, &e->other->nodes[i]);
    return done;
}

/* A run of arguments is put in; or what follows a place is replaced by what follows one there. */
static bool take_args(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    const struct sr_scenario *o = e->other;

    if (!o->n_args)
        return false;
    uint32_t at = sr_below(e, s->n_args + 1), from = sr_below(e, o->n_args);
    bool tail = sr_one_in(e, 2);
    uint32_t n = tail ? o->n_args - from : 1 + sr_below(e, o->n_args - from);
    uint32_t rest = tail ? 0 : s->n_args - at;
    if (at + n + rest > SR_ARGS_MAX)
        return false;
    memmove(&s->args[at + n], &s->args[at], rest * sizeof *s->args);
    memcpy(&s->args[at], &o->args[from], n * sizeof *s->args);
    s->n_args = at + n + rest;
    return true;
}

static bool take_env(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (!e->other->n_envs || s->n_envs == SR_ENVS_MAX)
        return false;
    /* One of a name that is there already comes later and so wins. */
    s->envs[s->n_envs++] = e->other->envs[sr_below(e, e->other->n_envs)];
    return true;
}

/* Descriptors, directory, umask, limits and signals. */
static bool take_rest(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    const struct sr_scenario *o = e->other;

    if (!take_content(e, o->input, &s->input))
        return false;
    memcpy(s->stdio, o->stdio, sizeof s->stdio);
    s->pace_ms = o->pace_ms;
    s->cwd = o->cwd;
    s->has_umask = o->has_umask;
    s->umask = o->umask;
    memcpy(s->has_limit, o->has_limit, sizeof s->has_limit);
    memcpy(s->limit, o->limit, sizeof s->limit);
    memcpy(s->signals, o->signals, sizeof s->signals);
    s->n_signals = o->n_signals;
    return true;
}

/* One of the other's peers, or all of them in place of these. */
static bool take_peers(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    const struct sr_scenario *o = e->other;

    if (!o->n_peers)
        return false;
    if (sr_one_in(e, 2)) {
        memcpy(s->peers, o->peers, o->n_peers * sizeof *s->peers);
        s->n_peers = o->n_peers;
        return true;
    }
    const struct sr_peer *p = &o->peers[sr_below(e, o->n_peers)];
    if (s->n_peers == SR_PEERS_MAX && !sr_one_in(e, 2))
        return false;
    uint32_t at = s->n_peers && (s->n_peers == SR_PEERS_MAX || sr_one_in(e, 2))
                      ? sr_below(e, s->n_peers)
                      : s->n_peers++;
    s->peers[at] = *p;
    return true;
}

bool sr_edit_splice(struct sr_edit *e) {
    if (!e->other)
        return false;
    switch (sr_below(e, 9)) {
    case 0:
    case 1:
    case 2:
        return take_args(e);
    case 3:
        return take_tree(e);
    case 4:
    case 5:
        return e->other->n_nodes && take_node(e, &e->other->nodes[sr_below(e, e->other->n_nodes)]);
    case 6:
        return take_env(e);
    case 7:
        return take_peers(e);
    default:
        return take_rest(e);
    }
}
