/*
 * Role rules, see roleconf.h. The recorder's own parser judges what was made of a line.
 */
#include "roleconf.h"

#include <stdlib.h>
#include <string.h>

#include "names.h"
#include "roles.h"

/* The value of a condition "WORD=..." behind an optional '!'; NULL: it is another one. */
static const char *value_of(const char *condition, const char *word) {
    size_t n = strlen(word);

    condition += *condition == '!';
    return strncmp(condition, word, n) == 0 ? condition + n : NULL;
}

/* Memory from malloc; NULL: a call that is not known (*bad says which), or out of memory. */
static char *line_of(const struct sr_target_role *role, const char **bad) {
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    *bad = NULL;
    if (!to)
        return NULL;
    fprintf(to, "%s %s", role->image, role->name);
    for (size_t i = 0; i < role->conditions.n; i++) {
        const char *condition = role->conditions.v[i], *name = value_of(condition, "calls=");
        struct sr_call call;

        if (!name)
            fprintf(to, " %s", condition);
        else if (sr_call_parse(name, strlen(name), &call) && call.abi == SR_ABI_X86_64)
            fprintf(to, " %scalls=#%d", *condition == '!' ? "!" : "", call.nr);
        else
            *bad = condition;
    }
    if (fclose(to) || *bad) {
        free(text);
        return NULL;
    }
    return text;
}

/* A rule before this one gives the role that the condition refers to. */
static bool is_given(const struct sr_target *t, size_t before, const char *condition) {
    const char *name = value_of(condition, "child-of=");

    if (!name)
        name = value_of(condition, "parent-of=");
    for (size_t i = 0; name && i < before; i++)
        if (strcmp(t->roles[i].name, name) == 0)
            return true;
    return !name;
}

int sr_roleconf_check(const struct sr_target *t, char *err, size_t size) {
    if (t->n_roles > SR_ROLE_RULES_MAX) {
        snprintf(err, size, "line %u: more than %d role lines; leave some out",
                 t->roles[SR_ROLE_RULES_MAX].line, SR_ROLE_RULES_MAX);
        return -1;
    }
    for (size_t i = 0; i < t->n_roles; i++) {
        const struct sr_target_role *role = &t->roles[i];
        const char *bad;
        char *line = line_of(role, &bad);
        int wrong = line ? sr_roles_rule(NULL, line) : -1;

        free(line);
        for (size_t k = 0; !bad && k < role->conditions.n; k++)
            if (!is_given(t, i, role->conditions.v[k]))
                bad = role->conditions.v[k];
        if (!wrong && !bad)
            continue;
        snprintf(err, size, "line %u: role %s %s: %s%s; docs/targets.md lists the conditions",
                 role->line, role->image, role->name, bad ? bad : "no rule",
                 bad ? " names no call, or no role of a line before" : "");
        return -1;
    }
    return 0;
}

void sr_roleconf_write(const struct sr_target *t, const char *prefix, FILE *to) {
    for (size_t i = 0; i < t->n_roles; i++) {
        const char *bad;
        char *line = line_of(&t->roles[i], &bad);

        if (line && sr_roles_rule(NULL, line) == 0)
            fprintf(to, "%s%s%s\n", prefix, *prefix ? " " : "", line);
        free(line);
    }
}
