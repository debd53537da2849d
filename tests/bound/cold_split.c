/* A part that gcc puts elsewhere (".cold"), reached by a jump. */
#include "free.h"

KEEP __attribute__((cold)) static void rare(void) {
    CALL0(SYS_getppid);
}

KEEP static int work(int n) {
    if (__builtin_expect(n > 1, 0)) {
        rare();
        CALL0(SYS_gettid);
        return n * 3;
    }
    CALL0(SYS_getpid);
    return n;
}

int run(int argc, char **argv) {
    (void)argv;
    return work(argc) < 0;
}
