/* Code names one object of data; that names another, which holds the function. */
#include "free.h"

struct inner {
    long weight;
    void (*go)(void);
};

struct outer {
    long weight;
    const struct inner *inner;
};

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

static const struct inner inside = {1, one};
static const struct outer outside = {1, &inside};
const struct outer *volatile chosen = &outside;

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    chosen->inner->go();
    return 0;
}
