/*
 * The recorder's event loop, see recorder.h: one wait4 for all tracees, one handler for each kind
 * of stop. ptrace(2) describes the stops; what is subtle is said where it is handled.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "guard.h"
#include "objects.h"
#include "recorder.h"
#include "sys.h"
#include "text.h"
#include "tracees.h"

#define OPTIONS                                                                                    \
    (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |         \
     PTRACE_O_TRACESYSGOOD)

volatile int sr_recorder_ticked;

/* Before the first fork. */
static bool has_no_child(void) {
    siginfo_t info;

    return sr_sys(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL, 0) == -ECHILD;
}

int sr_recorder_init(struct sr_recorder *r, const struct sr_recorder_ops *ops, void *ctx) {
    memset(r, 0, sizeof *r);
    r->ops = ops;
    r->ctx = ctx;
    r->alone = has_no_child();
    return sr_tracees_init(r);
}

void sr_recorder_reset(struct sr_recorder *r) {
    sr_tracees_clear(r);
    r->first = 0;
    r->status = 0;
    r->ended = r->killing = r->releasing = r->overflow = r->pause = false;
    r->denied = r->lost = 0;
}

void sr_recorder_free(struct sr_recorder *r) {
    sr_tracees_free(r);
}

int sr_read_exe(pid_t pid, char *buf, size_t size) {
    char path[64];
    struct sr_text t = {path, sizeof path, 0};
    static const char gone[] = " (deleted)";
    const long gone_len = sizeof gone - 1;

    sr_text_proc(&t, pid, "exe");
    long n = sr_sys(SYS_readlinkat, AT_FDCWD, path, buf, size - 1);
    if (n < 0)
        return (int)n;
    buf[n] = 0;
    /* A file that was removed or replaced since is the same image still. */
    if (n > gone_len && memcmp(buf + n - gone_len, gone, sizeof gone - 1) == 0)
        buf[n -= gone_len] = 0;
    return (int)n;
}

static void find_image(struct sr_recorder *r, struct sr_tracee *t) {
    char path[4096];

    t->image = sr_read_exe(t->tid, path, sizeof path) < 0 ? -1 : r->ops->image(r->ctx, path);
}

static int seize(struct sr_recorder *r, pid_t pid, struct sr_tracee **t) {
    long options = OPTIONS | (r->syscalls ? 0 : PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL);
    long err = sr_sys(SYS_ptrace, PTRACE_SEIZE, pid, 0, options);

    if (err)
        return (int)err;
    *t = sr_tracees_add(r, pid);
    if (*t)
        return 0;
    sr_sys(SYS_kill, pid, SIGKILL);
    return -ENOMEM;
}

int sr_recorder_join(struct sr_recorder *r, pid_t pid, uint8_t peer) {
    struct sr_tracee *t;
    int err = seize(r, pid, &t);

    if (err)
        return err;
    t->pid = pid;
    t->peer = peer;
    t->image = -1;
    return 0;
}

bool sr_recorder_has(const struct sr_recorder *r, unsigned mask) {
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->table[i].tid > 0 && mask >> r->table[i].peer & 1)
            return true;
    return false;
}

int sr_recorder_seize(struct sr_recorder *r, pid_t pid, int image, bool own_text) {
    struct sr_tracee *t;
    int err = seize(r, pid, &t);

    if (err)
        return err;
    if (!r->first)
        r->first = pid;
    t->pid = r->syscalls ? sr_tgid(pid) : pid;
    t->first = t->pid == r->first;
    t->own_text = own_text;
    t->syscall_mode = r->syscalls;
    t->image = image;
    if (image < 0)
        find_image(r, t);
    return 0;
}

static void resume(const struct sr_tracee *t, int signo) {
    sr_sys(SYS_ptrace, t->syscall_mode ? PTRACE_SYSCALL : PTRACE_CONT, t->tid, 0, signo);
}

