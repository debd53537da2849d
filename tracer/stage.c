/*
 * The stage's parent side, see stage.h: descriptors, feeding, draining, cleaning up.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "run.h"
#include "stage.h"
#include "sys.h"

#define LOWEST_FD  256       /* ours stay clear of 0 to 2 and of AFL++'s 198 and 199 */
#define DRAIN_MAX  (8 << 20) /* read at most this much in one go: a program may write for ever */
#define PIPE_BYTES (1 << 20)
#define VEOF_CHAR  4
#define SILENCE    10 /* paces */
#define TOP_MODE   0755

/* Moves a descriptor up; takes the old one. */
static int high(long fd) {
    long up;

    if (fd < 0)
        return (int)fd;
    up = sr_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    sr_sys(SYS_close, fd);
    return (int)up;
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        sr_sys(SYS_close, *fd);
    *fd = -1;
}

static int make_pipe(int ends[2], int nonblocking_end) {
    int p[2];
    long err = sr_sys(SYS_pipe2, p, O_CLOEXEC);

    if (err)
        return (int)err;
    ends[0] = high(p[0]);
    ends[1] = high(p[1]);
    if (ends[0] < 0 || ends[1] < 0)
        return -EMFILE;
    return (int)sr_sys(SYS_fcntl, ends[nonblocking_end], F_SETFL, O_NONBLOCK);
}

