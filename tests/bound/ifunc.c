/* A function that a resolver chooses when the program is loaded. */
#include "rare.h"

KEEP static int plain(void) {
    return RARE(SYS_ioprio_get);
}

KEEP static int fast(void) {
    return RARE(SYS_kcmp);
}

int work(void) __attribute__((ifunc("choose_work")));
KEEP void *choose_work(void);

KEEP void *choose_work(void) {
    return RARE(SYS_get_mempolicy) == -9999 ? (void *)fast : (void *)plain;
}

int main(void) {
    return work() == -9999;
}
