/* A terminal at stdin, and a line typed there. */
#include "hidden.h"

int main(void) {
    char line[64];

    if (isatty(0) && read(0, line, sizeof line) > 0)
        syscall(SYS_tee, -1, -1, 0, 0);
    return 0;
}
