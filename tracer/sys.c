/*
 * The gate: a few bytes of code, position-independent, so that they can be copied (see sys.h).
 */
#include <string.h>
#include <sys/mman.h>

#include "sys.h"

/*
 * long sr_gate_code(nr, a, b, c, d, e, f): the System V arguments moved into the kernel's
 * registers. The kernel clobbers rcx and r11 only. The trampoline is what SA_RESTORER wants: it
 * enters rt_sigreturn (15) with the stack pointer just above the frame's return address.
 */
__asm__(".text\n"
        ".balign 16\n"
        ".globl sr_gate_code\n"
        ".hidden sr_gate_code\n"
        ".type sr_gate_code, @function\n"
        "sr_gate_code:\n"
        "  mov %rdi, %rax\n"
        "  mov %rsi, %rdi\n"
        "  mov %rdx, %rsi\n"
        "  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n"
        "  mov %r9, %r8\n"
        "  mov 8(%rsp), %r9\n"
        "  syscall\n"
        "  ret\n"
        ".globl sr_gate_restorer\n"
        ".hidden sr_gate_restorer\n"
        "sr_gate_restorer:\n"
        "  mov $15, %eax\n"
        "  syscall\n"
        "  ud2\n"
        ".globl sr_gate_end\n"
        ".hidden sr_gate_end\n"
        "sr_gate_end:\n"
        ".size sr_gate_code, .-sr_gate_code\n");

extern const char sr_gate_code[], sr_gate_end[];

sr_gate_fn *sr_gate = (sr_gate_fn *)(uintptr_t)sr_gate_code;

/* Between the heap of a non-PIE executable and the lowest address of a PIE one. */
#define GATE_ADDRESS 0x2a5ec0de0000ul
#define GATE_BYTES   4096

int sr_gate_move(uintptr_t *lo, uintptr_t *hi, void (**restorer)(void)) {
    size_t len = (uintptr_t)sr_gate_end - (uintptr_t)sr_gate_code;
    long at = sr_sys(SYS_mmap, GATE_ADDRESS, GATE_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    if (at < 0)
        return (int)at;
    memcpy((void *)at, sr_gate_code, len);
    long err = sr_sys(SYS_mprotect, at, GATE_BYTES, PROT_READ | PROT_EXEC);
    if (err < 0)
        return (int)err;
    *lo = (uintptr_t)at;
    *hi = (uintptr_t)at + len;
    *restorer =
        (void (*)(void))((uintptr_t)at + (uintptr_t)sr_gate_restorer - (uintptr_t)sr_gate_code);
    sr_gate = (sr_gate_fn *)at;
    return 0;
}