static bool all_threads_filter(const struct sr_stop *stop) {
    enum { SECCOMP_TSYNC = 1 };

    return stop->call.nr == SYS_seccomp && (stop->args[1] & SECCOMP_TSYNC);
}

/* A filter of the program's own: from now on its calls are taken at syscall stops. Whether it is
 * really installed is known at the exit stop; until then the worst is assumed. */
static void notice_own_filter(struct sr_recorder *r, struct sr_tracee *t,
                              const struct sr_stop *stop) {
    bool strict_or_filter;

    if (stop->call.abi != SR_ABI_X86_64)
        return;
    strict_or_filter = (stop->call.nr == SYS_seccomp && stop->args[0] <= 1) ||
                       (stop->call.nr == SYS_prctl && stop->args[0] == 22 /* PR_SET_SECCOMP */);
    if (!strict_or_filter)
        return;
    t->syscall_mode = true;
    t->installs = true;
    for (uint32_t i = 0; all_threads_filter(stop) && i < r->slots; i++)
        if (r->table[i].tid > 0 && r->table[i].pid == t->pid)
            r->table[i].syscall_mode = r->table[i].installs = true;
}

/* The other threads of a filter for all are told with the one that made the call. */
static void on_installed(struct sr_recorder *r, struct sr_tracee *t, bool failed) {
    for (uint32_t i = 0; i < r->slots; i++) {
        struct sr_tracee *other = &r->table[i];

        if (other->tid > 0 && other->pid == t->pid && other->installs) {
            other->installs = false;
            other->sandboxed |= !failed;
        }
    }
}

static void fill_stop(const struct sr_tracee *t, struct sr_stop *stop) {
    memset(stop, 0, sizeof *stop);
    stop->tid = t->tid;
    stop->pid = t->pid;
    stop->first = t->first;
    stop->own_text = t->own_text;
    stop->sandboxed = t->sandboxed;
    stop->peer = t->peer;
    stop->image = (unsigned)t->image;
}

/* The thread went on from an entry without a seccomp stop of ours. */
static void on_refused(struct sr_recorder *r, struct sr_tracee *t) {
    struct sr_stop stop;

    t->entered = false;
    if (t->image < 0 || r->killing || r->syscalls || !r->ops->refused)
        return;
    fill_stop(t, &stop);
    stop.call = t->entry;
    r->ops->refused(r->ctx, &stop);
}

/* Returns the thread's entry, which may have moved: a callback may have started others. */
static struct sr_tracee *report_call(struct sr_recorder *r, struct sr_tracee *t,
                                     const struct sr_stop *stop) {
    const struct sr_tracee *table = r->table;

    if (t->image < 0) {
        r->lost += !t->peer || t->execed; /* before its exec a peer is the harness */
        return t;
    }
    r->ops->call(r->ctx, stop);
    if (r->ops->object)
        sr_objects_on_call(r, stop);
    return r->table == table ? t : sr_tracees_find(r, stop->tid);
}

/*
 * In syscall mode a call has an entry stop, a seccomp stop (unless it is refused) and an exit stop;
 * otherwise, and for the call that a thread was in when its mode changed, the seccomp stop alone.
 */
static void on_call(struct sr_recorder *r, struct sr_tracee *t) {
    struct ptrace_syscall_info info;
    struct sr_stop stop;
    long n = sr_sys(SYS_ptrace, PTRACE_GET_SYSCALL_INFO, t->tid, sizeof info, &info);
    bool entry = n > 0 && info.op == PTRACE_SYSCALL_INFO_ENTRY;
    bool seccomp = n > 0 && info.op == PTRACE_SYSCALL_INFO_SECCOMP, second = seccomp && t->entered;

    if (r->killing || n <= 0)
        return resume(t, 0);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->entered)
        on_refused(r, t);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->installs)
        on_installed(r, t, info.exit.is_error);
    if (!entry && !seccomp)
        return resume(t, 0);
    /* entry and seccomp begin with the same members, number and arguments. */
    fill_stop(t, &stop);
    stop.call = sr_call_from_entry(info.arch == 0x40000003 /* AUDIT_ARCH_I386 */, info.entry.nr);
    stop.ip = info.instruction_pointer;
    stop.sp = info.stack_pointer;
    memcpy(stop.args, info.entry.args, sizeof stop.args);
    t->entered = entry && !r->syscalls;
    t->entry = stop.call;
    if (!second) {
        t = report_call(r, t, &stop);
        notice_own_filter(r, t, &stop);
    }
    /* At an entry the program's filter would judge the answer's number -1. */
    if (r->guard && !entry)
        sr_guard_on_call(r, &stop);
    resume(t, 0);
}

