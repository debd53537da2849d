/* A handler of a signal, with a restorer of its own: only the kernel calls them. */
#include "free.h"

struct action {
    void (*handler)(int);
    unsigned long flags;
    void (*restorer)(void);
    unsigned long mask;
};

void restore(void);
__asm__(".text\n"
        ".type restore, @function\n"
        "restore:\n"
        "    mov $15, %eax\n"
        "    syscall\n"
        ".size restore, . - restore\n");

KEEP static void on_signal(int signo) {
    (void)signo;
    CALL0(SYS_getuid);
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    struct action a = {on_signal, 0x04000000 /* SA_RESTORER */, restore, 0};
    register long size __asm__("r10") = 8;
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_rt_sigaction), "D"(10L), "S"(&a), "d"(0L), "r"(size)
                     : "rcx", "r11", "memory");
    long self = CALL0(SYS_getpid);
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_kill), "D"(self), "S"(10L)
                     : "rcx", "r11", "memory");
    return (int)result;
}
