/* The same wrapper, called also through a pointer, with a number that the argument decides: what it
 * may be is not known, so the bound cannot be closed. */
#include "free.h"

KEEP static long wrap(long number) {
    return CALL0(number);
}

long (*volatile indirect)(long) = wrap;

int run(int argc, char **argv) {
    (void)argv;
    wrap(SYS_getpid);
    return indirect(SYS_getuid + (argc > 1 ? argc : 0)) < 0;
}
