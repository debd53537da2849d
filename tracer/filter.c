/*
 * The seccomp filter, see filter.h. What it says, as pseudo-C:
 *
 *     if (arch == x86-64 && ip >> 32 == lo >> 32 && (uint32_t)ip >= (uint32_t)lo &&
 *         (uint32_t)ip <= (uint32_t)hi)
 *             return ALLOW;
 *     return TRACE;
 *
 * It never looks at the number: x32 and i386 entries are traced like all others, and the recorder
 * tells them apart.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "filter.h"
#include "sys.h"

#define IP_LOW offsetof(struct seccomp_data, instruction_pointer)

int sr_filter_install(uintptr_t lo, uintptr_t hi) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 6),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_LOW + 4),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(lo >> 32), 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IP_LOW),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)lo, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)hi, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    };
    struct sock_fprog prog = {sizeof code / sizeof *code, code};
    /* SPEC_ALLOW: the filter is no reason to slow the program down; it is not a sandbox. */
    long err = sr_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog);

    if (err == -EACCES) {
        err = sr_sys(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
        if (!err)
            err =
                sr_sys(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &prog);
    }
    return (int)err;
}
