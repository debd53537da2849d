/* Calls in tail position are jumps at -O2. */
#include "free.h"

KEEP static int last(void) {
    return (int)CALL0(SYS_getppid) < 0;
}

KEEP static int middle(int n) {
    if (n > 1)
        CALL0(SYS_getuid);
    return last();
}

int run(int argc, char **argv) {
    (void)argv;
    return middle(argc);
}
