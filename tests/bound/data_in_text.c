/* Constants between functions of .text that look like mov and syscall, and code that reads them. An
 * address that is taken would be followed as code: what it is for cannot be known. */
#include "free.h"

long reader(void);
__asm__(".text\n"
        ".balign 16\n"
        "constants:\n"
        "    .byte 0xb8, 0x6e, 0, 0, 0, 0x0f, 0x05, 0xc3\n" /* mov $110, %eax; syscall; ret */
        "    .quad 0x050f0000006eb800, 0x050f\n"
        ".type reader, @function\n"
        "reader:\n"
        "    mov constants(%rip), %rcx\n"
        "    mov constants+8(%rip), %rsi\n"
        "    mov $39, %eax\n"
        "    syscall\n"
        "    ret\n"
        ".size reader, . - reader\n");

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    return reader() < 0;
}
