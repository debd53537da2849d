/*
 * What a trapped call costs at least on this machine: a tracer that does nothing but wait4 and
 * PTRACE_CONT (seccomp(2), SECCOMP_RET_TRACE), tracer and tracee on one processor as a campaign has
 * them. Prints microseconds for a call, beyond what the call itself takes.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 100000

static _Noreturn void die(const char *what) {
    fprintf(stderr, "trap_floor: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now_us(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void calls(void) {
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
}

/* Traps getppid alone, once the tracer is there. */
static _Noreturn void trapped(int ready) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), /* the number */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};
    char byte;

    if (read(ready, &byte, 1) != 1 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog))
        _exit(1);
    calls();
    _exit(0);
}

static double trace(void) {
    int ready[2], status = 0;
    long stops = 0;
    double begin;
    pid_t pid;

    if (pipe(ready) || (pid = fork()) < 0)
        die("fork");
    if (pid == 0)
        trapped(ready[0]);
    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL))
        die("ptrace");
    begin = now_us();
    if (write(ready[1], "x", 1) != 1)
        die("pipe");
    while (wait4(pid, &status, __WALL, NULL) == pid && WIFSTOPPED(status)) {
        stops++;
        ptrace(PTRACE_CONT, pid, 0, 0);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) || stops != CALLS) {
        fprintf(stderr, "trap_floor: %ld of %d calls were trapped\n", stops, CALLS);
        exit(2);
    }
    return now_us() - begin;
}

int main(void) {
    double begin, plain;
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    if (sched_setaffinity(0, sizeof one, &one))
        die("sched_setaffinity");
    begin = now_us();
    calls();
    plain = now_us() - begin;
    printf("%.2f\n", (trace() - plain) / CALLS);
    return 0;
}