/* A new thread or process: it takes over what is known of its parent. */
static void on_new(struct sr_recorder *r, struct sr_tracee *parent, bool maybe_thread) {
    unsigned long tid = 0;
    struct sr_tracee *t, from = *parent;

    if (sr_sys(SYS_ptrace, PTRACE_GETEVENTMSG, parent->tid, 0, &tid) || !tid)
        return resume(parent, 0);
    t = sr_tracees_find(r, (pid_t)tid);
    if (!t)
        t = sr_tracees_add(r, (pid_t)tid);
    parent = sr_tracees_find(r, from.tid); /* the table may have moved */
    if (!t) {
        r->overflow = true;
        sr_recorder_kill(r);
        return resume(parent, 0);
    }
    t->pid = maybe_thread ? sr_tgid((pid_t)tid) : (pid_t)tid;
    t->first = t->pid == r->first;
    /* wait4 may report the child's stops first, and it may have become another program by then. */
    if (!t->execed) {
        t->image = from.image;
        t->own_text = from.own_text;
    }
    t->syscall_mode |= from.syscall_mode;
    t->sandboxed |= from.sandboxed;
    t->peer = from.peer;
    if (t->pid != from.pid && r->ops->fork && !r->killing)
        r->ops->fork(r->ctx, from.pid, t->pid);
    if (r->live_max && r->live > r->live_max) {
        r->overflow = true;
        sr_recorder_kill(r);
    }
    if (r->killing)
        sr_sys(SYS_kill, (pid_t)tid, SIGKILL);
    resume(parent, 0);
}

/* All other threads are gone; the one that called exec now has the process's id. */
static void on_exec(struct sr_recorder *r, struct sr_tracee *t) {
    unsigned long former = 0;

    sr_sys(SYS_ptrace, PTRACE_GETEVENTMSG, t->tid, 0, &former);
    if (former && (pid_t)former != t->tid) {
        struct sr_tracee *old = sr_tracees_find(r, (pid_t)former);
        if (old) {
            t->syscall_mode = old->syscall_mode;
            t->sandboxed = old->sandboxed;
            sr_tracees_remove(r, old);
        }
    }
    t->pid = t->tid;
    t->own_text = false;
    t->execed = true;
    t->entered = t->installs = false;
    find_image(r, t);
    if (r->ops->object && t->image >= 0)
        sr_objects_mapped(r, t->tid, (unsigned)t->image);
    if (r->ops->exec && !r->killing)
        r->ops->exec(r->ctx, t->tid, t->image);
    resume(t, 0);
}

static void on_stop_event(struct sr_recorder *r, struct sr_tracee *t, int signo) {
    bool group_stop = signo == SIGSTOP || signo == SIGTSTP || signo == SIGTTIN || signo == SIGTTOU;

    if (r->killing)
        sr_sys(SYS_kill, t->tid, SIGKILL);
    /* Job control: stay stopped until SIGCONT, as without a tracer. */
    if (group_stop)
        sr_sys(SYS_ptrace, PTRACE_LISTEN, t->tid, 0, 0);
    else
        resume(t, 0);
}

