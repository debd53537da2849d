/* Its own breakpoint instruction and its own handler for it. */
#include "hidden.h"

static void on_trap(int signo) {
    (void)signo;
    syscall(SYS_inotify_init1, 0);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'd'))
        return 0;
    signal(SIGTRAP, on_trap);
    __asm__ volatile("int3");
    return 0;
}
