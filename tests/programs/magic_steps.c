/* Magic bytes with a gradient: every byte is read at a call site of its own. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    char c = 0;
    int fd = open(hidden_file(argv), O_RDONLY | O_NONBLOCK);

    if (fd < 0 || read(fd, &c, 1) != 1 || c != 'R')
        return 1;
    if (read(fd, &c, 1) != 1 || c != 'i')
        return 1;
    if (lseek(fd, 0, SEEK_CUR) < 0 || read(fd, &c, 1) != 1 || c != 'f')
        return 1;
    if (read(fd, &c, 1) != 1 || c != 'f')
        return 1;
    syscall(SYS_sched_get_priority_max, 0);
    return 0;
}