/* The folder above the tree, and its last component. */
static int open_above(const char *root, const char **name) {
    char path[4096];
    const char *slash = strrchr(root, '/');
    size_t len = slash ? (size_t)(slash - root) : 0;

    if (!slash || slash == root || len >= sizeof path)
        return -EINVAL;
    memcpy(path, root, len);
    path[len] = 0;
    *name = slash + 1;
    return high(sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int open_top(struct sr_stage *st) {
    const char *name = strrchr(st->root, '/') + 1;

    close_fd(&st->top);
    sr_sys(SYS_mkdirat, st->above, name, TOP_MODE);
    st->top =
        high(sr_sys(SYS_openat, st->above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    return st->top < 0 ? st->top : 0;
}

int sr_stage_init(struct sr_stage *st, const char *root) {
    const char *name;
    struct stat above;
    int err = 0;

    memset(st, 0, sizeof *st);
    st->root = root;
    st->run = st->sshd = st->shm = -1;
    st->top = st->in_read = st->pty = st->echo = st->inet = -1;
    st->file[0] = st->file[1] = st->file[2] = -1;
    st->above = open_above(root, &name);
    if (st->above < 0)
        return st->above;
    err = (int)sr_sys(SYS_fstat, st->above, &above);
    if (!err)
        err = open_top(st);
    if (err)
        return err;
    st->above_mode = above.st_mode & 07777;
    sr_tree_wipe(st->top, TOP_MODE, NULL);
    st->null = high(sr_sys(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
    st->full = high(sr_sys(SYS_openat, AT_FDCWD, "/dev/full", O_RDWR | O_CLOEXEC));
    if (st->null < 0 || st->full < 0)
        return st->null < 0 ? st->null : st->full;
    for (int i = 0; i < 2 && !err; i++) {
        err = make_pipe(st->out[i], 0);
        /* So that output rarely has to wait for us; a smaller one would do. */
        sr_sys(SYS_fcntl, st->out[i][1], F_SETPIPE_SZ, PIPE_BYTES);
    }
    return err;
}

void sr_stage_free(struct sr_stage *st) {
    int *all[] = {&st->above,     &st->top,       &st->null,     &st->full,
                  &st->run,       &st->sshd,      &st->shm,      &st->out[0][0],
                  &st->out[0][1], &st->out[1][0], &st->out[1][1]};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        close_fd(all[i]);
}

static int open_folder(const char *path) {
    return high(sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

int sr_stage_box(struct sr_stage *st) {
    st->run = open_folder("/run");
    st->sshd = open_folder("/run/sshd");
    st->shm = open_folder("/dev/shm");
    if (st->run < 0 || st->sshd < 0)
        return st->run < 0 ? st->run : st->sshd;
    return st->shm < 0 ? st->shm : 0;
}

/* What is kept are mount points; nobody can put anything in their places. */
static void wipe_box(const struct sr_stage *st) {
    static const char *const ours[] = {"sysreach", "fixtures", "sshd", NULL};

    sr_tree_wipe(st->run, 0755, ours);
    sr_tree_wipe(st->sshd, 0755, NULL);
    sr_tree_wipe(st->shm, 01777, NULL);
}

static struct sr_feed *add_feed(struct sr_stage *st, int fd, int node, struct sr_content c) {
    struct sr_feed *f;

    if (st->n_feeds == SR_FEEDS_MAX)
        return NULL;
    f = &st->feeds[st->n_feeds++];
    f->fd = fd;
    f->node = node;
    f->done = false;
    f->content = c;
    f->at = (struct sr_content_at){0, 0, 0};
    f->from = f->to = 0;
    return f;
}

/* Reads on in the content where all that was read is written; false: its end. */
static bool refill(struct sr_feed *f, const struct sr_scenario *s) {
    if (f->from < f->to)
        return true;
    f->from = 0;
    f->to = (uint32_t)sr_content_read(s, f->content, &f->at, f->pending, sizeof f->pending);
    return f->to > 0;
}

/* Writes what fits; true when all is written (or nobody reads any more). */
static bool pour(struct sr_feed *f, const struct sr_scenario *s) {
    for (;;) {
        long n;

        if (!refill(f, s))
            return true;
        n = sr_sys(SYS_write, f->fd, f->pending + f->from, f->to - f->from);
        if (n == -EAGAIN || n == -EINTR)
            return false;
        if (n <= 0)
            return true;
        f->from += (uint32_t)n;
    }
}

/* Types the end of file; a second one where the last line is not finished. */
static void type_eof(struct sr_stage *st, const struct sr_scenario *s) {
    const char eof[2] = {VEOF_CHAR, VEOF_CHAR};
    const struct sr_segment *last =
        s->input.n ? &s->segments[s->input.first + s->input.n - 1] : NULL;
    bool whole = !last || !last->text.len || last->text.p[last->text.len - 1] == '\n';

    sr_sys(SYS_write, st->pty, eof, whole ? 1 : 2);
    st->typed = true;
}

/* The kernel's struct termios, of which only c_lflag matters here; termbits.h. */
struct raw_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line, cc[19];
};

#define RAW_ECHO 0010u

static bool echoes(const struct sr_stage *st) {
    struct raw_termios t;

    return !sr_sys(SYS_ioctl, st->pty, TCGETS, &t) && (t.lflag & RAW_ECHO);
}

/*
 * Whether it is the user's turn: the program has said something since the last line and then
 * nothing for the pace. One that says nothing at all is waited for ten times as long.
 */
static bool is_turn(const struct sr_stage *st, const struct sr_scenario *s) {
    int64_t quiet = sr_clock_ms(CLOCK_MONOTONIC) - st->quiet_ms;

    return quiet >= (int64_t)s->pace_ms * (st->heard > 0 ? 1 : SILENCE);
}

/* Up to the end of the line. */
static uint32_t one_line(const struct sr_feed *f) {
    const char *newline = memchr(f->pending + f->from, '\n', f->to - f->from);

    return newline ? (uint32_t)(newline + 1 - (f->pending + f->from)) : f->to - f->from;
}

/* The next line of what is typed; true when there is none any more. */
static bool type_line(struct sr_stage *st, struct sr_feed *f, const struct sr_scenario *s) {
    bool echo = echoes(st);
    long n;

    if (!refill(f, s))
        return true;
    n = sr_sys(SYS_write, f->fd, f->pending + f->from, one_line(f));
    if (n > 0)
        f->from += (uint32_t)n;
    st->quiet_ms = sr_clock_ms(CLOCK_MONOTONIC);
    st->heard = echo && n > 0 ? -(n + 1) : 0; /* a newline comes back as two bytes */
    return false;
}

static void feed(struct sr_stage *st, struct sr_feed *f, const struct sr_scenario *s) {
    if (f->done)
        return;
    if (f->fd < 0) /* succeeds as soon as there is a reader; fifo(7) */
        f->fd = sr_tree_open(st->top, s->nodes[f->node].name.p, O_WRONLY | O_NONBLOCK);
    bool paced = f->fd >= 0 && f->fd == st->pty && s->pace_ms;
    if (paced && !is_turn(st, s))
        return;
    if (f->fd < 0 || !(paced ? type_line(st, f, s) : pour(f, s)))
        return;
    f->done = true;
    if (f->fd == st->pty)
        type_eof(st, s);
    else
        close_fd(&f->fd);
}

bool sr_stage_will_type(const struct sr_stage *st, const struct sr_scenario *s) {
    return st->pty >= 0 && s->pace_ms && !st->typed;
}

static int open_pty(struct sr_stage *st) {
    const struct winsize size = {24, 80, 0, 0};
    int unlock = 0;
    long err;

    st->pty =
        high(sr_sys(SYS_openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    if (st->pty < 0)
        return st->pty;
    err = sr_sys(SYS_ioctl, st->pty, TIOCSPTLCK, &unlock);
    if (!err)
        err = sr_sys(SYS_ioctl, st->pty, TIOCSWINSZ, &size);
    st->typed = false;
    st->quiet_ms = sr_clock_ms(CLOCK_MONOTONIC);
    st->heard = 0;
    return (int)err;
}

/* A regular file without a name in the folder above the tree. */
static int open_file(const struct sr_stage *st) {
    return high(sr_sys(SYS_openat, st->above, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
}

static int open_input_file(struct sr_stage *st, const struct sr_scenario *s) {
    struct sr_feed f = {.fd = open_file(st), .content = s->input};

    st->file[0] = f.fd;
    if (f.fd < 0)
        return f.fd;
    pour(&f, s);
    return (int)sr_sys(SYS_lseek, f.fd, 0, 0);
}

static int open_input_pipe(struct sr_stage *st, const struct sr_scenario *s) {
    int ends[2], err = make_pipe(ends, 1);
    struct sr_feed *f;

    if (err)
        return err;
    st->in_read = ends[0];
    if (sr_content_size(s, s->input) > 65536)
        sr_sys(SYS_fcntl, ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    f = add_feed(st, ends[1], -1, s->input);
    feed(st, f, s);
    return 0;
}

int sr_stage_open(struct sr_stage *st, const struct sr_scenario *s) {
    bool pty = false;
    int err = 0;

    for (int i = 0; i < 3; i++)
        pty |= s->stdio[i] == SR_STDIO_PTY;
    if (pty)
        err = open_pty(st);
    if (!err && s->stdio[0] == SR_STDIO_FILE)
        err = open_input_file(st, s);
    if (!err && s->stdio[0] == SR_STDIO_PIPE)
        err = open_input_pipe(st, s);
    if (!err && s->stdio[0] == SR_STDIO_PTY)
        add_feed(st, st->pty, -1, s->input);
    for (int i = 1; i < 3 && !err; i++)
        if (s->stdio[i] == SR_STDIO_FILE && (st->file[i] = open_file(st)) < 0)
            err = st->file[i];
    for (uint32_t i = 0; i < s->n_nodes; i++)
        if (s->nodes[i].kind == SR_NODE_FIFO)
            add_feed(st, -1, (int)i, s->nodes[i].content);
    return err;
}

/* How much came. */
static long drain(const struct sr_stage *st, int fd) {
    char buf[16384];
    long n, total = 0;

    while (total < DRAIN_MAX && (n = sr_sys(SYS_read, fd, buf, sizeof buf)) > 0) {
        total += n;
        if (st->echo >= 0)
            sr_sys(SYS_write, st->echo, buf, n);
    }
    return total;
}

static void drain_pty(struct sr_stage *st) {
    long n = st->pty >= 0 ? drain(st, st->pty) : 0;

    if (n > 0) {
        st->heard += n;
        st->quiet_ms = sr_clock_ms(CLOCK_MONOTONIC);
    }
}

void sr_stage_make(struct sr_stage *st, const struct sr_scenario *s) {
    long mask = sr_sys(SYS_umask, 0);

    sr_tree_make(st->top, s);
    sr_sys(SYS_umask, mask);
    st->made = true;
}

void sr_stage_serve(struct sr_stage *st, const struct sr_scenario *s) {
    drain(st, st->out[0][0]);
    drain(st, st->out[1][0]);
    drain_pty(st);
    for (uint32_t i = 0; i < st->n_feeds; i++)
        feed(st, &st->feeds[i], s);
}

static void echo_file(const struct sr_stage *st, int fd) {
    if (st->echo < 0 || fd < 0)
        return;
    sr_sys(SYS_lseek, fd, 0, 0);
    drain(st, fd);
}

void sr_stage_close(struct sr_stage *st) {
    struct stat now;
    const char *const keep[] = {strrchr(st->root, '/') + 1, NULL};

    drain(st, st->out[0][0]);
    drain(st, st->out[1][0]);
    drain_pty(st);
    echo_file(st, st->file[1]);
    echo_file(st, st->file[2]);
    for (uint32_t i = 0; i < st->n_feeds; i++)
        if (st->feeds[i].fd != st->pty)
            close_fd(&st->feeds[i].fd);
    st->n_feeds = 0;
    close_fd(&st->in_read);
    close_fd(&st->pty);
    for (int i = 0; i < 3; i++)
        close_fd(&st->file[i]);
    sr_tree_wipe(st->top, TOP_MODE, NULL);
    sr_tree_wipe(st->above, st->above_mode, keep);
    if (st->run >= 0)
        wipe_box(st);
    /* The program may have removed or replaced the top itself. */
    if (sr_sys(SYS_fstat, st->top, &now) || !now.st_nlink)
        open_top(st);
}
