/* A fault of its own, and a handler for it that makes the call and leaves. */
#include "hidden.h"

static void on_segv(int signo) {
    (void)signo;
    syscall(SYS_memfd_create, "segv", 0);
    _exit(3);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 's'))
        return 0;
    volatile int *volatile nowhere = NULL;

    signal(SIGSEGV, on_segv);
    *nowhere = 1;
    return 0;
}
