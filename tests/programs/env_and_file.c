/* A variable and the content of a file together. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    const char *mode = getenv("MODE");
    char head[2];

    if (!mode || *mode != '2')
        return 0;
    hidden_read(hidden_file(argv), head, sizeof head);
    if (head[0] == '2')
        syscall(SYS_epoll_create1, 0);
    return 0;
}
