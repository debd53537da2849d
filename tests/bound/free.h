/*
 * What the freestanding programs share. They have no libc and no library at all, so that the set of
 * calls that they could make is known exactly: what stands in their source, and exit.
 *
 * _start calls begin, which calls the program's run(argc, argv). A PIE has no loader: begin does
 * its relative relocations itself, with no system call.
 */
#ifndef SR_TESTS_BOUND_FREE_H
#define SR_TESTS_BOUND_FREE_H

#include <elf.h>
#include <sys/syscall.h>

/* A function that stays one. */
#define KEEP __attribute__((noinline, used))

/* The number is a constant of the instruction itself, at every optimisation. */
#define CALL1(number, argument)                                                                    \
    ({                                                                                             \
        long result_;                                                                              \
        __asm__ volatile("syscall"                                                                 \
                         : "=a"(result_)                                                           \
                         : "0"((long)(number)), "D"((long)(argument))                              \
                         : "rcx", "r11", "memory");                                                \
        result_;                                                                                   \
    })
#define CALL0(number) CALL1(number, 0)

#ifdef __cplusplus
extern "C" {
#endif
int run(int argc, char **argv);
void begin(long *stack);
extern const Elf64_Dyn _DYNAMIC[] __attribute__((visibility("hidden")));
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
#ifdef __cplusplus
}
#endif

/* Around assembly that has unwind information. */
#ifdef NO_CFI
__asm__(".macro PROC\n.endm\n.macro ENDPROC\n.endm\n");
#else
__asm__(".macro PROC\n.cfi_startproc\n.endm\n.macro ENDPROC\n.cfi_endproc\n.endm\n");
#endif

__asm__(".text\n"
        ".globl _start\n"
        ".type _start, @function\n"
        "_start: PROC\n"
        "    xor %ebp, %ebp\n"
        "    mov %rsp, %rdi\n"
        "    and $-16, %rsp\n"
        "    call begin\n"
        "    hlt\n"
        "ENDPROC\n"
        ".size _start, . - _start\n");

__attribute__((used)) void begin(long *stack) {
#if defined(__PIE__) && !defined(DYNAMIC)
    const Elf64_Rela *rela = 0;
    unsigned long size = 0;

    for (const Elf64_Dyn *d = _DYNAMIC; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_RELA)
            rela = (const Elf64_Rela *)(__ehdr_start + d->d_un.d_ptr);
        else if (d->d_tag == DT_RELASZ)
            size = d->d_un.d_val;
    }
    for (unsigned long i = 0; i < size / sizeof *rela; i++)
        if (ELF64_R_TYPE(rela[i].r_info) == R_X86_64_RELATIVE)
            *(const char *volatile *)(__ehdr_start + rela[i].r_offset) =
                __ehdr_start + rela[i].r_addend;
#endif
    CALL1(SYS_exit, run((int)stack[0], (char **)(stack + 1)));
}

#endif
