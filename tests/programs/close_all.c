/* Closes every descriptor that it may not know, then makes the call. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'c'))
        return 0;
    int pair[2];

    if (close_range(3, ~0u, 0) < 0)
        closefrom(3);
    syscall(SYS_socketpair, 1, 1, 0, pair);
    return 0;
}
