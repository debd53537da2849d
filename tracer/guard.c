/*
 * The guard, see guard.h: a table of calls that name a process, one rule for each way to name it.
 *
 * What is not made is answered as if nobody were there (ESRCH). Signals and priorities for all
 * processes go to those of the run, as they would if these were alone on the machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>

#include "guard.h"
#include "sys.h"
#include "text.h"
#include "tracees.h"

/* linux/ioprio.h, asm-generic/ioctls.h, asm-generic/sockios.h */
#define IOPRIO_WHO_PROCESS 1
#define IOPRIO_WHO_PGRP    2
#define FIOSETOWN_NR       0x8901
#define SIOCSPGRP_NR       0x8902

/* A process that is somebody, but who? No process has this number: PID_MAX_LIMIT. */
#define UNKNOWN (1 << 22)

enum rule {
    KILL,     /* a process, a group (negative) or all (-1); a signal */
    PROCESS,  /* a process; 0: the caller */
    SETTER,   /* the same, where the third argument is not 0 */
    TRACE,    /* ptrace: the second argument, where it attaches */
    PRIORITY, /* which, who; see setpriority(2) */
    IOPRIO,   /* the same with other numbers */
    OWNER,    /* fcntl: who gets a descriptor's signals */
    IOCTL,    /* the same by ioctl */
    PIDFD,    /* a descriptor of a process */
    FLAGS,    /* clone: flags */
    STRUCT,   /* clone3: they lie in memory */
    IPC,      /* makes something that outlives its process */
};

/* A call by its x86-64 and its i386 number (-1: none, or it is the same as nothing else here). */
static const struct row {
    int nr, i386;
    enum rule rule;
    int pid, signo; /* which arguments; signo -1: none */
} rows[] = {
    {SYS_kill, 37, KILL, 0, 1},
    {SYS_tkill, 238, KILL, 0, 1},
    {SYS_tgkill, 270, KILL, 0, 2},
    {SYS_rt_sigqueueinfo, 178, KILL, 0, 1},
    {SYS_rt_tgsigqueueinfo, 335, KILL, 0, 2},
    {SYS_pidfd_open, 434, PROCESS, 0, -1},
    {SYS_pidfd_send_signal, 424, PIDFD, 0, 1},
    {SYS_ptrace, 26, TRACE, 1, -1},
    {SYS_process_vm_writev, 348, PROCESS, 0, -1},
    {SYS_prlimit64, 340, SETTER, 0, -1},
    {SYS_setpriority, 97, PRIORITY, 1, -1},
    {SYS_ioprio_set, 289, IOPRIO, 1, -1},
    {SYS_sched_setparam, 154, PROCESS, 0, -1},
    {SYS_sched_setscheduler, 156, PROCESS, 0, -1},
    {SYS_sched_setaffinity, 241, PROCESS, 0, -1},
    {SYS_sched_setattr, 351, PROCESS, 0, -1},
    {SYS_setpgid, 57, PROCESS, 0, -1},
    {SYS_fcntl, 55, OWNER, 2, -1},
    {-1, 221, OWNER, 2, -1}, /* fcntl64 */
    {SYS_ioctl, 54, IOCTL, 2, -1},
    {SYS_clone, 120, FLAGS, -1, -1},
    {SYS_clone3, 435, STRUCT, -1, -1},
    {SYS_msgget, 399, IPC, -1, -1},
    {SYS_semget, 393, IPC, -1, -1},
    {SYS_shmget, 395, IPC, -1, -1},
    {SYS_mq_open, 277, IPC, -1, -1},
    {-1, 117, IPC, -1, -1}, /* ipc */
};

/* Calls that x32 has under numbers of its own, above 511. */
static const struct {
    int x32, nr;
} x32_only[] = {
    {521, SYS_ptrace},
    {514, SYS_ioctl},
    {524, SYS_rt_sigqueueinfo},
    {536, SYS_rt_tgsigqueueinfo},
    {540, SYS_process_vm_writev},
};

#define N_ROWS (sizeof rows / sizeof *rows)
#define N_NRS  512

/* Most calls name nobody: one look in this table tells, filled at the first call. */
static uint8_t row_of[2][N_NRS]; /* [i386][number]: row + 1 */
static bool filled;

