/* The i386 entry: number 132 is getpgid there and utime on x86-64. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'i'))
        return 0;
    long result = 132;

    __asm__ volatile("int $0x80" : "+a"(result) : "b"(0) : "memory", "r8", "r9", "r10", "r11");
    return 0;
}
