/* A umask that leaves nothing to anybody else. */
#include "hidden.h"

#include <sys/stat.h>

int main(void) {
    if ((umask(022) & 077) == 077)
        syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0);
    return 0;
}
