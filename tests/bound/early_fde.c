/* Unwind information that begins one byte before the function (libc's restorer of signals): the
 * byte in front would be taken for a prefix. */
#include "free.h"

void shifted(void);
__asm__(".text\n"
        "PROC\n"
        "    .byte 0x48\n"
        ".type shifted, @function\n"
        "shifted:\n"
        "    mov $39, %eax\n"
        "    syscall\n"
        "    ret\n"
        "ENDPROC\n"
        ".size shifted, . - shifted\n");

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    shifted();
    return 0;
}
