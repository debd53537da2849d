/*
 * Edits of arguments and environment: options of the target with fitting values, operands, order.
 */
#include <string.h>

#include "edit.h"

/* Puts a string before argument at. */
static bool insert_arg(struct sr_edit *e, uint32_t at, struct sr_str str) {
    struct sr_scenario *s = e->s;

    if (s->n_args == SR_ARGS_MAX)
        return false;
    memmove(&s->args[at + 1], &s->args[at], (s->n_args - at) * sizeof *s->args);
    s->args[at] = str;
    s->n_args++;
    return true;
}

static void remove_arg(struct sr_edit *e, uint32_t at) {
    struct sr_scenario *s = e->s;

    s->n_args--;
    memmove(&s->args[at], &s->args[at + 1], (s->n_args - at) * sizeof *s->args);
}

bool sr_edit_option(struct sr_edit *e) {
    const struct sr_target *t = e->target;
    struct sr_scenario *s = e->s;

    if (!t->n_options)
        return false;
    const struct sr_option *o = &t->options[sr_below(e, (uint32_t)t->n_options)];
    /* In front mostly, since operands stand at the end; in place of another one at times. */
    uint32_t at = sr_one_in(e, 3) ? sr_below(e, s->n_args + 1) : 0;
    if (at < s->n_args && s->args[at].len > 1 && s->args[at].p[0] == '-' && sr_one_in(e, 3))
        remove_arg(e, at);
    for (size_t i = 0; i < o->n; i++) {
        struct sr_str word;
        if (!sr_value_fill(e, "", &o->words[i], &word) || !insert_arg(e, at++, word))
            return i > 0;
    }
    return true;
}

/* A name as an argument: a new one, or in place of one that is no option. */
bool sr_edit_operand(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_str word;

    if (!sr_value_of(e, sr_one_in(e, 8) ? "text" : "path", "", &word))
        return false;
    for (unsigned tries = 0; s->n_args && tries < 4; tries++) {
        uint32_t at = sr_below(e, s->n_args);
        if (s->args[at].len != 1 && s->args[at].len && s->args[at].p[0] == '-')
            continue;
        if (sr_one_in(e, 4))
            return insert_arg(e, at, word);
        s->args[at] = word;
        return true;
    }
    return insert_arg(e, s->n_args, word);
}

bool sr_edit_arg_remove(struct sr_edit *e) {
    if (!e->s->n_args)
        return false;
    remove_arg(e, sr_below(e, e->s->n_args));
    return true;
}

bool sr_edit_arg_again(struct sr_edit *e) {
    uint32_t n = e->s->n_args;

    return n && insert_arg(e, sr_below(e, n + 1), e->s->args[sr_below(e, n)]);
}

bool sr_edit_arg_swap(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (s->n_args < 2)
        return false;
    uint32_t a = sr_below(e, s->n_args), b = sr_below(e, s->n_args - 1);
    b += b >= a;
    struct sr_str held = s->args[a];
    s->args[a] = s->args[b];
    s->args[b] = held;
    return true;
}

/* Cuts one, joins two, changes what follows '=' or a byte. */
bool sr_edit_arg_alter(struct sr_edit *e) {
    static const char *const kinds[] = {"num", "size", "text", "regex", "path"};
    struct sr_scenario *s = e->s;

    if (!s->n_args)
        return false;
    uint32_t i = sr_below(e, s->n_args);
    struct sr_str *arg = &s->args[i], value;
    const char *equals = memchr(arg->p, '=', arg->len);
    uint32_t at = equals ? (uint32_t)(equals + 1 - arg->p) : sr_below(e, arg->len + 1);
    if (equals && !sr_value_of(e, sr_pick(e, kinds), "", &value))
        return false;
    struct sr_build b = sr_build_begin(e);
    sr_build_add(&b, arg->p, at);
    if (equals) {
        sr_build_add(&b, value.p, value.len);
        return sr_build_end(&b, arg);
    }
    switch (sr_below(e, 4)) {
    case 0: /* the rest is cut off */
        return at < arg->len && sr_build_end(&b, arg);
    case 1: /* the next one is joined */
        if (i + 1 == s->n_args)
            return false;
        b.len = 0;
        sr_build_add(&b, arg->p, arg->len);
        sr_build_add(&b, arg[1].p, arg[1].len);
        if (!sr_build_end(&b, arg))
            return false;
        remove_arg(e, i + 1);
        return true;
    default:
        sr_build_add(&b, (char[]){(char)(1 + sr_below(e, sr_one_in(e, 4) ? 255 : 126))}, 1);
        at += at < arg->len && sr_one_in(e, 2);
        sr_build_add(&b, arg->p + at, arg->len - at);
        return sr_build_end(&b, arg);
    }
}

