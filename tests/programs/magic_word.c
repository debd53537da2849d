/* Magic bytes without a gradient: all eight are compared at once. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    char head[9];

    hidden_read(hidden_file(argv), head, sizeof head);
    if (memcmp(head, "\177XmAgIc!", 8) == 0)
        syscall(SYS_sched_get_priority_min, 0);
    return 0;
}
