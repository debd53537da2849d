/* The number is set several blocks before the instruction (libc's clone does so). */
#include "free.h"

long early(long n);
__asm__(".text\n"
        ".type early, @function\n"
        "early: PROC\n"
        "    mov $39, %eax\n"
        "    test %rdi, %rdi\n"
        "    je 1f\n"
        "    inc %rdi\n"
        "    cmp $7, %rdi\n"
        "    jb 1f\n"
        "    sub $7, %rdi\n"
        "1:  nop\n"
        "    test %rsi, %rsi\n"
        "    jne 2f\n"
        "    inc %rsi\n"
        "2:  syscall\n"
        "    ret\n"
        "ENDPROC\n"
        ".size early, . - early\n");

int run(int argc, char **argv) {
    (void)argv;
    return early(argc) < 0;
}
