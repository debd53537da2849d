/* Reachable code names the middle of an array; the functions in front of it are called by a
 * negative index. An object of data is reachable as a whole. */
#include "free.h"

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

KEEP static void two(void) {
    CALL0(SYS_getppid);
}

KEEP static void three(void) {
    CALL0(SYS_gettid);
}

__attribute__((used)) void (*volatile table[])(void) = {one, two, three};

int run(int argc, char **argv) {
    (void)argv;
    void (*volatile * end)(void) = &table[2];

    __asm__("" : "+r"(end));
    end[-(long)((unsigned)argc % 3)]();
    return 0;
}
