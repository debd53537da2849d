/*
 * What a target consists of in memory: lists that grow, kinds of values, making and freeing.
 *
 * Nothing here knows the file format (target.c does). The mutator lives with a target as long as
 * afl-fuzz does, the command line reads several one after the other; both free all of it.
 */
#include "target_private.h"

#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum sr_make make;
    const char *values[12];
} builtin_kinds[] = {
    {"num",
     SR_MAKE_NUMBER,
     {"0", "1", "2", "3", "-1", "10", "65536", "2147483647", "99999999999999999999", "", "x"}},
    {"size", SR_MAKE_NUMBER, {"0", "1", "512", "1k", "4096", "1M", "1G", "-1", ""}},
    {"text", SR_MAKE_TEXT, {"", "a", "-", "two words", "\xc3\xa4", "%s", "\n"}},
    {"regex",
     SR_MAKE_LISTED,
     {"", ".", ".*", "^$", "^", "[a-z]", "a\\|b", "\\(x*\\)\\1", "[", "\\(", "*", "[[:space:]]"}},
    {"glob", SR_MAKE_LISTED, {"*", "*.c", "?", "[a-m]*", "[", "a", "\\*", ""}},
    {"file", SR_MAKE_FILE, {"-", "/dev/null"}},
    {"dir", SR_MAKE_DIR, {".", "..", "/"}},
    {"path", SR_MAKE_PATH, {"-", ".", "/dev/null"}},
};

#define BUILTIN_KINDS (sizeof builtin_kinds / sizeof *builtin_kinds)
const size_t sr_target_builtin_kinds = BUILTIN_KINDS;

/* Capabilities by number, without their CAP_. */
static const char *const capabilities[] = {
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
};

_Static_assert(CAP_FSETID == 4 && CAP_SETFCAP == 31 && CAP_CHECKPOINT_RESTORE == 40,
               "capabilities[] is in the kernel's order");

void *sr_target_append(void **array, size_t *n, size_t element) {
    char *more = realloc(*array, (*n + 1) * element);

    if (!more)
        return NULL;
    *array = more;
    memset(more + *n * element, 0, element);
    return more + element * (*n)++;
}

bool sr_target_add_string(struct sr_strings *list, const char *p, size_t len) {
    char *copy = strndup(p, len);
    char **more = copy ? realloc(list->v, (list->n + 2) * sizeof *more) : NULL;

    if (!more) {
        free(copy);
        return false;
    }
    list->v = more;
    list->v[list->n++] = copy;
    list->v[list->n] = NULL;
    return true;
}

static void free_strings(struct sr_strings *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->v[i]);
    free(list->v);
}

static void free_template(struct sr_template *t) {
    for (size_t i = 0; i < t->n; i++)
        free(t->pieces[i].text);
    free(t->pieces);
}

void sr_target_free(struct sr_target *t) {
    char **const strings[] = {&t->name,  &t->program,        &t->package,   &t->built,
                              &t->seeds, &t->reference_name, &t->reference, &t->base,
                              &t->setup, &t->grammar,        &t->quick};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(*strings[i]);
    free_strings(&t->build);
    free_strings(&t->depends);
    free_strings(&t->needs);
    free_strings(&t->capabilities);
    free_strings(&t->session);
    free_strings(&t->prelude);
    free_strings(&t->fresh);
    free_strings(&t->sections);
    for (size_t i = 0; i < t->n_binds; i++) {
        free(t->binds[i].name);
        free(t->binds[i].path);
    }
    free(t->binds);
    for (size_t i = 0; i < t->n_roles; i++) {
        free(t->roles[i].image);
        free(t->roles[i].name);
        free_strings(&t->roles[i].conditions);
    }
    free(t->roles);
    for (size_t i = 0; i < t->n_kinds; i++) {
        free(t->kinds[i].name);
        free_strings(&t->kinds[i].values);
    }
    free(t->kinds);
    for (size_t i = 0; i < t->n_options; i++) {
        for (size_t k = 0; k < t->options[i].n; k++)
            free_template(&t->options[i].words[k]);
        free(t->options[i].words);
    }
    free(t->options);
    for (size_t i = 0; i < t->n_envs; i++) {
        free(t->envs[i].name);
        free_template(&t->envs[i].value);
    }
    free(t->envs);
    for (size_t i = 0; i < t->n_lines; i++) {
        free(t->lines[i].glob);
        free_template(&t->lines[i].text);
    }
    free(t->lines);
    memset(t, 0, sizeof *t);
}

struct sr_kind *sr_target_add_kind(struct sr_target *t, const char *name, size_t len) {
    struct sr_kind *k = APPEND(t->kinds, t->n_kinds);

    if (k && !(k->name = strndup(name, len))) {
        t->n_kinds--;
        return NULL;
    }
    return k;
}

int sr_target_init(struct sr_target *t) {
    memset(t, 0, sizeof *t);
    t->grace_ms = SR_GRACE_DEFAULT_MS;
    if (!(t->base = calloc(1, 1)))
        goto fail;
    for (size_t i = 0; i < BUILTIN_KINDS; i++) {
        const char *name = builtin_kinds[i].name;
        struct sr_kind *k = sr_target_add_kind(t, name, strlen(name));
        if (!k)
            goto fail;
        k->make = builtin_kinds[i].make;
        for (size_t v = 0; v < sizeof builtin_kinds[i].values / sizeof(char *); v++) {
            const char *value = builtin_kinds[i].values[v];
            if (value && !sr_target_add_string(&k->values, value, strlen(value)))
                goto fail;
        }
    }
    return 0;
fail:
    sr_target_free(t);
    return -1;
}

int sr_target_find_kind(const struct sr_target *t, const char *name, size_t len) {
    for (size_t i = 0; i < t->n_kinds; i++)
        if (len && strlen(t->kinds[i].name) == len && !memcmp(t->kinds[i].name, name, len))
            return (int)i;
    return -1;
}

int sr_target_kind(const struct sr_target *t, const char *name) {
    return sr_target_find_kind(t, name, strlen(name));
}

int sr_target_capability(const char *name) {
    for (size_t i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        if (!strncmp(name, "CAP_", 4) && !strcmp(name + 4, capabilities[i]))
            return (int)i;
    return -1;
}