bool sr_edit_argv0(struct sr_edit *e) {
    static const char *const names[] = {"", "-", "x", "/", "a/b", "-sh"};
    const char *name = sr_pick(e, names);

    if (e->s->argv0.p && sr_one_in(e, 2))
        e->s->argv0 = (struct sr_str){NULL, 0};
    else
        e->s->argv0 = (struct sr_str){(char *)name, (uint32_t)strlen(name)};
    return true;
}

/* Adds NAME=VALUE, or replaces the one of that name. */
static bool set_env(struct sr_edit *e, struct sr_str str) {
    struct sr_scenario *s = e->s;
    const char *equals = memchr(str.p, '=', str.len);
    size_t name = (size_t)(equals + 1 - str.p);
    uint32_t i = 0;

    while (i < s->n_envs && (s->envs[i].len < name || memcmp(s->envs[i].p, str.p, name) != 0))
        i++;
    if (i == SR_ENVS_MAX)
        return false;
    s->envs[i] = str;
    s->n_envs += i == s->n_envs;
    return true;
}

bool sr_edit_env(struct sr_edit *e) {
    /* What libc and most programs look at. */
    static const struct {
        const char *name, *kind;
        const char *values[6];
    } common[] = {
        {"LC_ALL=", NULL, {"C", "C.UTF-8", "POSIX", "en_US.UTF-8", "", "x/y"}},
        {"LANG=", NULL, {"C", "C.UTF-8", "en_US.UTF-8", "", "tlh", "C"}},
        {"TZ=", NULL, {"UTC", "Europe/Amsterdam", ":/dev/null", "EST5EDT", "", "x"}},
        {"TERM=", NULL, {"xterm", "dumb", "vt100", "", "xterm-256color", "nonsense"}},
        {"POSIXLY_CORRECT=", NULL, {"1", "", "1", "", "1", ""}},
        {"COLUMNS=", "num", {NULL}},
        {"LINES=", "num", {NULL}},
        {"TMPDIR=", "dir", {NULL}},
        {"HOME=", "dir", {NULL}},
        {"PWD=", "dir", {NULL}},
        {"USER=", "text", {NULL}},
        {"PATH=", NULL, {"/usr/bin:/bin", "", "/nowhere", ".", "/bin", "/usr/bin:/bin"}},
    };
    const struct sr_target *t = e->target;
    struct sr_str str;

    if (t->n_envs && !sr_one_in(e, 4)) {
        const struct sr_target_env *v = &t->envs[sr_below(e, (uint32_t)t->n_envs)];
        struct sr_build b;
        struct sr_str value;
        if (!sr_value_fill(e, "", &v->value, &value))
            return false;
        b = sr_build_begin(e);
        sr_build_add(&b, v->name, strlen(v->name));
        sr_build_add(&b, "=", 1);
        sr_build_add(&b, value.p, value.len);
        return sr_build_end(&b, &str) && set_env(e, str);
    }
    uint32_t i = sr_below(e, sizeof common / sizeof *common);
    if (common[i].kind)
        return sr_value_of(e, common[i].kind, common[i].name, &str) && set_env(e, str);
    struct sr_build b = sr_build_begin(e);
    const char *value = sr_pick(e, common[i].values);
    sr_build_add(&b, common[i].name, strlen(common[i].name));
    sr_build_add(&b, value, strlen(value));
    return sr_build_end(&b, &str) && set_env(e, str);
}

bool sr_edit_env_remove(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (!s->n_envs)
        return false;
    uint32_t i = sr_below(e, s->n_envs);
    s->n_envs--;
    memmove(&s->envs[i], &s->envs[i + 1], (s->n_envs - i) * sizeof *s->envs);
    return true;
}
