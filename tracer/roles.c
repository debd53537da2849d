/*
 * Roles, see roles.h.
 *
 * A process is found by its pid through its newest entry. Parents are indices into the table: the
 * entry that the parent had when it forked, or the former entry of the same process at an exec.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "roles.h"
#include "sys.h"

enum kind { FIRST, CALLS, SANDBOXED, EXECS, CHILD_OF, PARENT_OF, RE_EXEC };

static const struct {
    const char *word; /* with its '=' where a value follows */
    enum kind kind;
} words[] = {
    {"first", FIRST},        {"calls=#", CALLS},        {"sandboxed", SANDBOXED}, {"execs", EXECS},
    {"child-of=", CHILD_OF}, {"parent-of=", PARENT_OF}, {"re-exec", RE_EXEC},
};

struct condition {
    enum kind kind;
    bool negated;
    struct sr_call call;
    char role[SR_ROLE_BYTES];
};

struct rule {
    char image[SR_ROLE_BYTES], name[SR_ROLE_BYTES];
    struct condition conditions[SR_ROLE_CONDS_MAX];
    unsigned n;
};

struct process {
    pid_t pid;
    int parent;  /* entry, -1: none known */
    int image;   /* -1: none known */
    int rule;    /* that gave it its role, -1: none */
    bool newest; /* of its pid: calls go here */
    bool forked; /* its fork has been reported */
    bool sandboxed, execs, re_exec;
    struct sr_set calls, refused;
};

struct sr_roles {
    unsigned n_rules, n;
    pid_t first;
    bool full; /* a process found no place */
    struct rule rules[SR_ROLE_RULES_MAX];
    struct process processes[SR_ROLE_PROCESSES_MAX];
};

struct sr_roles *sr_roles_new(void) {
    struct sr_roles *r = sr_map(sizeof *r, MAP_PRIVATE);

    if (r)
        sr_sys(SYS_madvise, r, sizeof *r, MADV_DONTFORK);
    return r;
}

void sr_roles_free(struct sr_roles *r) {
    if (r)
        sr_sys(SYS_munmap, r, sizeof *r);
}

unsigned sr_roles_rules(const struct sr_roles *r) {
    return r->n_rules;
}

/* Copies the next word; false: there is none, or it is too long. */
static bool next_word(const char **at, char *word, size_t size) {
    size_t n;

    *at += strspn(*at, " \t");
    n = strcspn(*at, " \t");
    if (n == 0 || n >= size)
        return false;
    memcpy(word, *at, n);
    word[n] = 0;
    *at += n;
    return true;
}

static bool parse_number(const char *s, struct sr_call *call) {
    int32_t n = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || n >= SR_SET_NRS)
            return false;
        n = n * 10 + (*s - '0');
    }
    *call = (struct sr_call){SR_ABI_X86_64, n};
    return n < SR_SET_NRS;
}

static bool parse_condition(const char *word, struct condition *c) {
    memset(c, 0, sizeof *c);
    c->negated = *word == '!';
    word += c->negated;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i].word);
        const char *value = word + n;

        c->kind = words[i].kind;
        if (strncmp(word, words[i].word, n) != 0)
            continue;
        if (c->kind == CALLS)
            return parse_number(value, &c->call);
        if (c->kind != CHILD_OF && c->kind != PARENT_OF)
            return *value == 0;
        if (!*value || strlen(value) >= sizeof c->role)
            return false;
        memcpy(c->role, value, strlen(value) + 1);
        return true;
    }
    return false;
}

int sr_roles_rule(struct sr_roles *r, const char *text) {
    struct rule rule;
    char word[SR_ROLE_BYTES + 16];

    memset(&rule, 0, sizeof rule);
    if (!next_word(&text, rule.image, sizeof rule.image) ||
        !next_word(&text, rule.name, sizeof rule.name))
        return -EINVAL;
    while (text += strspn(text, " \t"), *text) {
        if (rule.n == SR_ROLE_CONDS_MAX || !next_word(&text, word, sizeof word) ||
            !parse_condition(word, &rule.conditions[rule.n++]))
            return -EINVAL;
    }
    if (!r)
        return 0;
    if (r->n_rules == SR_ROLE_RULES_MAX)
        return -ENOSPC;
    r->rules[r->n_rules++] = rule;
    return 0;
}

/* The newest entry of a process, or -1. */
static int find(const struct sr_roles *r, pid_t pid) {
    for (int i = (int)r->n - 1; i >= 0; i--)
        if (r->processes[i].pid == pid && r->processes[i].newest)
            return i;
    return -1;
}

/* The entry takes the place of the one that the process had. -1: there is no room. */
static int add(struct sr_roles *r, pid_t pid, int parent, int image) {
    int former = find(r, pid);
    struct process *p;

    if (former >= 0)
        r->processes[former].newest = false;
    if (r->n == SR_ROLE_PROCESSES_MAX) {
        r->full = true;
        return -1;
    }
    p = &r->processes[r->n];
    memset(p, 0, sizeof *p);
    p->pid = pid;
    p->parent = parent;
    p->image = image;
    p->rule = -1;
    p->newest = true;
    return (int)r->n++;
}

void sr_roles_begin(struct sr_roles *r, pid_t pid) {
    r->n = 0;
    r->full = false;
    r->first = pid;
    if (r->n_rules)
        add(r, pid, -1, 0);
}

