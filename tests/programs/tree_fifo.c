/* A named pipe where a file is expected, and what comes out of it. */
#include "hidden.h"

#include <sys/stat.h>

int main(int argc, char **argv) {
    (void)argc;
    struct stat st;
    char c;
    int fd;

    if (stat(hidden_file(argv), &st) < 0 || !S_ISFIFO(st.st_mode))
        return 0;
    fd = open(hidden_file(argv), O_RDONLY);
    if (fd >= 0 && read(fd, &c, 1) == 1 && c == 't')
        syscall(SYS_sync_file_range, 0, 0, 0, 0);
    return 0;
}
