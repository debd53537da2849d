/*
 * Edits of what runs beside the program: commands before it, clients, servers; and the pace of what
 * is typed.
 *
 * Commands come from the target: values of the kinds <before> and <client>, of <serve> with the
 * address in front ("tcp:22 cat"), and <peer-option> for a word to put behind one of the target's
 * session words. Without such values the commands that are there lose, double or exchange words.
 */
#include <stdlib.h>
#include <string.h>

#include "edit.h"

static bool has_values(const struct sr_edit *e, const char *kind) {
    int i = sr_target_kind(e->target, kind);

    return i >= 0 && e->target->kinds[i].values.n;
}

/* "tcp:22 COMMAND": the address is cut off; false: there is none. */
static bool read_address(struct sr_peer *p) {
    char *text = p->command.p, *space = strchr(text, ' '), *colon = strchr(text, ':');

    if (!space || !colon || colon > space)
        return false;
    for (int net = 0; net < SR_NETS; net++) {
        const char *name = sr_net_name((enum sr_net)net);
        if (strlen(name) != (size_t)(colon - text) ||
            memcmp(name, text, (size_t)(colon - text)) != 0)
            continue;
        p->net = (enum sr_net)net;
        if (net == SR_NET_UNIX) {
            p->name = (struct sr_str){colon + 1, (uint32_t)(space - colon - 1)};
            *space = 0; /* the text is this edit's own */
        } else {
            p->port = (uint32_t)strtoul(colon + 1, NULL, 10);
        }
        p->command.len -= (uint32_t)(space + 1 - text);
        p->command.p = space + 1;
        return net == SR_NET_UNIX ? p->name.len != 0 : p->port >= 1 && p->port <= 65535;
    }
    return false;
}

static bool make_peer(struct sr_edit *e, enum sr_peer_kind kind, struct sr_peer *p) {
    const char *name = sr_peer_kind_name(kind);

    memset(p, 0, sizeof *p);
    p->kind = kind;
    return has_values(e, name) && sr_value_of(e, name, "", &p->command) &&
           (kind != SR_PEER_SERVE || read_address(p));
}

bool sr_edit_peer_add(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_peer p;

    /* A client has nobody to reach unless the scenario or the program gives it somebody: rare. */
    enum sr_peer_kind kind = (enum sr_peer_kind)sr_below(e, SR_PEER_KINDS);
    if (s->n_peers == SR_PEERS_MAX || !make_peer(e, kind, &p))
        return false;
    s->peers[s->n_peers++] = p;
    return true;
}

bool sr_edit_peer_remove(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (!s->n_peers)
        return false;
    uint32_t i = sr_below(e, s->n_peers);
    s->n_peers--;
    memmove(&s->peers[i], &s->peers[i + 1], (s->n_peers - i) * sizeof *s->peers);
    return true;
}

bool sr_edit_peer_command(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_peer made, *p;

    if (!s->n_peers)
        return false;
    p = &s->peers[sr_below(e, s->n_peers)];
    if (!make_peer(e, p->kind, &made))
        return false;
    /* Another command at the same address, or another peer altogether. */
    if (sr_one_in(e, 4))
        *p = made;
    else
        p->command = made.command;
    return true;
}

/* The n-th word between blanks, as many as there are; quotes do not matter here. */
static struct sr_str word_at(struct sr_str text, uint32_t n, uint32_t *count) {
    struct sr_str found = {text.p, 0};
    const char *p = text.p, *end = text.p + text.len;

    *count = 0;
    while (p < end) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        const char *stop = space ? space : end;
        if (stop > p && (*count)++ == n)
            found = (struct sr_str){(char *)p, (uint32_t)(stop - p)};
        p = space ? space + 1 : end;
    }
    return found;
}

/* Whether a word is one of the target's session words, or a path that ends in one. */
static bool is_session_word(const struct sr_edit *e, struct sr_str word) {
    const struct sr_strings *list = &e->target->session;

    for (size_t i = 0; i < list->n; i++) {
        size_t len = strlen(list->v[i]);
        const char *tail = word.p + word.len - len;
        if (len && len <= word.len && !memcmp(tail, list->v[i], len) &&
            (len == word.len || tail[-1] == '/'))
            return true;
    }
    return false;
}

static bool add_option(struct sr_edit *e, struct sr_peer *p) {
    uint32_t count = 0, i;
    struct sr_str word = {NULL, 0}, option;

    if (!has_values(e, "peer-option") || !sr_value_of(e, "peer-option", "", &option))
        return false;
    word_at(p->command, UINT32_MAX, &count);
    for (i = 0; i < count; i++) {
        uint32_t all;
        word = word_at(p->command, i, &all);
        if (is_session_word(e, word))
            break;
    }
    if (i == count)
        return false;
    size_t before = (size_t)(word.p + word.len - p->command.p);
    struct sr_build b = sr_build_begin(e);
    sr_build_add(&b, p->command.p, before);
    sr_build_add(&b, " ", 1);
    sr_build_add(&b, option.p, option.len);
    sr_build_add(&b, p->command.p + before, p->command.len - before);
    return sr_build_end(&b, &p->command);
}

bool sr_edit_peer_word(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    uint32_t count, ignored;

    if (!s->n_peers)
        return false;
    struct sr_peer *p = &s->peers[sr_below(e, s->n_peers)];
    if (!sr_one_in(e, 3) && add_option(e, p))
        return true;
    word_at(p->command, UINT32_MAX, &count);
    if (count < 2)
        return false;
    struct sr_str word = word_at(p->command, sr_below(e, count), &ignored);
    struct sr_str other = word_at(p->command, sr_below(e, count), &ignored);
    struct sr_str number = {NULL, 0};
    size_t before = (size_t)(word.p - p->command.p);
    uint32_t what = sr_below(e, 4);
    if (what == 3 && !sr_value_of(e, "num", "", &number))
        return false;
    struct sr_build b = sr_build_begin(e);
    sr_build_add(&b, p->command.p, before);
    if (what == 1) { /* another of its words */
        sr_build_add(&b, other.p, other.len);
    } else if (what == 2) { /* twice */
        sr_build_add(&b, word.p, word.len);
        sr_build_add(&b, " ", 1);
        sr_build_add(&b, word.p, word.len);
    } else if (what == 3) {
        const char *digit = strpbrk(word.p, "0123456789");
        size_t kept = digit && digit < word.p + word.len ? (size_t)(digit - word.p) : word.len;
        sr_build_add(&b, word.p, kept);
        if (kept < word.len)
            sr_build_add(&b, number.p, number.len);
    }
    sr_build_add(&b, word.p + word.len, p->command.len - before - word.len);
    return sr_build_end(&b, &p->command);
}

/* Only where something is typed in pieces already: at once is the usual way. */
bool sr_edit_pace(struct sr_edit *e) {
    static const uint32_t paces[] = {0, 10, 20, 40, 60};
    struct sr_scenario *s = e->s;

    if (s->stdio[0] != SR_STDIO_PTY || !s->pace_ms)
        return false;
    s->pace_ms = sr_pick(e, paces);
    return true;
}
