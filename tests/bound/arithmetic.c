/* Numbers that are not one mov: xor, push and pop, lea, an increment. */
#include "free.h"

void small(void);
__asm__(".text\n"
        ".type small, @function\n"
        "small: PROC\n"
        "    xor %eax, %eax\n"
        "    mov $-1, %edi\n"
        "    syscall\n"
        "    push $39\n"
        "    pop %rax\n"
        "    syscall\n"
        "    xor %ecx, %ecx\n"
        "    lea 110(%rcx), %eax\n"
        "    syscall\n"
        "    mov $185, %eax\n"
        "    inc %eax\n"
        "    syscall\n"
        "    ret\n"
        "ENDPROC\n"
        ".size small, . - small\n");

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    small();
    return 0;
}
