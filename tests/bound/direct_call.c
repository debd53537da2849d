/* A function that another one calls. */
#include "free.h"

KEEP static void called(void) {
    CALL0(SYS_getpid);
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    called();
    return 0;
}
