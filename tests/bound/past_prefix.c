/* A jump past a lock prefix: the same bytes are two instructions. */
#include "free.h"

long count(long *counter, long threads);
__asm__(".text\n"
        ".type count, @function\n"
        "count: PROC\n"
        "    test %rsi, %rsi\n"
        "    je 1f + 1\n"
        "1:  lock incq (%rdi)\n"
        "    jne 2f\n"
        "    mov $110, %eax\n"
        "    syscall\n"
        "2:  mov $39, %eax\n"
        "    syscall\n"
        "    ret\n"
        "ENDPROC\n"
        ".size count, . - count\n");

int run(int argc, char **argv) {
    (void)argv;
    long counter = argc > 1 ? -1 : 0;

    return count(&counter, argc > 2) < 0;
}
