/* A weak function that nobody defines. */
#include "free.h"

__attribute__((weak)) void maybe(void);

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    if (maybe)
        maybe();
    CALL0(SYS_getpid);
    return 0;
}
