/* One instruction, two numbers, by a condition. */
#include "free.h"

int run(int argc, char **argv) {
    (void)argv;
    long number = argc > 1 ? SYS_getpid : SYS_getrusage;

    return CALL1(number, 99) == 0;
}
