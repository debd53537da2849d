/* The number is set before a loop that does not touch it, and changed behind the call in it. */
#include "free.h"

long repeat(long n);
__asm__(".text\n"
        ".type repeat, @function\n"
        "repeat: PROC\n"
        "    mov $39, %eax\n"
        "1:  dec %rdi\n"
        "    jns 1b\n"
        "    mov $2, %esi\n"
        "2:  syscall\n"
        "    mov $110, %eax\n"
        "    dec %rsi\n"
        "    jne 2b\n"
        "    ret\n"
        "ENDPROC\n"
        ".size repeat, . - repeat\n");

int run(int argc, char **argv) {
    (void)argv;
    return repeat(argc) < 0;
}
