/* The number is stored in a struct on the stack, whose address the callee gets (setxid in libc). */
#include "free.h"

struct command {
    int number;
    long argument;
};

KEEP static long carry_out(const struct command *c) {
    return CALL1(c->number, c->argument);
}

int run(int argc, char **argv) {
    (void)argv;
    struct command c;

    c.argument = 0;
    if (argc > 1) {
        c.number = SYS_getpgid;
        return carry_out(&c) < 0;
    }
    c.number = SYS_getsid;
    return carry_out(&c) < 0;
}
