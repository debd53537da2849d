/* Only a parent that sees its child die of a signal makes the call. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'k'))
        return 0;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
        syscall(SYS_fadvise64, 0, 0L, 0L, 0);
    return 0;
}
