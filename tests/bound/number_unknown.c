/* The number comes from the command line: the bound cannot know it and must say so. */
#include "free.h"

int run(int argc, char **argv) {
    (void)argv;
    CALL0(SYS_getpid);
    return argc > 1 ? CALL0(argc + 100) == -1 : 0;
}
