/* A function handed down as an argument, and one that comes back as a result. */
#include "free.h"

typedef void go(void);

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

KEEP static void two(void) {
    CALL0(SYS_getppid);
}

KEEP static void three(void) {
    CALL0(SYS_gettid);
}

KEEP static void apply(go *volatile f) {
    f();
}

KEEP static go *pick(int n) {
    return n > 1 ? two : three;
}

int run(int argc, char **argv) {
    (void)argv;
    apply(one);
    apply(pick(argc));
    return 0;
}
