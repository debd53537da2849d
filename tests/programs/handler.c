/* A handler for a signal that somebody else sends. */
#include "hidden.h"

#include <sys/times.h>

static void on_usr1(int signo) {
    (void)signo;
    struct tms t;

    syscall(SYS_times, &t);
}

int main(void) {
    signal(SIGUSR1, on_usr1);
    for (int i = 0; i < 200; i++)
        getppid();
    return 0;
}
