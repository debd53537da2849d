/* A constant table of functions and one that nobody names, for the kinds of files there are. */
#include "rare.h"

KEEP static int one(void) {
    return RARE(SYS_ioprio_get);
}

KEEP static int two(void) {
    return RARE(SYS_kcmp);
}

KEEP void never(void);

KEEP void never(void) {
    RARE(SYS_get_mempolicy);
}

static int (*const table[])(void) = {one, two};

int main(int argc, char **argv) {
    (void)argv;
    return table[(unsigned)argc & 1]() == -9999;
}
