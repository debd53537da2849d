/*
 * A scenario: one input of a program under test, everything that a user could vary.
 *
 * argv, environment, what stands at stdin, stdout and stderr, a tree of files, working directory,
 * limits, signals. Its text form is what people write, AFL++ mutates and reports print; the format
 * is described in docs/scenario.md. The parser is total (every byte string is some scenario) and
 * bounded (the limits below); it makes no system call and allocates nothing: all it needs comes
 * from the caller's arena, so the hook library, the mutator and the command line use the same one.
 */
#ifndef SYSREACH_SCENARIO_H
#define SYSREACH_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sysreach/depth.h"

#define SR_ARGS_MAX        128 /* besides argv[0] */
#define SR_ENVS_MAX        64
#define SR_NODES_MAX       256 /* files, directories, symlinks, fifos */
#define SR_SEGMENTS_MAX    256 /* pieces of content */
#define SR_SIGNALS_MAX     16
#define SR_PEERS_MAX       16 /* before, client and serve lines together */
#define SR_SOCKET_NAME_MAX 90 /* bytes; unix(7) leaves 107 for the whole path */
#define SR_PACE_MAX_MS     1000
#define SR_INET_PORT       22          /* where `stdin inet` listens */
#define SR_CONTENT_MAX     (4u << 20)  /* bytes written to files and stdin together */
#define SR_SIZE_MAX        (16u << 20) /* size= of one file (a hole, if beyond its content) */
#define SR_STRINGS_MAX     (96u << 10) /* bytes of argv and environment together */
#define SR_DEPTH_MAX       8           /* components of a name in the tree */
#define SR_NAME_MAX        255         /* bytes of a component */
#define SR_TIME_DEFAULT_MS 500
#define SR_TIME_MAX_MS     10000
#define SR_TEXT_MAX        (1u << 20) /* bytes of text that the parser reads; the rest is ignored */

enum sr_stdio {                /* what stands at a standard descriptor */
                SR_STDIO_NULL, /* /dev/null */
                SR_STDIO_FILE, /* a regular file (stdin: with the content) */
                SR_STDIO_PIPE, /* stdin: a pipe that holds the content, then end of file; else one
                                  that is read */
                SR_STDIO_PTY,  /* a terminal, the controlling one; stdin's content is typed, then ^D
                                */
                SR_STDIO_CLOSED, /* no descriptor */
                SR_STDIO_FULL,   /* /dev/full: writes fail with ENOSPC */
                SR_STDIO_INET,   /* a TCP connection accepted on SR_INET_PORT, as inetd gives it */
                SR_STDIOS
};

enum sr_node_kind { SR_NODE_FILE, SR_NODE_DIR, SR_NODE_SYMLINK, SR_NODE_FIFO, SR_NODE_KINDS };

enum sr_limit { /* soft and hard limit of the same name, see setrlimit(2) */
                SR_LIMIT_AS,
                SR_LIMIT_CORE,
                SR_LIMIT_CPU,
                SR_LIMIT_DATA,
                SR_LIMIT_FSIZE,
                SR_LIMIT_MEMLOCK,
                SR_LIMIT_NOFILE,
                SR_LIMIT_NPROC,
                SR_LIMIT_STACK,
                SR_LIMITS
};

/* A byte string in the arena; always followed by a NUL that len does not count. */
struct sr_str {
    char *p;
    uint32_t len;
};

/* A piece of content: text, repeat times. The parser joins neighbours with repeat 1 where it can.
 */
struct sr_segment {
    struct sr_str text;
    uint32_t repeat; /* 1 or more */
};

/* segments[first .. first + n - 1] */
struct sr_content {
    uint16_t first, n;
};

struct sr_node {
    enum sr_node_kind kind;
    struct sr_str name;   /* relative, no empty, "." or ".." component */
    struct sr_str target; /* symlinks: any non-empty string */
    struct sr_content content;
    bool has_mode, has_mtime, has_size;
    uint32_t mode; /* 07777 */
    int64_t mtime; /* seconds since the epoch */
    uint32_t size; /* bytes: the file is cut or extended to it */
};

struct sr_signal {
    int signo;      /* 1 to 64 */
    uint32_t after; /* sent when the program's first process makes its after-th call since main */
};

/* What else runs beside the program; commands are for /bin/sh -c, in the scenario's environment and
 * working directory. They belong to the run: recorded, and ended with it. */
