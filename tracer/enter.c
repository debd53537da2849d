/*
 * The stage's child side, see stage.h: a process becomes what its scenario says, just before the
 * program's main (hook) or its exec (replay).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "stage.h"
#include "sys.h"

/* asm-generic/ioctls.h; opens the terminal's own side without a path. */
#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static const int resource[SR_LIMITS] = {
    [SR_LIMIT_AS] = RLIMIT_AS,         [SR_LIMIT_CORE] = RLIMIT_CORE,
    [SR_LIMIT_CPU] = RLIMIT_CPU,       [SR_LIMIT_DATA] = RLIMIT_DATA,
    [SR_LIMIT_FSIZE] = RLIMIT_FSIZE,   [SR_LIMIT_MEMLOCK] = RLIMIT_MEMLOCK,
    [SR_LIMIT_NOFILE] = RLIMIT_NOFILE, [SR_LIMIT_NPROC] = RLIMIT_NPROC,
    [SR_LIMIT_STACK] = RLIMIT_STACK,
};

static void set_limits(const struct sr_scenario *s) {
    for (int i = 0; i < SR_LIMITS; i++) {
        uint64_t l[2] = {s->limit[i], s->limit[i]}, now[2];

        if (!s->has_limit[i])
            continue;
        /* Without privilege a limit above the hard one fails: then as high as it goes. */
        if (sr_sys(SYS_prlimit64, 0, resource[i], l, 0) &&
            !sr_sys(SYS_prlimit64, 0, resource[i], 0, now)) {
            l[0] = l[1] = now[1];
            sr_sys(SYS_prlimit64, 0, resource[i], l, 0);
        }
    }
}

/* The descriptor that stands behind a standard one; -1: none. */
static int source(const struct sr_stage *st, const struct sr_scenario *s, int fd, int terminal,
                  int connection) {
    switch (s->stdio[fd]) {
    case SR_STDIO_FILE:
        return st->file[fd];
    case SR_STDIO_PIPE:
        return fd == 0 ? st->in_read : st->out[fd - 1][1];
    case SR_STDIO_PTY:
        return terminal;
    case SR_STDIO_CLOSED:
        return -1;
    case SR_STDIO_FULL:
        return st->full;
    case SR_STDIO_INET:
        return connection < 0 ? st->null : connection;
    default:
        return st->null;
    }
}

/* Above 2, whatever was free; takes the old one. */
static long above_stdio(long fd) {
    long up;

    if (fd < 0 || fd > 2)
        return fd;
    up = sr_sys(SYS_fcntl, fd, F_DUPFD, 3);
    sr_sys(SYS_close, fd);
    return up;
}

static int open_terminal(const struct sr_stage *st) {
    long fd = above_stdio(sr_sys(SYS_ioctl, st->pty, TIOCGPTPEER, O_RDWR | O_NOCTTY));

    if (fd < 0)
        return (int)fd;
    sr_sys(SYS_ioctl, fd, TIOCSCTTY, 0);
    return (int)fd;
}

static int set_stdio(const struct sr_stage *st, const struct sr_scenario *s) {
    int terminal = st->pty >= 0 ? open_terminal(st) : -1;
    /* Waits for the client; fails where none can come any more (tracer/peers.c). */
    int connection = st->inet >= 0 ? (int)above_stdio(sr_sys(SYS_accept4, st->inet, 0, 0, 0)) : -1;

    if (st->pty >= 0 && terminal < 0)
        return terminal;
    for (int fd = 0; fd < 3; fd++) {
        int from = source(st, s, fd, terminal, connection);

        if (from < 0)
            sr_sys(SYS_close, fd);
        else
            sr_sys(SYS_dup3, from, fd, 0);
    }
    return (int)sr_sys(SYS_close_range, 3, ~0u, 0);
}

/* What the program and its peers have alike. */
static void enter_place(const struct sr_stage *st, const struct sr_scenario *s) {
    const uint64_t no_signals = 0;
    int dir;

    sr_sys(SYS_fchdir, st->top);
    if (s->cwd.p) {
        dir = sr_tree_open(st->top, s->cwd.p, O_PATH | O_DIRECTORY);
        if (dir >= 0)
            sr_sys(SYS_fchdir, dir); /* closed with all others later */
    }
    sr_sys(SYS_umask, s->has_umask ? s->umask : 022);
    sr_sys(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, 0, sizeof no_signals);
}

int sr_stage_enter(const struct sr_stage *st, const struct sr_scenario *s) {
    int err;

    /* A session of its own: kill(0) stays in it, and a terminal can be its controlling one. */
    sr_sys(SYS_setsid);
    if (!st->made) {
        sr_sys(SYS_umask, 0);
        sr_tree_make(st->top, s);
    }
    enter_place(st, s);
    err = set_stdio(st, s);
    set_limits(s);
    return err;
}

int sr_stage_enter_peer(const struct sr_stage *st, const struct sr_scenario *s, int stdio) {
    int out = st->out[1][1];

    sr_sys(SYS_setsid);
    enter_place(st, s);
    if (stdio >= 0)
        sr_sys(SYS_fcntl, stdio, F_SETFL, 0); /* accepted from a listener that does not block */
    sr_sys(SYS_dup3, stdio < 0 ? st->null : stdio, 0, 0);
    sr_sys(SYS_dup3, stdio < 0 ? out : stdio, 1, 0);
    sr_sys(SYS_dup3, out, 2, 0);
    return (int)sr_sys(SYS_close_range, 3, ~0u, 0);
}
