/*
 * A scenario's tree of files: made before a run, removed after it.
 *
 * No name can lead out of the tree: each directory on the way is opened with openat2's
 * RESOLVE_BENEATH and without following symlinks, and the last component is made relative to it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>

#include "stage.h"
#include "sys.h"

#define DEEPEST 128 /* levels that are removed; a program under test may have made them */

int sr_tree_open(int top, const char *name, int flags) {
    struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};

    return (int)sr_sys(SYS_openat2, top, name, &how, sizeof how);
}

/* Makes the directory path[0..end) whose parent is there already. */
static void make_step(int top, char *path, size_t end) {
    char next = path[end], *slash;
    int dir = top;

    path[end] = 0;
    slash = strrchr(path, '/');
    if (slash) {
        *slash = 0;
        dir = sr_tree_open(top, path, O_PATH | O_DIRECTORY);
        *slash = '/';
    }
    if (dir >= 0)
        sr_sys(SYS_mkdirat, dir, slash ? slash + 1 : path, 0755);
    if (dir >= 0 && dir != top)
        sr_sys(SYS_close, dir);
    path[end] = next;
}

/* Opens the directory that a name lies in, making those that are missing; *last: the rest. */
static int open_parent(int top, const char *name, const char **last) {
    char path[SR_DEPTH_MAX * (SR_NAME_MAX + 1) + 1];
    const char *slash = strrchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : 0;
    int dir;

    *last = slash ? slash + 1 : name;
    if (!slash)
        return top;
    if (len >= sizeof path)
        return -ENAMETOOLONG;
    memcpy(path, name, len);
    path[len] = 0;
    dir = sr_tree_open(top, path, O_PATH | O_DIRECTORY);
    if (dir != -ENOENT)
        return dir;
    for (size_t i = 1; i <= len; i++)
        if (i == len || path[i] == '/')
            make_step(top, path, i);
    return sr_tree_open(top, path, O_PATH | O_DIRECTORY);
}

static void write_file(int dir, const char *last, const struct sr_scenario *s,
                       const struct sr_node *n) {
    struct sr_content_at at = {0, 0, 0};
    char buf[16384];
    size_t len;
    long fd =
        sr_sys(SYS_openat, dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

    if (fd < 0)
        return;
    while ((len = sr_content_read(s, n->content, &at, buf, sizeof buf)) > 0)
        if (sr_sys(SYS_write, fd, buf, len) != (long)len)
            break; /* the private file system is full: the file stays short */
    if (n->has_size)
        sr_sys(SYS_ftruncate, fd, n->size);
    if (n->has_mode)
        sr_sys(SYS_fchmod, fd, n->mode);
    sr_sys(SYS_close, fd);
}

static void make_node(int top, const struct sr_scenario *s, const struct sr_node *n) {
    const char *last;
    int dir = open_parent(top, n->name.p, &last);

    if (dir < 0)
        return;
    switch (n->kind) {
    case SR_NODE_FILE:
        write_file(dir, last, s, n);
        break;
    case SR_NODE_DIR:
        sr_sys(SYS_mkdirat, dir, last, 0755);
        break;
    case SR_NODE_SYMLINK:
        sr_sys(SYS_symlinkat, n->target.p, dir, last);
        break;
    case SR_NODE_FIFO:
        sr_sys(SYS_mknodat, dir, last, S_IFIFO | 0644, 0);
        break;
    default:
        break;
    }
    if (dir != top)
        sr_sys(SYS_close, dir);
}

/* Modes of directories and all times: last, because making entries needs the one and changes the
 * other. */
static void finish_node(int top, const struct sr_node *n) {
    const struct { int64_t sec, nsec; } times[2] = {{n->mtime, 0}, {n->mtime, 0}};
    bool mode = n->has_mode && (n->kind == SR_NODE_DIR || n->kind == SR_NODE_FIFO);
    const char *last;
    int dir;

    if (!mode && !n->has_mtime)
        return;
    dir = open_parent(top, n->name.p, &last);
    if (dir < 0)
        return;
    if (n->has_mtime)
        sr_sys(SYS_utimensat, dir, last, times, AT_SYMLINK_NOFOLLOW);
    if (mode)
        sr_sys(SYS_fchmodat, dir, last, n->mode);
    if (dir != top)
        sr_sys(SYS_close, dir);
}

void sr_tree_make(int top, const struct sr_scenario *s) {
    for (uint32_t i = 0; i < s->n_nodes; i++)
        make_node(top, s, &s->nodes[i]);
    /* Backwards: what lies in a directory stands after it. */
    for (uint32_t i = s->n_nodes; i-- > 0;)
        finish_node(top, &s->nodes[i]);
}

struct dirent64_raw {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
};

static void wipe(int dir, const char *const *keep, int depth);

static void remove_dir(int parent, const char *name, int depth) {
    const long flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    long fd;

    if (sr_sys(SYS_unlinkat, parent, name, AT_REMOVEDIR) == 0 || depth >= DEEPEST)
        return;
    fd = sr_sys(SYS_openat, parent, name, flags);
    if (fd == -EACCES && sr_sys(SYS_fchmodat, parent, name, 0700) == 0)
        fd = sr_sys(SYS_openat, parent, name, flags);
    if (fd < 0)
        return;
    sr_sys(SYS_fchmod, fd, 0700);
    wipe((int)fd, NULL, depth + 1);
    sr_sys(SYS_close, fd);
    sr_sys(SYS_unlinkat, parent, name, AT_REMOVEDIR);
}

static bool is_kept(const char *name, const char *const *keep) {
    if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
        return true;
    for (; keep && *keep; keep++)
        if (strcmp(name, *keep) == 0)
            return true;
    return false;
}

static void wipe(int dir, const char *const *keep, int depth) {
    _Alignas(struct dirent64_raw) char buf[2048];
    long n;

    sr_sys(SYS_lseek, dir, 0, 0);
    while ((n = sr_sys(SYS_getdents64, dir, buf, sizeof buf)) > 0)
        for (long at = 0; at < n;) {
            struct dirent64_raw *e = (struct dirent64_raw *)(void *)(buf + at);

            at += e->reclen;
            if (is_kept(e->name, keep))
                continue;
            if (e->type == DT_DIR)
                remove_dir(dir, e->name, depth);
            else
                sr_sys(SYS_unlinkat, dir, e->name, 0);
        }
}

/* A program may have given the folder to somebody, or taken its permissions away. */
static void take_back(int dir, unsigned mode) {
    static long uid = -1;
    struct stat now;

    if (uid < 0)
        uid = sr_sys(SYS_geteuid);
    if (sr_sys(SYS_fstat, dir, &now))
        return;
    if ((long)now.st_uid != uid)
        sr_sys(SYS_fchown, dir, uid, sr_sys(SYS_getegid));
    if ((now.st_mode & 07777) != mode || (long)now.st_uid != uid)
        sr_sys(SYS_fchmod, dir, mode);
}

void sr_tree_wipe(int dir, unsigned mode, const char *const keep[]) {
    take_back(dir, mode);
    wipe(dir, keep, 0);
}
