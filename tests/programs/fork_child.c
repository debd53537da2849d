/* The child of a fork. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'f'))
        return 0;
    pid_t pid = fork();

    if (pid == 0) {
        syscall(SYS_ioprio_get, 1, 0);
        _exit(0);
    }
    hidden_wait(pid);
    return 0;
}
