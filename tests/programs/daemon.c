/* Becomes a daemon: the parent ends at once, the child makes the call a little later. */
#include "hidden.h"

#include <time.h>

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'd'))
        return 0;
    struct timespec ts = {0, 20000000};

    if (fork() > 0)
        return 0;
    setsid();
    nanosleep(&ts, NULL);
    syscall(SYS_clock_getres, CLOCK_MONOTONIC, &ts);
    return 0;
}
