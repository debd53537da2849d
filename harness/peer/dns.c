/*
 * A name server for the domain "test", on standard input: a datagram socket, or one stream.
 *
 * A name that ends in .test has the addresses 127.0.0.1 and ::1, and these addresses the name
 * server.test. A zone file adds to that, lines of "NAME IN TYPE DATA" with the types A, AAAA,
 * CNAME, PTR, TXT, SRV and SSHFP (what ssh-keygen -r prints). Three first labels are special:
 * "silent" is never answered, "big" only over a stream (a datagram's answer is cut), "plain" is
 * answered without the flag that says the data were verified. All else does not exist. It ends when
 * nothing has come for two seconds.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer.h"

#define IDLE_MS   2000
#define MESSAGE   4096
#define NAME_SIZE 256
#define QUESTION  0xc00c /* pointer to the question's name, byte 12 */

enum { T_A = 1, T_CNAME = 5, T_PTR = 12, T_TXT = 16, T_AAAA = 28, T_SRV = 33, T_SSHFP = 44 };

struct answer {
    uint8_t *start, *at, *end; /* the message; where the next record goes; behind its room */
    unsigned owner;            /* the next record's name, as a pointer into the message */
    unsigned count;
};

static const char *zone_path;

/* The question's name, small letters, with dots between the labels; the bytes that it takes, 0 if
 * it is none. */
static size_t question_name(const uint8_t *p, size_t n, char name[NAME_SIZE]) {
    size_t i = 0, len = 0;

    while (i < n && p[i]) {
        size_t label = p[i++];

        if (label > 63 || i + label > n || len + label + 2 > NAME_SIZE)
            return 0;
        if (len)
            name[len++] = '.';
        for (size_t k = 0; k < label; k++, i++)
            name[len++] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    }
    name[len] = 0;
    return i < n ? i + 1 : 0;
}