void sr_roles_fork(struct sr_roles *r, pid_t parent, pid_t pid) {
    int up, i, oldest;

    if (!r->n_rules)
        return;
    up = find(r, parent);
    i = oldest = find(r, pid);
    while (oldest >= 0 && r->processes[oldest].parent >= 0 &&
           r->processes[r->processes[oldest].parent].pid == pid)
        oldest = r->processes[oldest].parent;
    /* Known already from its own stops; else it is new, or a process id that is used again. */
    if (i < 0 || r->processes[oldest].forked)
        oldest = add(r, pid, up, up >= 0 ? r->processes[up].image : -1);
    if (oldest < 0)
        return;
    r->processes[oldest].parent = up;
    r->processes[oldest].forked = true;
}

/* The exec that begins a replay belongs to the program that it begins. */
static bool is_launch(const struct sr_roles *r, int entry) {
    struct sr_set more = {0};

    if (entry != 0)
        return false;
    sr_set_add(&more, (struct sr_call){SR_ABI_X86_64, SYS_execve});
    more = sr_set_minus(&r->processes[0].calls, &more);
    return sr_set_count(&more) == 0;
}

void sr_roles_exec(struct sr_roles *r, pid_t pid, int image) {
    int former, i;

    if (!r->n_rules)
        return;
    former = find(r, pid);
    if (is_launch(r, former) && image == r->processes[0].image)
        return;
    i = add(r, pid, former, image);
    if (former < 0)
        return;
    r->processes[former].execs = true;
    if (i >= 0)
        r->processes[i].re_exec = image >= 0 && r->processes[former].image == image;
}

/* The entry of the process that stopped; NULL: there was no room for it. */
static struct process *entry_of(struct sr_roles *r, const struct sr_stop *stop) {
    int i;

    if (!r->n_rules)
        return NULL;
    i = find(r, stop->pid);
    if (i < 0)
        i = add(r, stop->pid, -1, (int)stop->image);
    return i < 0 ? NULL : &r->processes[i];
}

void sr_roles_call(struct sr_roles *r, const struct sr_stop *stop) {
    struct process *p = entry_of(r, stop);

    if (!p)
        return;
    p->sandboxed |= stop->sandboxed;
    sr_set_add(&p->calls, stop->call);
}

void sr_roles_refused(struct sr_roles *r, const struct sr_stop *stop) {
    struct process *p = entry_of(r, stop);

    if (p)
        sr_set_add(&p->refused, stop->call);
}

/* The entry has a role of that name by a rule before this one. */
static bool plays(const struct sr_roles *r, int entry, const char *name, int rule) {
    int by = entry >= 0 ? r->processes[entry].rule : -1;

    return by >= 0 && by < rule && strcmp(r->rules[by].name, name) == 0;
}

static bool has_child(const struct sr_roles *r, int entry, const char *name, int rule) {
    for (unsigned i = 0; i < r->n; i++)
        if (r->processes[i].parent == entry && plays(r, (int)i, name, rule))
            return true;
    return false;
}

static bool holds(const struct sr_roles *r, int entry, const struct condition *c, int rule) {
    const struct process *p = &r->processes[entry];
    bool is = false;

    switch (c->kind) {
    case FIRST:
        is = p->pid == r->first;
        break;
    case CALLS:
        is = sr_set_has(&p->calls, c->call);
        break;
    case SANDBOXED:
        is = p->sandboxed;
        break;
    case EXECS:
        is = p->execs;
        break;
    case CHILD_OF:
        is = plays(r, p->parent, c->role, rule);
        break;
    case PARENT_OF:
        is = has_child(r, entry, c->role, rule);
        break;
    case RE_EXEC:
        is = p->re_exec;
        break;
    }
    return is != c->negated;
}

static bool is_of(const struct sr_union *u, int image, const char *name) {
    const char *path = image >= 0 ? sr_union_image_path(u, (unsigned)image) : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;

    return path && strcmp(slash ? slash + 1 : path, name) == 0;
}

static void apply(struct sr_roles *r, const struct sr_union *u, int rule) {
    const struct rule *by = &r->rules[rule];

    for (unsigned i = 0; i < r->n; i++) {
        struct process *p = &r->processes[i];
        bool all = p->rule < 0 && is_of(u, p->image, by->image);

        for (unsigned k = 0; all && k < by->n; k++)
            all = holds(r, (int)i, &by->conditions[k], rule);
        if (all)
            p->rule = rule;
    }
}

static bool has_rules(const struct sr_roles *r, const struct sr_union *u, int image) {
    for (unsigned i = 0; i < r->n_rules; i++)
        if (is_of(u, image, r->rules[i].image))
            return true;
    return false;
}

void sr_roles_finish(struct sr_roles *r, struct sr_union *u) {
    for (int rule = 0; rule < (int)r->n_rules; rule++)
        apply(r, u, rule);
    for (unsigned i = 0; i < r->n; i++) {
        const struct process *p = &r->processes[i];
        int slot;

        if (!sr_set_count(&p->calls) || !has_rules(r, u, p->image))
            continue;
        slot = sr_union_role(u, (unsigned)p->image, p->rule >= 0 ? r->rules[p->rule].name : "");
        if (slot < 0)
            continue;
        __atomic_fetch_add(&u->roles[slot].processes, 1, __ATOMIC_RELAXED);
        sr_set_merge(&u->roles[slot].calls, &p->calls);
        sr_set_merge(&u->roles[slot].attempted, &p->refused);
    }
    if (r->full)
        __atomic_fetch_add(&u->roles_cut, 1, __ATOMIC_RELAXED);
    r->n = 0;
}
