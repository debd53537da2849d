/* The number is read from a constant table, by index. */
#include "free.h"

static const int numbers[] = {SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid};

int run(int argc, char **argv) {
    (void)argv;
    return CALL0(numbers[(unsigned)argc & 3]) == -1;
}
