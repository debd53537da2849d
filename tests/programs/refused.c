/*
 * A sandbox that refuses calls in each way that there is: with an error, with a signal that is
 * handled, by ending thread or process. getppid and kill are made, the others are refused.
 */
#include "hidden.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

static void ignore(int signo) {
    (void)signo;
}

static int sandbox(int nr, unsigned action, bool all_threads) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};

    if (!all_threads)
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

static void child(int nr, unsigned action) {
    pid_t pid = fork();

    if (pid == 0) {
        sandbox(nr, action, false);
        syscall(nr, 0, 0, 0, 0, 0, 0);
        _exit(0);
    }
    hidden_wait(pid);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'r'))
        return 0;
    signal(SIGSYS, ignore);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL); /* EFAULT: nothing is in place yet */
    if (sandbox(SYS_kcmp, SECCOMP_RET_ERRNO | 1, true))
        return 1;
    syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0);
    kill(getppid(), SIGWINCH); /* outside of the run: the guard answers, nobody refuses */
    child(SYS_capget, SECCOMP_RET_TRAP);
    child(SYS_personality, SECCOMP_RET_KILL_THREAD);
    child(SYS_getcpu, SECCOMP_RET_KILL_PROCESS);
    return 0;
}
