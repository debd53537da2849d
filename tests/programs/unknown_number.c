/* A number that no call has. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'u'))
        return 0;
    syscall(999, 1, 2, 3);
    return 0;
}
