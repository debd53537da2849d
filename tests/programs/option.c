/* An option of one letter. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'x'))
        return 0;
    syscall(SYS_getpriority, 0, 0);
    return 0;
}
