/* No descriptor at stdout. */
#include "hidden.h"

int main(void) {
    if (fcntl(1, F_GETFD) < 0)
        syscall(SYS_signalfd4, -1, NULL, 0, 0);
    return 0;
}
