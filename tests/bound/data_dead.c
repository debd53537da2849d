/* Two objects of data with a function each stand side by side; reachable code names only one. */
#include "free.h"

struct ops {
    long weight;
    void (*go)(void);
};

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

KEEP static void secret(void) {
    CALL0(SYS_getppid);
}

__attribute__((used)) struct ops alive = {1, one};
__attribute__((used)) struct ops dead = {2, secret};

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    struct ops *volatile o = &alive;

    o->go();
    return 0;
}
