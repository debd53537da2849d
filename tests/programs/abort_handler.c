/* abort(3): the handler makes the call, then the program dies of SIGABRT all the same. */
#include "hidden.h"

#include <sys/resource.h>

static void on_abort(int signo) {
    (void)signo;
    struct rusage usage;

    syscall(SYS_getrusage, RUSAGE_SELF, &usage);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'a'))
        return 0;
    signal(SIGABRT, on_abort);
    abort();
    return 0;
}
