/* The i386 entry, int 0x80, with an i386 number: 20 is getpid there. */
#include "free.h"

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "0"(20L) : "memory");
    return result < 0;
}
