/*
 * A name service cache (nscd) on standard input, for one connection: libc asks it before it looks
 * for itself.
 *
 * It knows hosts in the domain "test": 127.0.0.1. Of all other tables it says that it does not
 * serve them. The messages are those of glibc's nscd/nscd-client.h, version 2; shared memory is not
 * offered.
 */
#include <string.h>
#include <unistd.h>

#include "peer.h"

#define VERSION   2
#define KEY_MAX   1024
#define NO_TABLE  (-1) /* as "found": ask me no more */
#define FAMILY_V4 2

enum { GETHOSTBYNAME = 4, GETFDPW = 11, GETFDHST = 13, GETAI = 14 };

/* Words, then bytes. */
struct reply {
    int32_t word[8];
    uint8_t bytes[KEY_MAX + 8];
};

static bool send_reply(const struct reply *r, size_t words, size_t bytes) {
    return sr_peer_write(STDOUT_FILENO, r->word, words * sizeof r->word[0]) &&
           sr_peer_write(STDOUT_FILENO, r->bytes, bytes);
}

/* The name's one address, as gethostbyname's answer. key holds a NUL. */
static bool send_host(const char *key) {
    static const uint8_t address[4] = {127, 0, 0, 1};
    size_t n = strlen(key) + 1;
    struct reply r = {.word = {VERSION, 1, (int32_t)n, 0, FAMILY_V4, sizeof address, 1, 0}};

    memcpy(r.bytes, key, n);
    memcpy(r.bytes + n, address, sizeof address);
    return send_reply(&r, 8, n + sizeof address);
}

/* The same as getaddrinfo's: addresses, their families, the canonical name. */
static bool send_addresses(const char *key) {
    size_t n = strlen(key) + 1;
    struct reply r = {.word = {VERSION, 1, 1, 4, (int32_t)n, 0},
                      .bytes = {127, 0, 0, 1, FAMILY_V4}};

    memcpy(r.bytes + 5, key, n);
    return send_reply(&r, 6, 5 + n);
}

int sr_peer_nscd(int argc, char **argv) {
    int32_t request[3]; /* version, type, length of the key */
    char key[KEY_MAX + 1] = "";
    struct reply none = {.word = {VERSION, NO_TABLE}};

    (void)argc;
    (void)argv;
    if (!sr_peer_read(STDIN_FILENO, request, sizeof request) || request[2] < 0 ||
        request[2] > KEY_MAX || !sr_peer_read(STDIN_FILENO, key, (size_t)request[2]))
        return 1;
    if (request[1] >= GETFDPW && request[1] <= GETFDHST)
        return 0;
    size_t n = strlen(key);
    bool known = n > 5 && strcmp(key + n - 5, ".test") == 0;
    if (request[1] == GETHOSTBYNAME && known)
        return !send_host(key);
    if (request[1] == GETAI && known)
        return !send_addresses(key);
    if (request[1] == GETHOSTBYNAME || request[1] == GETAI)
        none.word[1] = 0;
    return !send_reply(&none, 8, 0);
}
