/* The x32 entry: bit 30 of the number. */
#include "free.h"

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    CALL0(0x40000000 + SYS_getpid);
    return 0;
}