static void fill(void) {
    for (size_t i = 0; i < N_ROWS; i++) {
        if (rows[i].nr >= 0)
            row_of[0][rows[i].nr] = (uint8_t)(i + 1);
        row_of[1][rows[i].i386] = (uint8_t)(i + 1);
    }
    filled = true;
}

static const struct row *find_row(struct sr_call c) {
    int nr = c.nr;

    if (!filled)
        fill();
    for (size_t i = 0; c.abi == SR_ABI_X32 && i < sizeof x32_only / sizeof *x32_only; i++)
        if (nr == x32_only[i].x32)
            nr = x32_only[i].nr;
    if (nr < 0 || nr >= N_NRS || !row_of[c.abi == SR_ABI_I386][nr])
        return NULL;
    return &rows[row_of[c.abi == SR_ABI_I386][nr] - 1];
}

/* The number behind a key in /proc/PID/PART. -ENOENT: no such file, -EINVAL: no such key. */
static int read_number(pid_t pid, const char *part, const char *key) {
    char path[64], buf[1024];
    struct sr_text t = {path, sizeof path, 0};
    const char *at;
    int number = 0;
    long n, fd;

    sr_text_proc(&t, pid, part);
    fd = sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -ENOENT;
    n = sr_sys(SYS_read, fd, buf, sizeof buf - 1);
    sr_sys(SYS_close, fd);
    buf[n > 0 ? n : 0] = 0;
    at = strstr(buf, key);
    if (!at)
        return -EINVAL;
    for (at += strlen(key); *at >= '0' && *at <= '9'; at++)
        number = number * 10 + (*at - '0');
    return number;
}

/* Has ended, but its parent has not taken it in: calls that name it still succeed. */
static bool is_zombie_of(const struct sr_recorder *r, pid_t pid) {
    int parent = read_number(pid, "status", "\nPPid:\t");

    return parent > 0 && sr_tracees_find(r, parent);
}

/* to: a process or thread, a group as a negative number, 0: its own. */
static bool in_run(const struct sr_recorder *r, int to) {
    if (to == 0)
        return true; /* the run has a session of its own, and with it groups */
    if (to > 0 && sr_tracees_find(r, to))
        return true;
    for (uint32_t i = 0; i < r->slots; i++) {
        const struct sr_tracee *t = &r->table[i];

        if (t->tid > 0 && (t->pid == to || (to < 0 && sr_sys(SYS_getpgid, t->tid) == -to)))
            return true;
    }
    return to > 0 && is_zombie_of(r, to);
}

/* Nobody of that number is there at all: the kernel says so by itself. Not so where the number
 * could not be found out. */
static bool is_nobody(int to) {
    return to != UNKNOWN && sr_sys(SYS_kill, to, 0) == -ESRCH;
}

/* Number -1 makes the kernel skip the call and leave the answer as it is; seccomp(2). */
static void answer(struct sr_recorder *r, pid_t tid, long value) {
    struct user_regs_struct regs;

    r->denied++;
    if (sr_sys(SYS_ptrace, PTRACE_GETREGS, tid, 0, &regs))
        return;
    regs.orig_rax = (unsigned long)-1;
    regs.rax = (unsigned long)value;
    sr_sys(SYS_ptrace, PTRACE_SETREGS, tid, 0, &regs);
}

static void kill_all_others(struct sr_recorder *r, const struct sr_stop *stop, int signo) {
    for (uint32_t i = 0; i < r->slots; i++) {
        const struct sr_tracee *t = &r->table[i];

        if (t->tid > 0 && t->tid == t->pid && t->pid != stop->pid)
            sr_sys(SYS_kill, t->pid, signo);
    }
    answer(r, stop->tid, 0);
}

/* setpriority and ioprio_set; what is for all processes of a user is taken for done. */
static void on_priority(struct sr_recorder *r, const struct sr_stop *stop, int process, int group) {
    int which = (int)stop->args[0], who = (int)stop->args[1];

    if (which != process && which != group)
        answer(r, stop->tid, 0);
    else if (who < 0 || !in_run(r, which == group ? -who : who))
        answer(r, stop->tid, -ESRCH);
}

