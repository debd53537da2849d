/* A function that is called by its other name. */
#include "free.h"

KEEP void real(void);
void other(void) __attribute__((alias("real")));

KEEP void real(void) {
    CALL0(SYS_getpid);
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    other();
    return 0;
}
