/*
 * Capabilities in the sandbox, see caps.h.
 */
#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "caps.h"
#include "target.h"

#define BIT(n) (UINT64_C(1) << (n))

/* Whoever has one of these can leave the sandbox or reach into the harness: no program keeps them,
 * whatever its target says. */
#define NEVER                                                                                      \
    (BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_MODULE) | BIT(CAP_SYS_RAWIO) |         \
     BIT(CAP_SYS_BOOT) | BIT(CAP_SYS_TIME) | BIT(CAP_MKNOD) | BIT(CAP_SETPCAP) |                   \
     BIT(CAP_DAC_READ_SEARCH) | BIT(CAP_SYSLOG) | BIT(CAP_BPF) | BIT(CAP_PERFMON) |                \
     BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SETFCAP) | BIT(CAP_LINUX_IMMUTABLE))

static bool can_give(int cap) {
    return cap >= 0 && !(NEVER & BIT(cap)) && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1;
}

uint64_t sr_caps_kept(const struct sr_target *t) {
    uint64_t kept = 0;

    for (size_t i = 0; t && geteuid() == 0 && i < t->capabilities.n; i++) {
        int cap = sr_target_capability(t->capabilities.v[i]);

        if (can_give(cap))
            kept |= BIT(cap);
    }
    return kept;
}

const char *sr_caps_missing(const struct sr_target *t) {
    for (size_t i = 0; t && geteuid() == 0 && i < t->capabilities.n; i++)
        if (!can_give(sr_target_capability(t->capabilities.v[i])))
            return t->capabilities.v[i];
    return NULL;
}

uint64_t sr_caps_harness(uint64_t kept) {
    uint64_t all = BIT(CAP_SYS_PTRACE) | BIT(CAP_SYS_ADMIN) | BIT(CAP_SETPCAP) |
                   BIT(CAP_NET_BIND_SERVICE) | kept;

    /* Other users' processes and files are there only without a user namespace. */
    if (geteuid() == 0)
        all |= BIT(CAP_KILL) | BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER);
    else
        all |= BIT(CAP_NET_ADMIN); /* for the network that cmd_init.c makes */
    return all;
}
