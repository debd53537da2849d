/* A long option with a value, compared at once. */
#include "hidden.h"

#include <sys/time.h>

int main(int argc, char **argv) {
    (void)argc;
    struct itimerval value;

    for (char **a = argv + 1; *a; a++)
        if (strcmp(*a, "--verify=deeply") == 0)
            syscall(SYS_getitimer, ITIMER_REAL, &value);
    return 0;
}