static void on_signal(struct sr_recorder *r, struct sr_tracee *t, int signo) {
    if (t->entered && signo == SIGSYS)
        on_refused(r, t); /* by KILL; later kernels do not stop here, see on_exit */
    if (signo == SIGTRAP && r->ops->trap && r->ops->trap(r->ctx, t->tid))
        signo = 0;
    resume(t, signo);
}

/* A stop of a thread whose parent's event has not been reported yet: ask /proc. */
static struct sr_tracee *meet(struct sr_recorder *r, pid_t tid) {
    struct sr_tracee *t = sr_tracees_add(r, tid);
    const struct sr_tracee *parent;

    if (!t) {
        sr_sys(SYS_kill, tid, SIGKILL);
        return NULL;
    }
    t->pid = sr_tgid(tid);
    t->first = t->pid == r->first;
    t->syscall_mode = r->syscalls;
    parent = sr_tracees_find(r, t->pid == tid ? sr_ppid(tid) : t->pid);
    if (parent) {
        t->syscall_mode |= parent->syscall_mode;
        t->sandboxed = parent->sandboxed;
        t->peer = parent->peer;
    }
    find_image(r, t);
    return t;
}

static void on_exit(struct sr_recorder *r, pid_t tid, int status) {
    struct sr_tracee *t = sr_tracees_find(r, tid);

    if (tid == r->first) {
        r->status = status;
        r->ended = true;
    }
    /* A thread that was killed for another reason just at an entry proves nothing. */
    if (t && t->entered && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        on_refused(r, t);
    bool whole = t && t->pid == tid; /* wait4 reports a leader when all its threads are gone */
    if (t)
        sr_tracees_remove(r, t);
    if (whole && r->ops->exit)
        r->ops->exit(r->ctx, tid);
}

static void let_go(struct sr_recorder *r, struct sr_tracee *t, int event, int signo) {
    bool deliver = !event && signo != (SIGTRAP | 0x80);

    sr_sys(SYS_ptrace, PTRACE_DETACH, t->tid, 0, deliver ? signo : 0);
    sr_tracees_remove(r, t);
}

static void on_stopped(struct sr_recorder *r, pid_t tid, int status) {
    struct sr_tracee *t = sr_tracees_find(r, tid);
    int event = status >> 16, signo = WSTOPSIG(status);

    if (!t && !(t = meet(r, tid)))
        return;
    if (r->releasing)
        return let_go(r, t, event, signo);
    switch (event) {
    case PTRACE_EVENT_SECCOMP:
        return on_call(r, t);
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
        return on_new(r, t, false);
    case PTRACE_EVENT_CLONE:
        return on_new(r, t, true);
    case PTRACE_EVENT_EXEC:
        return on_exec(r, t);
    case PTRACE_EVENT_STOP:
        return on_stop_event(r, t, signo);
    default:
        if (signo == (SIGTRAP | 0x80))
            return on_call(r, t);
        return on_signal(r, t, signo);
    }
}

void sr_recorder_wait(struct sr_recorder *r) {
    r->pause = false;
    while (!r->pause && (r->live || (r->alone && !r->releasing))) {
        int status = 0;
        long tid = sr_sys(SYS_wait4, -1, &status, __WALL, 0);

        if (sr_recorder_ticked) {
            sr_recorder_ticked = 0;
            if (r->ops->tick)
                r->ops->tick(r->ctx);
        }
        if (tid == -EINTR)
            continue;
        if (tid <= 0)
            break; /* ECHILD: all are gone */
        if (WIFSTOPPED(status))
            on_stopped(r, (pid_t)tid, status);
        else
            on_exit(r, (pid_t)tid, status);
    }
}

void sr_recorder_kill(struct sr_recorder *r) {
    r->killing = true;
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->table[i].tid > 0)
            sr_sys(SYS_kill, r->table[i].tid, SIGKILL);
}

void sr_recorder_release(struct sr_recorder *r) {
    r->releasing = true;
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->table[i].tid > 0)
            sr_sys(SYS_ptrace, PTRACE_INTERRUPT, r->table[i].tid, 0, 0);
}