enum sr_peer_kind {
    SR_PEER_BEFORE, /* runs to its end before the program begins */
    SR_PEER_CLIENT, /* starts as soon as there is somebody to reach (tracer/peers.h); when the last
                       one has ended, a server that still waits gets SIGTERM */
    SR_PEER_SERVE,  /* starts at each connection (udp: at the first packet), which it gets as
                       standard input and output */
    SR_PEER_KINDS
};

enum sr_net { SR_NET_TCP, SR_NET_UDP, SR_NET_UNIX, SR_NETS };

struct sr_peer {
    enum sr_peer_kind kind;
    enum sr_net net;    /* serve only */
    uint32_t port;      /* serve tcp and udp: 1 to 65535, on loopback (IPv4 and IPv6) */
    struct sr_str name; /* serve unix: as a node's name; p is NULL elsewhere */
    struct sr_str command;
};

struct sr_scenario {
    struct sr_str argv0; /* p is NULL: the program's own path */
    uint32_t n_args, n_envs, n_nodes, n_segments, n_signals;
    struct sr_str args[SR_ARGS_MAX]; /* argv[1] and on */
    struct sr_str envs[SR_ENVS_MAX]; /* NAME=VALUE, names are unique, the last one wins */
    struct sr_node nodes[SR_NODES_MAX];
    struct sr_segment segments[SR_SEGMENTS_MAX];
    struct sr_signal signals[SR_SIGNALS_MAX]; /* sorted by after, stable */
    uint32_t n_peers;
    struct sr_peer peers[SR_PEERS_MAX]; /* in the text's order */
    uint32_t pace_ms; /* stdin pty: 0: typed at once; else each line waits until the terminal has
                         been quiet for so long */
    enum sr_stdio stdio[3];  /* default null, pipe, pipe */
    struct sr_content input; /* stdin's content */
    struct sr_str cwd;       /* p is NULL: the top of the tree; else as a node's name */
    bool has_umask;
    uint32_t umask; /* 0777; default 022 */
    bool has_limit[SR_LIMITS];
    uint64_t limit[SR_LIMITS]; /* bytes, seconds or a count; UINT64_MAX: unlimited */
    uint32_t time_ms;          /* 1 to SR_TIME_MAX_MS */
    uint32_t idle_ms;          /* up to SR_TIME_MAX_MS; 0: it may be idle for all its time */
};

/* Memory that strings are taken from; nothing is given back one by one. */
struct sr_arena {
    char *base;
    size_t size, used;
};

/* Room that sr_scenario_parse can need for one text of the longest kind. */
#define SR_ARENA_BYTES (2 * (size_t)SR_TEXT_MAX + (64u << 10))

/* The scenario that an empty text describes. */
void sr_scenario_init(struct sr_scenario *s);

/*
 * Reads a text on top of what s already holds (a target's base first, then the input). Call
 * sr_scenario_init once before. Never fails: what is no directive, or beyond a bound, has no
 * effect. Strings are copied to the arena; when that is full the rest of the text has no effect.
 */
void sr_scenario_parse(struct sr_scenario *s, struct sr_arena *arena, const void *text, size_t len);

/* The canonical text. complete: begins with "reset", so that no base applies to it any more.
 * Returns the length needed, as snprintf does; writes at most cap bytes, no NUL. */
size_t sr_scenario_print(const struct sr_scenario *s, bool complete, char *buf, size_t cap);

/* Same meaning; pointers and arenas do not matter. */
bool sr_scenario_equal(const struct sr_scenario *a, const struct sr_scenario *b);

/* Words are strings; n may be 0, then SR_DEPTH_SESSION does not occur. */
enum sr_depth sr_scenario_depth(const struct sr_scenario *s, const char *const *words, size_t n);

/* Bytes that a content comes to. */
uint64_t sr_content_size(const struct sr_scenario *s, struct sr_content c);

/* Names as in the text: "pty", "fifo", "nofile"; NULL where out of range. */
const char *sr_stdio_name(enum sr_stdio k);
const char *sr_node_kind_name(enum sr_node_kind k);
const char *sr_limit_name(enum sr_limit l);
const char *sr_peer_kind_name(enum sr_peer_kind k);
const char *sr_net_name(enum sr_net n);

/* "INT" for 2, "RTMIN+3" for the real-time ones; NULL for no signal. Number for a name (with or
 * without SIG, or decimal), 0 for no signal. Written into a static table, no locale. */
const char *sr_signal_name(int signo);
int sr_signal_number(const char *name, size_t len);

#endif
