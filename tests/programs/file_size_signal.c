/* Writes beyond RLIMIT_FSIZE: the handler of SIGXFSZ makes the call. */
#include "hidden.h"

static void on_xfsz(int signo) {
    (void)signo;
    syscall(SYS_readahead, 0, 0L, 0UL);
}

int main(void) {
    static char block[65536];
    int fd = open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);

    signal(SIGXFSZ, on_xfsz);
    for (int i = 0; i < 2; i++)
        if (write(fd, block, sizeof block) < 0)
            return 1;
    return 0;
}
