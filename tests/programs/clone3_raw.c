/* A process made by clone3, without libc. */
#include "hidden.h"

#include <linux/sched.h>

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'c'))
        return 0;
    struct clone_args args = {.exit_signal = SIGCHLD};
    gid_t id[3];
    long pid = syscall(SYS_clone3, &args, sizeof args);

    if (pid == 0) {
        syscall(SYS_getresgid, id, id + 1, id + 2);
        _exit(0);
    }
    hidden_wait((pid_t)pid);
    return 0;
}
