/* Runs into the limit of open files. */
#include "hidden.h"

int main(void) {
    for (int i = 0; i < 40; i++)
        if (open("/dev/null", O_RDONLY) < 0) {
            syscall(SYS_msync, 0, 0, 1);
            break;
        }
    return 0;
}
