/* The same with a table of differences, as interpreters in shared libraries have. */
#include "free.h"

KEEP static int interpret(const char *program) {
    static const int labels[] = {&&pid - &&pid, &&parent - &&pid, &&thread - &&pid, &&end - &&pid};

    goto *(&&pid + labels[(*program++ - 'a') & 3]);
pid:
    CALL0(SYS_getpid);
    goto *(&&pid + labels[(*program++ - 'a') & 3]);
parent:
    CALL0(SYS_getppid);
    goto *(&&pid + labels[(*program++ - 'a') & 3]);
thread:
    CALL0(SYS_gettid);
    goto *(&&pid + labels[(*program++ - 'a') & 3]);
end:
    return 0;
}

int run(int argc, char **argv) {
    return argc > 1 ? interpret(argv[1]) : 0;
}
