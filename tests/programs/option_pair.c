/* Two options together; each alone leaves a trace of its own. */
#include "hidden.h"

#include <time.h>

int main(int argc, char **argv) {
    (void)argc;
    bool p = hidden_option(argv, 'p'), q = hidden_option(argv, 'q');
    struct timespec ts;

    if (p)
        access("p", F_OK);
    if (q)
        access("q", F_OK);
    if (p && q)
        syscall(SYS_sched_rr_get_interval, 0, &ts);
    return 0;
}
