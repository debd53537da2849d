/* One function stores the address, another one calls it: no initial value names it. */
#include "free.h"

static void (*volatile later)(void);

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

KEEP static void prepare(void) {
    later = one;
}

KEEP static void finish(void) {
    if (later)
        later();
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    prepare();
    finish();
    return 0;
}
