/*
 * argv and environment, see argblock.h. Layout, as on a process's first stack: pointers of argv,
 * NULL, pointers of envp, NULL, auxv, then the strings.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "argblock.h"
#include "sys.h"

static size_t auxv_words(const unsigned long *auxv) {
    size_t n = 0;

    if (!auxv)
        return 0;
    while (auxv[n])
        n += 2;
    return n + 2;
}

static char *put(char **at, const char *s, size_t len) {
    char *p = *at;

    memcpy(p, s, len);
    p[len] = 0;
    *at += len + 1;
    return p;
}

int sr_argblock_make(struct sr_argblock *b, const struct sr_scenario *s, const char *program,
                     const unsigned long *auxv) {
    const char *argv0 = s->argv0.p ? s->argv0.p : program;
    size_t words = s->n_args + s->n_envs + 3 + auxv_words(auxv);
    size_t bytes = words * sizeof(char *) + strlen(argv0) + 1;
    char **at, *text;

    for (uint32_t i = 0; i < s->n_args; i++)
        bytes += s->args[i].len + 1;
    for (uint32_t i = 0; i < s->n_envs; i++)
        bytes += s->envs[i].len + 1;
    at = sr_map(bytes, MAP_PRIVATE);
    if (!at)
        return -ENOMEM;
    text = (char *)(at + words);
    b->bytes = bytes;
    b->argc = (int)s->n_args + 1;
    b->argv = at;
    *at++ = put(&text, argv0, strlen(argv0));
    for (uint32_t i = 0; i < s->n_args; i++)
        *at++ = put(&text, s->args[i].p, s->args[i].len);
    *at++ = NULL;
    b->envp = at;
    for (uint32_t i = 0; i < s->n_envs; i++)
        *at++ = put(&text, s->envs[i].p, s->envs[i].len);
    *at++ = NULL;
    if (auxv)
        memcpy(at, auxv, auxv_words(auxv) * sizeof *auxv);
    return 0;
}

void sr_argblock_free(struct sr_argblock *b) {
    sr_sys(SYS_munmap, b->argv, b->bytes);
}
