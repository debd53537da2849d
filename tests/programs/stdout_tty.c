/* A terminal at stdout. */
#include "hidden.h"

int main(void) {
    if (isatty(1))
        syscall(SYS_splice, -1, NULL, -1, NULL, 0, 0);
    return 0;
}
