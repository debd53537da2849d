/* A signal that is blocked when it is raised, found pending, and then let in. */
#include "hidden.h"

static void on_usr2(int signo) {
    (void)signo;
    syscall(SYS_getpgid, 0);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'b'))
        return 0;

    sigset_t all, old, pending;

    signal(SIGUSR2, on_usr2);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    raise(SIGUSR2);
    sigpending(&pending);
    if (sigismember(&pending, SIGUSR2))
        sigprocmask(SIG_SETMASK, &old, NULL);
    return 0;
}
