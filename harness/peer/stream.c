/*
 * Streams: connecting, whole reads and writes, and the subcommands that join a connection with
 * standard input and output: tcp, unix and socks.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "peer.h"

static uint16_t port_number(const char *text) {
    return htons((uint16_t)strtoul(text, NULL, 10));
}

int sr_peer_connect(const char *host, const char *port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = port_number(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = in.sin_port};
    bool six = inet_pton(AF_INET6, host, &in6.sin6_addr) == 1;
    int fd;

    if (!six && inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                          &in.sin_addr) != 1) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, six ? (struct sockaddr *)&in6 : (struct sockaddr *)&in,
                           six ? sizeof in6 : sizeof in) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool sr_peer_read(int fd, void *buf, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t got = read(fd, (char *)buf + done, n - done);

        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

bool sr_peer_write(int fd, const void *buf, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, (const char *)buf + done, n - done);

        if (put <= 0)
            return false;
        done += (size_t)put;
    }
    return true;
}

void sr_peer_copy(int fd) {
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    char buf[8192];
    ssize_t n;

    while (poll(p, 2, -1) >= 0) {
        if (p[1].revents) {
            n = read(STDIN_FILENO, buf, sizeof buf);
            if (n <= 0 || !sr_peer_write(fd, buf, (size_t)n)) {
                shutdown(fd, SHUT_WR);
                p[1].fd = -1;
            }
        }
        if (p[0].revents) {
            n = read(fd, buf, sizeof buf);
            if (n <= 0 || !sr_peer_write(STDOUT_FILENO, buf, (size_t)n))
                return;
        }
    }
}

static int join(int fd, const char *what) {
    if (fd < 0) {
        fprintf(stderr, "sysreach-peer: %s: %s\n", what, strerror(errno));
        return 1;
    }
    sr_peer_copy(fd);
    close(fd);
    return 0;
}

int sr_peer_tcp(int argc, char **argv) {
    (void)argc;
    return join(sr_peer_connect(argv[0], argv[1]), argv[1]);
}

int sr_peer_unix(int argc, char **argv) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)argc;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", argv[0]);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof un) < 0) {
        close(fd);
        fd = -1;
    }
    return join(fd, argv[0]);
}

/* A name or an address as it stands in a SOCKS 5 request, behind the command; the bytes used. */
static size_t socks5_address(uint8_t *to, const char *host) {
    size_t n = strlen(host);

    if (inet_pton(AF_INET, host, to + 1) == 1) {
        to[0] = 1;
        return 5;
    }
    if (inet_pton(AF_INET6, host, to + 1) == 1) {
        to[0] = 4;
        return 17;
    }
    if (n > 255)
        n = 255;
    to[0] = 3;
    to[1] = (uint8_t)n;
    for (size_t i = 0; i < n; i++)
        to[2 + i] = (uint8_t)host[i];
    return 2 + n;
}

/* "5n" offers no method that a proxy could take. */
static bool socks5(int fd, const char *version, const char *host, uint16_t port) {
    uint8_t hello[3] = {5, 1, version[1] == 'n' ? 0x80 : 0}, buf[300] = {5, 1, 0};
    size_t n = 3 + socks5_address(buf + 3, host);

    if (!sr_peer_write(fd, hello, sizeof hello) || !sr_peer_read(fd, hello, 2) || hello[1])
        return false;
    memcpy(buf + n, &port, 2);
    return sr_peer_write(fd, buf, n + 2) && sr_peer_read(fd, buf, 10) && buf[1] == 0;
}

/* 4a leaves the name to the proxy: the address 0.0.0.1 and the name behind the user's. */
static bool socks4(int fd, const char *version, const char *host, uint16_t port) {
    uint8_t buf[300] = {4, 1};
    size_t n = 9, len = strlen(host);

    memcpy(buf + 2, &port, 2);
    if (version[1] == 'a' && len < 256) {
        buf[7] = 1;
        memcpy(buf + n, host, len + 1);
        n += len + 1;
    } else if (inet_pton(AF_INET, host, buf + 4) != 1) {
        return false;
    }
    return sr_peer_write(fd, buf, n) && sr_peer_read(fd, buf, 8) && buf[1] == 90;
}

int sr_peer_socks(int argc, char **argv) {
    int fd = sr_peer_connect("127.0.0.1", argv[1]);
    bool (*greet)(int, const char *, const char *, uint16_t) = argv[0][0] == '5' ? socks5 : socks4;

    (void)argc;
    if (fd >= 0 && !greet(fd, argv[0], argv[2], port_number(argv[3]))) {
        fputs("sysreach-peer: the proxy refused\n", stderr);
        return 1;
    }
    return join(fd, argv[1]);
}
