/* A function that nobody calls and whose address nobody takes. */
#include "free.h"

KEEP void never(void);

KEEP void never(void) {
    CALL0(SYS_getppid);
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    CALL0(SYS_getpid);
    return 0;
}
