/* The number stands in a global variable that is set to one of two constants. */
#include "free.h"

static volatile int number = SYS_getpid;

KEEP static void change(void) {
    number = SYS_getppid;
}

int run(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        change();
    return CALL0(number) == -1;
}
