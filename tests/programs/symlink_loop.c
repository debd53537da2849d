/* A symbolic link that leads to itself: ELOOP. */
#include "hidden.h"

#include <errno.h>

int main(int argc, char **argv) {
    (void)argc;
    if (open(hidden_file(argv), O_RDONLY) < 0 && errno == ELOOP)
        syscall(SYS_listxattr, ".", NULL, 0);
    return 0;
}
