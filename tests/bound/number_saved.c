/* The number waits in a register or on the stack while another function is called. */
#include "free.h"

KEEP static void other(void) {
    CALL0(SYS_getppid);
}

int run(int argc, char **argv) {
    (void)argv;
    long number = argc > 1 ? SYS_getpid : SYS_getuid;

    __asm__ volatile("" : "+r"(number));
    number = argc > 1 ? SYS_getpid : SYS_getrusage;
    other();
    return CALL1(number, 99) == 0;
}
