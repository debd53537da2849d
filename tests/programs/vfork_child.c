/* The child of a vfork, which borrows its parent's memory. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'v'))
        return 0;
    pid_t pid = vfork();

    if (pid == 0) {
        int param = 0;
        syscall(SYS_sched_getparam, 0, &param);
        _exit(0);
    }
    hidden_wait(pid);
    return 0;
}
