/* A switch that becomes a jump table, with a call in each arm. */
#include "free.h"

KEEP static int choose(int n) {
    switch (n) {
    case 1:
        return CALL0(SYS_getpid) > 0;
    case 2:
        return CALL0(SYS_getppid) > 1;
    case 3:
        return CALL0(SYS_gettid) > 2;
    case 4:
        return CALL0(SYS_getuid) > 3;
    case 5:
        return CALL0(SYS_getgid) > 4;
    case 6:
        return CALL0(SYS_geteuid) > 5;
    case 7:
        return CALL0(SYS_getegid) > 6;
    case 8:
        return CALL0(SYS_getpgrp) > 7;
    default:
        return 9;
    }
}

int run(int argc, char **argv) {
    (void)argv;
    choose(argc);
    return 0;
}
