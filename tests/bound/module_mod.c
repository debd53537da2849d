/* The module of module.c. */
#include "rare.h"

int plugin_go(void);
int never(void) __attribute__((visibility("hidden")));

int plugin_go(void) {
    return RARE(SYS_ioprio_get);
}

__attribute__((constructor)) static void loaded(void) {
    RARE(SYS_kcmp);
}

/* Not exported, and nobody calls it. */
KEEP int never(void) {
    return RARE(SYS_get_mempolicy);
}