/* A word of the caller's memory; 0 where there is none. */
static uint64_t peek(const struct sr_stop *stop, uint64_t address) {
    uint64_t word = 0;

    sr_sys(SYS_ptrace, PTRACE_PEEKDATA, stop->tid, address, &word);
    return word;
}

/* fcntl(2): F_SETOWN takes a process or a negative group, F_SETOWN_EX a type and a number. */
static void on_owner(struct sr_recorder *r, const struct sr_stop *stop) {
    int to = (int)stop->args[2];

    if ((int)stop->args[1] == F_SETOWN_EX) {
        uint64_t owner = peek(stop, stop->args[2]);

        to = (int)(owner >> 32);
        if ((int)owner == F_OWNER_PGRP)
            to = -to;
    } else if ((int)stop->args[1] != F_SETOWN) {
        return;
    }
    if (!in_run(r, to) && !is_nobody(to))
        answer(r, stop->tid, -ESRCH);
}

static void on_ioctl(struct sr_recorder *r, const struct sr_stop *stop) {
    uint32_t request = (uint32_t)stop->args[1];

    if ((request == FIOSETOWN_NR || request == SIOCSPGRP_NR) &&
        !in_run(r, (int)peek(stop, stop->args[2])))
        answer(r, stop->tid, -ESRCH);
}

/* The process of a pidfd; 0: it is none (for the kernel to say). A folder of /proc serves as one.
 */
static int pid_of(pid_t tid, int fd) {
    char part[32];
    struct sr_text t = {part, sizeof part, 0};
    int pid;

    sr_text_str(&t, "fdinfo/");
    sr_text_int(&t, fd);
    pid = read_number(tid, part, "\nPid:\t");
    if (pid == -ENOENT)
        return 0;
    return pid < 0 ? UNKNOWN : pid;
}

/* Nobody gets away from the recorder. */
static void on_clone3(const struct sr_stop *stop) {
    uint64_t flags = peek(stop, stop->args[0]);

    if (flags & CLONE_UNTRACED)
        sr_sys(SYS_ptrace, PTRACE_POKEDATA, stop->tid, stop->args[0],
               flags & ~(uint64_t)CLONE_UNTRACED);
}

static void on_clone(const struct sr_stop *stop) {
    struct user_regs_struct regs;

    if (!(stop->args[0] & CLONE_UNTRACED) ||
        sr_sys(SYS_ptrace, PTRACE_GETREGS, stop->tid, 0, &regs))
        return;
    if (stop->call.abi == SR_ABI_I386)
        regs.rbx &= ~(unsigned long)CLONE_UNTRACED;
    else
        regs.rdi &= ~(unsigned long)CLONE_UNTRACED;
    sr_sys(SYS_ptrace, PTRACE_SETREGS, stop->tid, 0, &regs);
}

static bool attaches(uint64_t request) {
    return request == PTRACE_ATTACH || request == PTRACE_SEIZE;
}

void sr_guard_on_call(struct sr_recorder *r, const struct sr_stop *stop) {
    const struct row *row = find_row(stop->call);
    int to = row && row->pid >= 0 ? (int)stop->args[row->pid] : 0;
    int signo = row && row->signo >= 0 ? (int)stop->args[row->signo] : 0;

    if (!row)
        return;
    switch (row->rule) {
    case KILL:
        if (signo && to == -1)
            return kill_all_others(r, stop, signo);
        if (!signo)
            return;
        break;
    case SETTER:
        if (!stop->args[2])
            return;
        break;
    case TRACE:
        if (!attaches(stop->args[0]))
            return;
        break;
    case PROCESS:
        break;
    case PIDFD:
        if (!signo)
            return;
        to = pid_of(stop->tid, to);
        break;
    case PRIORITY:
        return on_priority(r, stop, PRIO_PROCESS, PRIO_PGRP);
    case IOPRIO:
        return on_priority(r, stop, IOPRIO_WHO_PROCESS, IOPRIO_WHO_PGRP);
    case OWNER:
        return on_owner(r, stop);
    case IOCTL:
        return on_ioctl(r, stop);
    case FLAGS:
        return on_clone(stop);
    case STRUCT:
        return on_clone3(stop);
    case IPC:
        r->ipc = true;
        return;
    }
    if (!in_run(r, to) && !is_nobody(to))
        answer(r, stop->tid, -ESRCH);
}
