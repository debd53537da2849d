/*
 * The guard, see guard.h. What is not made is answered as if nobody were there (ESRCH); kill(-1)
 * goes to all other processes of the run, as it would if they were alone on the machine.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "guard.h"
#include "sys.h"
#include "tracees.h"

#define I386_KILL   37
#define I386_TKILL  238
#define I386_TGKILL 270

/* Which argument names the receiver, or -1 for calls that send no signal to a process id. */
static bool sends_signal(const struct sr_call *c) {
    if (c->abi == SR_ABI_I386)
        return c->nr == I386_KILL || c->nr == I386_TKILL || c->nr == I386_TGKILL;
    return c->abi == SR_ABI_X86_64 &&
           (c->nr == SYS_kill || c->nr == SYS_tkill || c->nr == SYS_tgkill ||
            c->nr == SYS_rt_sigqueueinfo || c->nr == SYS_rt_tgsigqueueinfo);
}

static bool in_run(const struct sr_recorder *r, int to) {
    if (to == 0)
        return true; /* its own group: the run has a session of its own */
    if (to > 0 && sr_tracees_find(r, to))
        return true;
    for (uint32_t i = 0; i < r->slots; i++) {
        const struct sr_tracee *t = &r->table[i];

        if (t->tid > 0 && (t->pid == to || (to < 0 && sr_sys(SYS_getpgid, t->tid) == -to)))
            return true;
    }
    return false;
}

static void to_all_others(const struct sr_recorder *r, pid_t sender, int signo) {
    for (uint32_t i = 0; i < r->slots; i++) {
        const struct sr_tracee *t = &r->table[i];

        if (t->tid > 0 && t->tid == t->pid && t->pid != sender)
            sr_sys(SYS_kill, t->pid, signo);
    }
}

/* Number -1 makes the kernel skip the call and leave the answer as it is; seccomp(2). */
static void answer(pid_t tid, long value) {
    struct user_regs_struct regs;

    if (sr_sys(SYS_ptrace, PTRACE_GETREGS, tid, 0, &regs))
        return;
    regs.orig_rax = (unsigned long)-1;
    regs.rax = (unsigned long)value;
    sr_sys(SYS_ptrace, PTRACE_SETREGS, tid, 0, &regs);
}

void sr_guard_on_call(struct sr_recorder *r, const struct sr_stop *stop) {
    int to = (int)stop->args[0];
    bool has_tid = stop->call.nr == SYS_tgkill || stop->call.nr == SYS_rt_tgsigqueueinfo ||
                   (stop->call.abi == SR_ABI_I386 && stop->call.nr == I386_TGKILL);
    int signo = (int)stop->args[has_tid ? 2 : 1];

    if (!sends_signal(&stop->call) || signo == 0)
        return;
    if (to == -1) {
        to_all_others(r, stop->pid, signo);
        answer(stop->tid, 0);
        r->denied++;
    } else if (!in_run(r, to)) {
        answer(stop->tid, -ESRCH);
        r->denied++;
    }
}
