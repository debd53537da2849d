/* A constant table of structs with a function each, as commands and drivers have. */
#include "free.h"

struct command {
    const char *name;
    int flags;
    void (*go)(void);
};

KEEP static void one(void) {
    CALL0(SYS_getpid);
}

KEEP static void two(void) {
    CALL0(SYS_getppid);
}

static const struct command commands[] = {{"a", 1, one}, {"b", 2, two}, {0, 0, 0}};

int run(int argc, char **argv) {
    if (argc < 2)
        return 1;
    for (const struct command *volatile c = commands; c->name; c++)
        if (c->name[0] == argv[1][0])
            c->go();
    return 0;
}
