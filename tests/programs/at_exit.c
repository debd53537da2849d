/* A function that exit(3) runs, after main. */
#include "hidden.h"

static void at_end(void) {
    syscall(SYS_sched_yield);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'e'))
        return 0;
    atexit(at_end);
    return 0;
}
