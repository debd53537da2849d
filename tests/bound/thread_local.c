/* The initial value of a thread-local variable names the function. */
#include "rare.h"

KEEP static int one(void) {
    return RARE(SYS_ioprio_get);
}

static __thread int (*volatile go)(void) = one;

int main(void) {
    return go() == -9999;
}
