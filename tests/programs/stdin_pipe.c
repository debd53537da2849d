/* A pipe at stdin, where a file stands otherwise. */
#include "hidden.h"

#include <sys/stat.h>

int main(void) {
    struct stat st;

    if (fstat(0, &st) == 0 && S_ISFIFO(st.st_mode))
        syscall(SYS_vmsplice, -1, NULL, 0, 0);
    return 0;
}