static void put16(uint8_t *p, unsigned v) {
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static size_t put_name(uint8_t *to, const char *name) {
    uint8_t *p = to;

    for (; *name; name += *name == '.') {
        size_t n = strcspn(name, ".");

        if (n > 63)
            n = 63;
        *p++ = (uint8_t)n;
        memcpy(p, name, n);
        p += n;
        name += strcspn(name, ".");
    }
    *p++ = 0;
    return (size_t)(p - to);
}

/* After an alias, the records that follow are about what it stands for. */
static void add_record(struct answer *a, int type, const uint8_t *data, size_t n) {
    if (a->end - a->at < (ptrdiff_t)(12 + n))
        return;
    put16(a->at, a->owner);
    put16(a->at + 2, (unsigned)type);
    put16(a->at + 4, 1);
    put16(a->at + 6, 0);
    put16(a->at + 8, 60);
    put16(a->at + 10, (unsigned)n);
    memcpy(a->at + 12, data, n);
    if (type == T_CNAME)
        a->owner = 0xc000 | (unsigned)(a->at + 12 - a->start);
    a->at += 12 + n;
    a->count++;
}

static size_t put_hex(uint8_t *to, const char *hex) {
    size_t n = 0;

    for (; hex[0] && hex[1] && n < 64; hex += 2) {
        char byte[3] = {hex[0], hex[1], 0};

        to[n++] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return n;
}

/* Data as in a zone file to data as in a message; 0: none. data has room for 600 bytes. */
static size_t zone_data(int type, char *text, uint8_t *data) {
    unsigned v[3];
    int skip = 0;
    size_t n;

    text[strcspn(text, "\n")] = 0;
    switch (type) {
    case T_A:
        return inet_pton(AF_INET, text, data) == 1 ? 4 : 0;
    case T_AAAA:
        return inet_pton(AF_INET6, text, data) == 1 ? 16 : 0;
    case T_CNAME:
    case T_PTR:
        return put_name(data, text);
    case T_TXT:
        n = strlen(text) > 255 ? 255 : strlen(text);
        data[0] = (uint8_t)n;
        memcpy(data + 1, text, n);
        return n + 1;
    case T_SSHFP:
        if (sscanf(text, "%u %u %n", &v[0], &v[1], &skip) != 2)
            return 0;
        data[0] = (uint8_t)v[0];
        data[1] = (uint8_t)v[1];
        return 2 + put_hex(data + 2, text + skip);
    case T_SRV:
        if (sscanf(text, "%u %u %u %n", &v[0], &v[1], &v[2], &skip) != 3)
            return 0;
        for (size_t i = 0; i < 3; i++)
            put16(data + 2 * i, v[i]);
        return 6 + put_name(data + 6, text + skip);
    default:
        return 0;
    }
}

static int type_number(const char *name) {
    static const struct {
        const char *name;
        int type;
    } types[] = {{"A", T_A},     {"AAAA", T_AAAA}, {"CNAME", T_CNAME}, {"PTR", T_PTR},
                 {"TXT", T_TXT}, {"SRV", T_SRV},   {"SSHFP", T_SSHFP}};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(name, types[i].name) == 0)
            return types[i].type;
    return 0;
}

/* What the zone file says of the name: records of the type asked for, and aliases. */
static void from_zone(struct answer *a, const char *name, int type) {
    char line[512], owner[NAME_SIZE], kind[16];
    uint8_t data[600];
    FILE *f = zone_path ? fopen(zone_path, "re") : NULL;

    while (f && fgets(line, sizeof line, f)) {
        int at = 0;

        if (sscanf(line, "%255s IN %15s %n", owner, kind, &at) != 2 || strcasecmp(owner, name) != 0)
            continue;
        int t = type_number(kind);
        size_t n = t == type || t == T_CNAME ? zone_data(t, line + at, data) : 0;

        if (n)
            add_record(a, t, data, n);
    }
    if (f)
        fclose(f);
}

static bool ends_in(const char *name, const char *end) {
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

/* Fills in records; false: there is no such name. */
static bool find(struct answer *a, const char *name, int type) {
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    uint8_t data[NAME_SIZE];

    from_zone(a, name, type);
    if (a->count && a->owner == QUESTION)
        return true;
    if (type == T_PTR &&
        (strcmp(name, "1.0.0.127.in-addr.arpa") == 0 || ends_in(name, ".ip6.arpa"))) {
        add_record(a, T_PTR, data, put_name(data, "server.test"));
        return true;
    }
    if (!ends_in(name, ".test"))
        return false;
    if (type == T_A)
        add_record(a, T_A, v4, sizeof v4);
    if (type == T_AAAA)
        add_record(a, T_AAAA, v6, sizeof v6);
    return true;
}

/* Turns the question in m (n bytes) into its answer; the answer's length, 0: none. */
static size_t reply(uint8_t *m, size_t n, bool stream) {
    char name[NAME_SIZE];
    size_t len = n > 16 ? question_name(m + 12, n - 16, name) : 0;
    struct answer a = {
        .start = m, .at = m + 12 + len + 4, .end = m + MESSAGE, .owner = QUESTION, .count = 0};
    bool big, known = true;

    if (!len || strncmp(name, "silent.", 7) == 0)
        return 0;
    big = strncmp(name, "big.", 4) == 0 && !stream;
    if (!big)
        known = find(&a, name, m[12 + len] << 8 | m[13 + len]);
    m[2] = (uint8_t)(0x84 | (m[2] & 1) | (big ? 2 : 0));
    m[3] = (uint8_t)(0x80 | (strncmp(name, "plain.", 6) == 0 ? 0 : 0x20) | (known ? 0 : 3));
    put16(m + 4, 1);
    put16(m + 6, a.count);
    memset(m + 8, 0, 4);
    return (size_t)(a.at - m);
}

static void serve_stream(void) {
    uint8_t m[2 + MESSAGE];

    while (sr_peer_read(STDIN_FILENO, m, 2)) {
        size_t n = (size_t)m[0] << 8 | m[1];

        if (n > MESSAGE || !sr_peer_read(STDIN_FILENO, m + 2, n))
            return;
        n = reply(m + 2, n, true);
        put16(m, (unsigned)n);
        if (!n || !sr_peer_write(STDIN_FILENO, m, n + 2))
            return;
    }
}

int sr_peer_dns(int argc, char **argv) {
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    struct sockaddr_storage from;
    uint8_t m[MESSAGE];
    int type = 0;
    socklen_t size = sizeof type;

    zone_path = argc > 0 ? argv[0] : NULL;
    if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        perror("sysreach-peer: dns: standard input");
        return 1;
    }
    if (type == SOCK_STREAM) {
        serve_stream();
        return 0;
    }
    while (poll(&p, 1, IDLE_MS) > 0) {
        socklen_t from_size = sizeof from;
        ssize_t n = recvfrom(STDIN_FILENO, m, sizeof m, 0, (struct sockaddr *)&from, &from_size);
        size_t len = n > 0 ? reply(m, (size_t)n, false) : 0;

        if (len)
            sendto(STDIN_FILENO, m, len, 0, (struct sockaddr *)&from, from_size);
    }
    return 0;
}
