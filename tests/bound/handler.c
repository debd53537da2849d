/* A handler of a signal: only the kernel calls it, and libc's restorer behind it. */
#include <signal.h>
#include <string.h>

#include "rare.h"

static void on_signal(int signo) {
    (void)signo;
    RARE(SYS_ioprio_get);
}

int main(void) {
    struct sigaction a;

    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    sigaction(SIGUSR1, &a, NULL);
    return raise(SIGUSR1);
}
