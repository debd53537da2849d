/*
 * Looks at /proc/self/exe once and derives everything else from it (see paths.h).
 */
#include "paths.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    bool known;
    char self[PATH_MAX], lib[PATH_MAX], targets[PATH_MAX], seeds[PATH_MAX], scripts[PATH_MAX];
} where;

/* False when it does not fit. */
static bool join(char *buf, size_t size, const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);

    if (n + 1 + m + 1 > size) {
        buf[0] = 0;
        return false;
    }
    memcpy(buf, a, n);
    buf[n] = '/';
    memcpy(buf + n + 1, b, m + 1);
    return true;
}

static void parent(char *path) {
    char *slash = strrchr(path, '/');

    if (slash)
        slash[slash == path] = 0;
}

static bool has(const char *folder, const char *name) {
    char path[PATH_MAX];

    return join(path, sizeof path, folder, name) && access(path, F_OK) == 0;
}

static void source_tree(const char *root) {
    join(where.targets, sizeof where.targets, root, "harness/targets");
    join(where.seeds, sizeof where.seeds, root, "seeds");
    join(where.scripts, sizeof where.scripts, root, "harness");
}

static void find(void) {
    char folder[PATH_MAX], cwd[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", where.self, sizeof where.self - 1);

    where.known = true;
    if (n < 0)
        n = 0;
    where.self[n] = 0;
    memcpy(folder, where.self, (size_t)n + 1);
    parent(folder);
    bool built = has(folder, SR_HOOK_LIBRARY);
    if (built)
        memcpy(where.lib, folder, sizeof where.lib);
    parent(folder);
    if (!built) {
        join(where.lib, sizeof where.lib, folder, "lib/sysreach");
        join(where.targets, sizeof where.targets, folder, "share/sysreach/targets");
        join(where.seeds, sizeof where.seeds, folder, "share/sysreach/seeds");
        memcpy(where.scripts, where.lib, sizeof where.scripts);
    } else if (has(folder, "harness/targets") || !getcwd(cwd, sizeof cwd)) {
        source_tree(folder);
    } else {
        source_tree(cwd);
    }
}

const char *sr_paths_lib(void) {
    if (!where.known)
        find();
    return where.lib;
}

const char *sr_paths_self(void) {
    if (!where.known)
        find();
    return where.self;
}

static int existing(const char *folder, const char *name, char *buf, size_t size) {
    return join(buf, size, folder, name) && access(buf, F_OK) == 0 ? 0 : -1;
}

int sr_paths_target(const char *name, char *buf, size_t size) {
    sr_paths_self();
    return existing(where.targets, name, buf, size);
}

int sr_paths_seeds(const char *name, char *buf, size_t size) {
    sr_paths_self();
    return existing(where.seeds, name, buf, size);
}

int sr_paths_script(const char *name, char *buf, size_t size) {
    sr_paths_self();
    return existing(where.scripts, name, buf, size);
}

static int resolve(const char *path, char *buf, size_t size) {
    char full[PATH_MAX];
    struct stat st;

    if (!realpath(path, full) || stat(full, &st) || strlen(full) >= size)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = EACCES;
        return -1;
    }
    memcpy(buf, full, strlen(full) + 1);
    return 0;
}

int sr_paths_program(const char *name, char *buf, size_t size) {
    const char *path = getenv("PATH");
    char candidate[PATH_MAX];

    if (strchr(name, '/'))
        return resolve(name, buf, size);
    for (const char *p = path ? path : "/usr/local/bin:/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        int len = snprintf(candidate, sizeof candidate, "%.*s/%s", (int)n, p, name);
        if (n && len > 0 && (size_t)len < sizeof candidate && access(candidate, X_OK) == 0 &&
            resolve(candidate, buf, size) == 0)
            return 0;
        p += n + (p[n] == ':');
    }
    errno = ENOENT;
    return -1;
}
