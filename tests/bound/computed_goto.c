/* Jumps through a table of label addresses. */
#include "free.h"

KEEP static int interpret(const char *program) {
    static const void *const labels[] = {&&pid, &&parent, &&thread, &&end};

    goto *labels[(*program++ - 'a') & 3];
pid:
    CALL0(SYS_getpid);
    goto *labels[(*program++ - 'a') & 3];
parent:
    CALL0(SYS_getppid);
    goto *labels[(*program++ - 'a') & 3];
thread:
    CALL0(SYS_gettid);
    goto *labels[(*program++ - 'a') & 3];
end:
    return 0;
}

int run(int argc, char **argv) {
    return argc > 1 ? interpret(argv[1]) : 0;
}
