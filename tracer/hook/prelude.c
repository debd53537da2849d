/*
 * The prelude: library functions that every run of the program begins with and that come out the
 * same whatever the input is, called once in the forkserver instead of once in each child.
 *
 * The target names them ("prelude OPENSSL_init_crypto 76 0"). Their system calls belong to the
 * start-up set: the first time they run in a child of their own, under the recorder.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#include "filter.h"
#include "hook.h"
#include "sys.h"

#define ARGS_MAX 4

typedef long prelude_fn(long a, long b, long c, long d);

/* A number, or the address of a word that stays where it is. */
static long argument(char *word) {
    char *p = word;
    long n = 0;

    while (*p >= '0' && *p <= '9' && n < 1000000000)
        n = n * 10 + (*p++ - '0');
    return *p || p == word ? (long)(uintptr_t)word : n;
}

/* "FUNCTION ARG..."; false where the program has no such function. */
static bool call(const char *line) {
    char copy[256], *at = copy;
    long args[ARGS_MAX] = {0};
    prelude_fn *fn;

    strncpy(copy, line, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    const char *name = strsep(&at, " ");
    for (int i = 0; i < ARGS_MAX && at; i++)
        args[i] = argument(strsep(&at, " "));
    fn = (prelude_fn *)(uintptr_t)dlsym(RTLD_DEFAULT, name);
    if (fn)
        fn(args[0], args[1], args[2], args[3]);
    return fn != NULL;
}

static int call_all(const struct sr_hook *h) {
    for (size_t i = 0; i < h->conf.n_prelude; i++)
        if (!call(h->conf.prelude[i]))
            return -ENOENT;
    return 0;
}

static void in_child(void *ctx) {
    if (!sr_filter_install(0, 0))
        call_all(ctx);
}

int sr_hook_prelude(struct sr_hook *h) {
    if (!h->conf.n_prelude)
        return 0;
    if (h->conf.record) {
        const struct sr_input_record *made = h->run.result;
        int err = sr_run_function(&h->run, in_child, h);

        if (err)
            return err;
        for (uint32_t i = 0; i < made->n_images; i++)
            sr_set_merge(&h->u->images[made->images[i].image].startup, &made->images[i].calls);
    }
    return call_all(h);
}

bool sr_hook_is_fresh(const struct sr_hook *h) {
    const struct sr_scenario *s = &h->run.scenario;

    for (size_t i = 0; i < h->conf.n_fresh; i++)
        for (uint32_t k = 0; k < s->n_envs; k++)
            if (!strncmp(s->envs[k].p, h->conf.fresh[i], strlen(h->conf.fresh[i])))
                return true;
    return false;
}
