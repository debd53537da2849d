/*
 * Where the hook gets in: __libc_start_main, with main replaced by ours.
 *
 * libc's start-up and the program's constructors run as ever, once, before the forkserver begins;
 * what they do belongs to the start-up set. Each child then runs main on its scenario.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "argblock.h"
#include "hook.h"
#include "sys.h"

typedef int main_fn(int argc, char **argv, char **envp);
typedef int start_fn(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                     void (*rtld_fini)(void), void *stack_end);

static struct sr_hook hook;
static main_fn *real_main;

static const unsigned long *find_auxv(char **envp) {
    while (*envp)
        envp++;
    return (const unsigned long *)(void *)(envp + 1);
}

static void set_names(char *argv0) {
    char *slash = strrchr(argv0, '/');

    program_invocation_name = argv0;
    program_invocation_short_name = slash ? slash + 1 : argv0;
}

static int hook_main(int argc, char **argv, char **envp) {
    const char *conf = getenv(SR_HOOK_ENV);
    struct sr_argblock block;
    int err;

    if (!conf)
        return real_main(argc, argv, envp);
    hook.auxv = find_auxv(envp);
    err = sr_hook_set_up(&hook, conf);
    if (err) {
        sr_hook_error(conf, "the hook could not be set up", err);
        _exit(1);
    }
    sr_hook_serve(&hook, &block);
    /* A child from here on. */
    environ = block.envp;
    set_names(block.argv[0]);
    return real_main(block.argc, block.argv, block.envp);
}

/*
 * For afl-clang-fast programs: their runtime's own forkserver stays silent, and __AFL_LOOP runs
 * once. Only there, since setenv allocates from the program's heap.
 */
extern uint8_t *__afl_area_ptr __attribute__((weak));

__attribute__((constructor)) static void before_runtime(void) {
    if (&__afl_area_ptr && getenv(SR_HOOK_ENV)) {
        setenv("__AFL_DEFER_FORKSRV", "1", 1);
        unsetenv("__AFL_PERSISTENT");
    }
}

__attribute__((visibility("default"))) int __libc_start_main(main_fn *main, int argc, char **argv,
                                                             void (*init)(void), void (*fini)(void),
                                                             void (*rtld_fini)(void),
                                                             void *stack_end);

int __libc_start_main(main_fn *main, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end) {
    start_fn *start = (start_fn *)(uintptr_t)dlsym(RTLD_NEXT, "__libc_start_main");

    real_main = main;
    return start(hook_main, argc, argv, init, fini, rtld_fini, stack_end);
}
