/*
 * Capabilities and namespaces of the harness, see privs.h. The kernel's own structures: libcap is
 * no part of libc.
 */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include "privs.h"
#include "sys.h"

#define WORDS _LINUX_CAPABILITY_U32S_3

/* What is left in the bounding set, once it is known; children drop it. */
static uint64_t bounding;

struct sets {
    struct __user_cap_data_struct word[WORDS];
};

static int read_sets(struct sets *sets, uint64_t *permitted) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    long err = sr_sys(SYS_capget, &head, sets->word);

    *permitted = sets->word[0].permitted | (uint64_t)sets->word[1].permitted << 32;
    return (int)err;
}

/* All of the bounding set but what the harness has goes now, so that children have less to do. */
static void shrink_bounding(uint64_t keep) {
    for (int cap = 0; cap < 64; cap++) {
        if (sr_sys(SYS_prctl, PR_CAPBSET_READ, cap) != 1)
            continue; /* also above the kernel's last */
        if (keep >> cap & 1 || sr_sys(SYS_prctl, PR_CAPBSET_DROP, cap))
            bounding |= UINT64_C(1) << cap;
    }
}

int sr_privs_hide(const char *hidden) {
    struct sets sets;
    uint64_t permitted = 0;
    long err = sr_sys(SYS_unshare, CLONE_NEWNS | CLONE_NEWIPC);

    if (!err)
        err = sr_sys(SYS_mount, 0, "/", 0, MS_REC | MS_SLAVE, 0);
    /* Covered, not unmounted: in a user namespace below the one that mounted it, it is locked. */
    if (!err && hidden)
        err = sr_sys(SYS_mount, "none", hidden, "tmpfs",
                     MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k,mode=0555");
    if (!err)
        err = read_sets(&sets, &permitted);
    if (!err)
        shrink_bounding(permitted);
    return (int)err;
}

int sr_privs_drop(uint64_t keep) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct sets sets;
    uint64_t permitted = 0;
    long err = read_sets(&sets, &permitted);

    /* The bounding set first: that takes CAP_SETPCAP. */
    for (int cap = 0; !err && cap < 64 && bounding >> cap; cap++)
        if ((bounding & ~keep) >> cap & 1)
            err = sr_sys(SYS_prctl, PR_CAPBSET_DROP, cap);
    if (err || !(permitted | sets.word[0].inheritable | sets.word[1].inheritable))
        return (int)err;
    for (int i = 0; i < WORDS; i++) {
        sets.word[i].permitted &= (uint32_t)(keep >> 32 * i);
        sets.word[i].effective = sets.word[i].permitted;
        sets.word[i].inheritable = 0; /* and with it the ambient set */
    }
    return (int)sr_sys(SYS_capset, &head, sets.word);
}

int sr_privs_fresh_ipc(void) {
    return (int)sr_sys(SYS_unshare, CLONE_NEWIPC);
}
