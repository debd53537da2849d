/* The number comes as the argument of a wrapper, at three callers. */
#include "free.h"

KEEP static long wrap(long number, long argument) {
    return CALL1(number, argument);
}

KEEP static long wrap_twice(long argument, long number) {
    return wrap(number, argument);
}

int run(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        return wrap(SYS_getpid, 0) < 0;
    return wrap(SYS_getppid, 0) + wrap_twice(0, SYS_getuid) < 0;
}
