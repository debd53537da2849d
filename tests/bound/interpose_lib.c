/* The library of interpose.c. */
#include "rare.h"

int hooked(void);
int library_work(void);

int hooked(void) {
    return RARE(SYS_kcmp);
}

int library_work(void) {
    return hooked() + RARE(SYS_get_mempolicy);
}
