/* Assembly without unwind information: called, jumped into, and run on from a function whose
 * information ends before the instruction, as that of clone in libc. */
#include "free.h"

void bare(void);
void partly(void);
__asm__(".text\n"
        "    .byte 0x0f, 0x05\n"
        ".type bare, @function\n"
        "bare:\n"
        "    mov $39, %eax\n"
        "    syscall\n"
        "    jmp further\n"
        "    .byte 0xb8, 0x6b, 0, 0, 0, 0x0f, 0x05\n"
        "further:\n"
        "    mov $110, %eax\n"
        "    syscall\n"
        "    ret\n"
        ".type partly, @function\n"
        "partly: PROC\n"
        "    mov $186, %eax\n"
        "    nop\n"
        "ENDPROC\n"
        "    syscall\n"
        "    ret\n");

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    bare();
    partly();
    return 0;
}
