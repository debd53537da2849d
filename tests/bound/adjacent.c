/* Two numbers with a difference of two: the compiler may compute the one from the condition. */
#include "free.h"

int run(int argc, char **argv) {
    (void)argv;
    long number = argc > 1 ? SYS_getuid : SYS_getgid;

    return CALL0(number) == -1;
}
