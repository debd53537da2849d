/* The library of versions.c. */
#include "rare.h"

int work_old(void);
int work_new(void);
__asm__(".symver work_old, work@V1");
__asm__(".symver work_new, work@@V2");

int work_old(void) {
    return RARE(SYS_kcmp);
}

int work_new(void) {
    return RARE(SYS_ioprio_get);
}
