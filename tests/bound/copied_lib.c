/* The library of copied.c. */
#include "copied_lib.h"
#include "rare.h"

KEEP static int one(void) {
    return RARE(SYS_ioprio_get);
}

KEEP static int two(void) {
    return RARE(SYS_kcmp);
}

const struct ops library_ops = {{one, two}};
