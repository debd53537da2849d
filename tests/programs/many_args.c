/* More arguments than a usual command line has. */
#include "hidden.h"

#include <sys/sysinfo.h>

int main(int argc, char **argv) {
    (void)argv;
    struct sysinfo info;

    if (argc > 9)
        syscall(SYS_sysinfo, &info);
    return 0;
}
