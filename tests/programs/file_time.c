/* The time when a file was last changed. */
#include "hidden.h"

#include <sys/stat.h>

int main(int argc, char **argv) {
    (void)argc;
    struct stat st;

    if (stat(hidden_file(argv), &st) == 0 && st.st_mtime < 315532800)
        syscall(SYS_pidfd_open, getpid(), 0);
    return 0;
}
