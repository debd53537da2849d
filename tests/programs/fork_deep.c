/* A child of a child of a child. */
#include "hidden.h"

static void descend(int depth) {
    pid_t pid = depth ? fork() : 0;

    if (pid == 0) {
        if (depth)
            descend(depth - 1);
        else
            syscall(SYS_sched_getscheduler, 0);
        _exit(0);
    }
    hidden_wait(pid);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'r'))
        return 0;
    descend(3);
    return 0;
}
