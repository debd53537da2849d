/*
 * The hook's configuration file and its error file.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "hook.h"
#include "sys.h"
#include "text.h"

static unsigned number(const char *s) {
    unsigned n = 0;

    for (; *s >= '0' && *s <= '9' && n < 100000000u; s++)
        n = n * 10 + (unsigned)(*s - '0');
    return n;
}

/* "0 6 7": bits 0, 6 and 7. */
static uint64_t bits(const char *s) {
    uint64_t all = 0;

    for (; *s; s++)
        if (*s >= '0' && *s <= '9') {
            all |= UINT64_C(1) << (number(s) & 63);
            while (s[1] >= '0' && s[1] <= '9')
                s++;
        }
    return all;
}

static void set(struct sr_hook_conf *c, const char *key, const char *value) {
    const struct {
        const char *key;
        const char **to;
    } strings[] = {
        {"program", &c->program},   {"union", &c->union_path}, {"discoveries", &c->discoveries},
        {"inputs", &c->inputs},     {"base", &c->base},        {"root", &c->root},
        {"instance", &c->instance}, {"hide", &c->hide},
    };

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        if (strcmp(key, strings[i].key) == 0)
            *strings[i].to = value;
    if (strcmp(key, "slot") == 0)
        c->slot = number(value) % SR_INSTANCES_MAX;
    if (strcmp(key, "role") == 0 && c->n_roles < SR_ROLE_RULES_MAX)
        c->roles[c->n_roles++] = value;
    if (strcmp(key, "grace") == 0)
        c->grace_ms = number(value);
    if (strcmp(key, "session") == 0 && c->n_session < SR_HOOK_WORDS_MAX)
        c->session[c->n_session++] = value;
    if (strcmp(key, "prelude") == 0 && c->n_prelude < SR_HOOK_WORDS_MAX)
        c->prelude[c->n_prelude++] = value;
    if (strcmp(key, "fresh") == 0 && c->n_fresh < SR_HOOK_WORDS_MAX)
        c->fresh[c->n_fresh++] = value;
    if (strcmp(key, "keep") == 0)
        c->keep_caps = bits(value);
    if (strcmp(key, "record") == 0)
        c->record = number(value) != 0;
}

int sr_hook_read_conf(struct sr_hook_conf *c, const char *path) {
    long fd = sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC), n;

    if (fd < 0)
        return (int)fd;
    n = sr_sys(SYS_read, fd, c->text, sizeof c->text - 1);
    sr_sys(SYS_close, fd);
    if (n < 0)
        return (int)n;
    c->text[n] = 0;
    c->record = true;
    for (char *line = c->text, *end; *line; line = end) {
        char *space;

        end = strchr(line, '\n');
        if (end)
            *end++ = 0;
        else
            end = line + strlen(line);
        space = strchr(line, ' ');
        if (space) {
            *space = 0;
            set(c, line, space + 1);
        }
    }
    return c->program && c->union_path && c->discoveries && c->inputs && c->root && c->instance
               ? 0
               : -EINVAL;
}

void sr_hook_error(const char *conf_path, const char *what, int err) {
    char path[4096], line[4096];
    struct sr_text p = {path, sizeof path, 0}, l = {line, sizeof line, 0};
    long fd;

    sr_text_str(&p, conf_path);
    sr_text_str(&p, ".error");
    sr_text_str(&l, what);
    sr_text_str(&l, ": error ");
    sr_text_int(&l, -err);
    sr_text_str(&l, "\n");
    fd = sr_sys(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    sr_sys(SYS_write, fd, line, l.len);
    sr_sys(SYS_close, fd);
}
