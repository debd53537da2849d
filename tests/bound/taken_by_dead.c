/* The address of a function is taken, but only by code that nothing reaches. */
#include "free.h"

void (*volatile hook)(void);
KEEP void dead(void);

KEEP static void secret(void) {
    CALL0(SYS_getppid);
}

KEEP void dead(void) {
    hook = secret;
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    CALL0(SYS_getpid);
    if (hook)
        hook();
    return 0;
}
