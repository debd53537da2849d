/*
 * Both ends of the X11 protocol's greeting, which is as far as a forwarded connection needs to go.
 *
 * The client sends byte order, version and an authorisation (name and cookie, each padded to four
 * bytes); the server answers with a status byte and a counted rest. Only the byte order 'l' is
 * spoken.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define COOKIE_NAME "MIT-MAGIC-COOKIE-1"

static size_t padded(size_t n) {
    return (n + 3) & ~(size_t)3;
}

int sr_peer_x11(int argc, char **argv) {
    /* Success with an empty set-up of eight words: no screens, no formats. */
    uint8_t answer[40] = {1, 0, 11, 0, 0, 0, 8, 0}, hello[12], rest[1024];
    static const char reason[] = "no more tea";
    size_t n;

    if (!sr_peer_read(STDIN_FILENO, hello, sizeof hello))
        return 1;
    n = padded((size_t)hello[6] | (size_t)hello[7] << 8) +
        padded((size_t)hello[8] | (size_t)hello[9] << 8);
    if (hello[0] != 'l' || n > sizeof rest || !sr_peer_read(STDIN_FILENO, rest, n))
        return 1;
    if (argc > 0 && strcmp(argv[0], "refuse") == 0) {
        answer[0] = 0;
        answer[1] = sizeof reason - 1;
        answer[6] = (uint8_t)(padded(sizeof reason - 1) / 4);
        memcpy(answer + 8, reason, sizeof reason - 1);
        sr_peer_write(STDOUT_FILENO, answer, 8 + padded(sizeof reason - 1));
        return 0;
    }
    sr_peer_write(STDOUT_FILENO, answer, sizeof answer);
    while (read(STDIN_FILENO, rest, sizeof rest) > 0)
        ;
    return 0;
}

/* DISPLAY is host:number[.screen]; the server listens at port 6000 + number on loopback. */
int sr_peer_xclient(int argc, char **argv) {
    uint8_t hello[12 + 20 + 64] = {'l', 0, 11, 0, 0, 0, sizeof COOKIE_NAME - 1}, answer[8];
    const char *colon = strrchr(argv[0], ':');
    size_t n = strlen(argv[1]) / 2;
    char port[16];
    int fd;

    (void)argc;
    snprintf(port, sizeof port, "%lu", 6000 + (colon ? strtoul(colon + 1, NULL, 10) : 0));
    if (n > 64)
        n = 64;
    memcpy(hello + 12, COOKIE_NAME, sizeof COOKIE_NAME - 1);
    hello[8] = (uint8_t)n;
    for (size_t i = 0; i < n; i++) {
        char byte[3] = {argv[1][2 * i], argv[1][2 * i + 1], 0};

        hello[32 + i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    fd = sr_peer_connect("127.0.0.1", port);
    if (fd < 0 || !sr_peer_write(fd, hello, 32 + padded(n)) ||
        !sr_peer_read(fd, answer, sizeof answer)) {
        puts("X11: no answer");
        return 1;
    }
    printf("X11: status %d\n", answer[0]);
    return 0;
}
