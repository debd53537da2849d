/*
 * A proxy that only opens the door: it connects and hands the descriptor to who started it, over
 * the unix socket at standard output (ssh's ProxyUseFdpass).
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

int sr_peer_pass(int argc, char **argv) {
    int fd = sr_peer_connect(argv[0], argv[1]);
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    union { /* aligned for a header */
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control.room};

    (void)argc;
    if (fd < 0) {
        perror("sysreach-peer: pass");
        return 1;
    }
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    if (sendmsg(STDOUT_FILENO, &msg, 0) != 1) {
        perror("sysreach-peer: pass: standard output");
        return 1;
    }
    return 0;
}
