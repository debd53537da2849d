/* A child stops itself with SIGSTOP; the parent sees that, continues it, and it goes on to the
 * call. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 's'))
        return 0;
    int status;
    char attr[64];
    pid_t pid = fork();

    if (pid == 0) {
        raise(SIGSTOP);
        syscall(SYS_sched_getattr, 0, attr, sizeof attr, 0);
        _exit(0);
    }
    if (waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)) {
        kill(pid, SIGCONT);
        hidden_wait(pid);
    }
    return 0;
}
