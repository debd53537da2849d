/*
 * The loader's search, in its order: DT_RPATH of the object and its loaders (unless the object has
 * DT_RUNPATH), DT_RUNPATH, ld.so.cache, the default folders; in each folder the glibc-hwcaps
 * subdirectories that this processor can use come first. musl's is simpler: RUNPATH or RPATH of the
 * object and its loaders, then the folders of /etc/ld-musl-x86_64.path or three fixed ones.
 *
 * Files of another class or machine are passed over, as the loader does on systems with several.
 */
#include "search.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ldcache.h"

#define CACHE_MAX   (32U << 20)
#define FOLDERS_MAX 1024 /* of one RPATH: each costs a few opens for each name */

static const char *const default_folders[] = {
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};
#define N_DEFAULT (sizeof default_folders / sizeof *default_folders)

struct sr_search {
    int root;        /* -1: this system's */
    char *root_path; /* real path of the root; "" where it is / */
    const char *lib; /* what $LIB stands for */
    const char *hwcaps[4];
    struct sr_ldcache *cache; /* or NULL */
    char *musl;               /* its folders; NULL: the loader is glibc's */
};

void sr_found_clear(struct sr_found *f) {
    free(f->path);
    free(f->real);
    free(f->file);
    memset(f, 0, sizeof *f);
}

/* An O_PATH descriptor, or negative errno. */
static int open_in(const struct sr_search *s, const char *path) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int fd = -1;

    if (s->root < 0) {
        fd = open(path, O_PATH | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
    }
    /* EAGAIN: something was renamed meanwhile, and the kernel will not guess. */
    for (int tries = 0; tries < 16; tries++) {
        fd = (int)syscall(SYS_openat2, s->root, path, &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return fd < 0 ? -errno : fd;
}

static char *real_path_of(int fd) {
    char link[64], buf[PATH_MAX];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, buf, sizeof buf - 1);
    if (n <= 0)
        return NULL;
    buf[n] = 0;
    return strdup(buf);
}

/* Another machine's, or another class: the search goes on. */
static bool passed_over(int path_fd) {
    char link[64];
    Elf64_Ehdr h;
    ssize_t n;
    int fd;

    snprintf(link, sizeof link, "/proc/self/fd/%d", path_fd);
    fd = open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return true;
    n = pread(fd, &h, offsetof(Elf64_Ehdr, e_version), 0);
    close(fd);
    if (n < (ssize_t)offsetof(Elf64_Ehdr, e_version) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0)
        return false; /* damaged: that ends the search, with an error when it is read */
    return h.e_ident[EI_CLASS] != ELFCLASS64 || h.e_machine != EM_X86_64;
}

static int describe(const struct sr_search *s, int fd, const char *path, struct sr_found *out) {
    size_t prefix = strlen(s->root_path);
    struct stat st;

    memset(out, 0, sizeof *out);
    if (fstat(fd, &st) < 0)
        return -errno;
    out->dev = st.st_dev;
    out->ino = st.st_ino;
    out->path = strdup(path);
    out->file = s->root < 0 ? strdup(path) : real_path_of(fd);
    out->real = real_path_of(fd);
    if (!out->path || !out->file || !out->real) {
        sr_found_clear(out);
        return -ENOMEM;
    }
    if (prefix && strncmp(out->real, s->root_path, prefix) == 0 && out->real[prefix] == '/')
        memmove(out->real, out->real + prefix, strlen(out->real + prefix) + 1);
    return 0;
}

static int find(const struct sr_search *s, const char *path, bool searching, struct sr_found *out) {
    int fd = open_in(s, path), rc;
    struct stat st;

    if (fd < 0)
        return fd;
    if (searching && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || passed_over(fd)))
        rc = -ENOENT;
    else
        rc = describe(s, fd, path, out);
    close(fd);
    return rc;
}

int sr_search_path(const struct sr_search *s, const char *path, struct sr_found *out) {
    return find(s, path, false, out);
}

/* A whole small file and a NUL, from malloc; NULL: not there, not regular, too large. */
static char *read_small(const struct sr_search *s, const char *path, size_t *len) {
    int at = open_in(s, path), fd = -1;
    char *bytes = NULL, link[64];
    struct stat st;
    ssize_t n = -1;

    if (at < 0)
        return NULL;
    if (fstat(at, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= CACHE_MAX) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        fd = open(link, O_RDONLY | O_CLOEXEC);
    }
    if (fd >= 0 && (bytes = malloc((size_t)st.st_size + 1)))
        n = pread(fd, bytes, (size_t)st.st_size, 0);
    if (bytes && n >= 0) {
        bytes[n] = 0;
        *len = (size_t)n;
    } else {
        free(bytes);
        bytes = NULL;
    }
    if (fd >= 0)
        close(fd);
    close(at);
    return bytes;
}

/* Of each level only what compilers of today can ask for; no processor has the one without the
 * rest. */
static void list_hwcaps(struct sr_search *s) {
    bool v2, v3, v4;
    size_t n = 0;

    __builtin_cpu_init();
    v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3") &&
         __builtin_cpu_supports("popcnt");
    v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
    v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
    if (v4)
        s->hwcaps[n++] = "x86-64-v4";
    if (v3)
        s->hwcaps[n++] = "x86-64-v3";
    if (v2)
        s->hwcaps[n] = "x86-64-v2";
}

static int open_root(struct sr_search *s, const char *root) {
    int fd;

    s->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->root < 0)
        return -errno;
    free(s->root_path);
    s->root_path = real_path_of(s->root);
    if (!s->root_path)
        return -ENOMEM;
    if (strcmp(s->root_path, "/") == 0)
        *s->root_path = 0;
    fd = open_in(s, "/");
    if (fd < 0)
        return fd == -EPERM ? -ENOSYS : fd; /* EPERM: an old container's filter */
    close(fd);
    return 0;
}

int sr_search_new(const char *root, struct sr_search **out) {
    struct sr_search *s = calloc(1, sizeof *s);
    size_t len = 0;
    char *bytes;
    int rc, fd;

    *out = NULL;
    if (!s)
        return -ENOMEM;
    s->root = -1;
    s->root_path = strdup("");
    rc = s->root_path ? 0 : -ENOMEM;
    if (rc == 0 && root && *root)
        rc = open_root(s, root);
    if (rc < 0) {
        sr_search_free(s);
        return rc;
    }
    list_hwcaps(s);
    bytes = read_small(s, "/etc/ld.so.cache", &len);
    if (bytes)
        s->cache = sr_ldcache_parse(bytes, len);
    fd = open_in(s, default_folders[0]);
    s->lib = fd < 0 ? "lib64" : "lib/x86_64-linux-gnu";
    if (fd >= 0)
        close(fd);
    *out = s;
    return 0;
}

void sr_search_free(struct sr_search *s) {
    if (!s)
        return;
    if (s->root >= 0)
        close(s->root);
    sr_ldcache_free(s->cache);
    free(s->root_path);
    free(s->musl);
    free(s);
}

void sr_search_loader(struct sr_search *s, const char *interp) {
    const char *slash = strrchr(interp, '/');
    size_t len = 0;

    if (strncmp(slash ? slash + 1 : interp, "ld-musl-", 8) != 0)
        return;
    s->musl = read_small(s, "/etc/ld-musl-x86_64.path", &len);
    if (!s->musl)
        s->musl = strdup("/lib:/usr/local/lib:/usr/lib");
}

bool sr_search_is_musl(const struct sr_search *s) {
    return s->musl != NULL;
}

/* Length of token in text ("ORIGIN" or "{ORIGIN}"), as glibc's is_dst; 0: another one. */
static size_t token(const char *text, const char *name) {
    bool curly = *text == '{';
    size_t n = strlen(name);
    char after;

    text += curly;
    if (strncmp(text, name, n) != 0)
        return 0;
    after = text[n];
    if (curly)
        return after == '}' ? n + 2 : 0;
    return (after >= 'A' && after <= 'Z') || (after >= 'a' && after <= 'z') ||
                   (after >= '0' && after <= '9') || after == '_'
               ? 0
               : n;
}

/* Replaces the tokens of text[0, len). False: too long for a path. */
static bool expand(const struct sr_search *s, const struct sr_search_from *from, const char *text,
                   size_t len, char buf[PATH_MAX]) {
    const struct {
        const char *name, *value;
    } tokens[] = {
        {"ORIGIN", from->origin},
        {"LIB", s->lib},
        {"PLATFORM", s->hwcaps[0] && strcmp(s->hwcaps[0], "x86-64-v2") != 0 ? "haswell" : "x86_64"},
    };
    char text_copy[PATH_MAX];
    size_t used = 0;

    if (len >= sizeof text_copy)
        return false;
    memcpy(text_copy, text, len);
    text_copy[len] = 0;
    for (const char *p = text_copy; *p;) {
        const char *add = p;
        size_t n = 1, skip = 1;

        for (size_t i = 0; *p == '$' && i < sizeof tokens / sizeof *tokens; i++) {
            size_t found = token(p + 1, tokens[i].name);

            if (!found)
                continue;
            add = tokens[i].value;
            n = strlen(add);
            skip = found + 1;
            break;
        }
        if (n >= PATH_MAX - used)
            return false;
        memcpy(buf + used, add, n);
        used += n;
        p += skip;
    }
    buf[used] = 0;
    return true;
}

static int find_in_folder(const struct sr_search *s, const char *folder, const char *name,
                          struct sr_found *out) {
    char path[PATH_MAX];
    size_t len = strlen(folder);

    while (len > 0 && folder[len - 1] == '/')
        len--;
    for (size_t i = 0; !s->musl && s->hwcaps[i]; i++)
        if (snprintf(path, sizeof path, "%.*s/glibc-hwcaps/%s/%s", (int)len, folder, s->hwcaps[i],
                     name) < PATH_MAX &&
            find(s, path, true, out) == 0)
            return 0;
    if (snprintf(path, sizeof path, "%.*s/%s", (int)len, folder, name) >= PATH_MAX)
        return -ENOENT;
    return find(s, path, true, out);
}

/* from NULL: no tokens (musl's own list). */
static int find_in_list(const struct sr_search *s, const char *list,
                        const struct sr_search_from *from, const char *name, struct sr_found *out) {
    const char *separators = from ? ":" : ":\n";
    char folder[PATH_MAX];

    if (!list || !*list)
        return -ENOENT;
    for (int i = 0; i < FOLDERS_MAX; i++) {
        size_t len = strcspn(list, separators);

        if (from ? expand(s, from, list, len, folder) : len < sizeof folder) {
            if (!from) {
                memcpy(folder, list, len);
                folder[len] = 0;
            }
            if (find_in_folder(s, len ? folder : ".", name, out) == 0)
                return 0;
        }
        list += len;
        if (!*list++)
            break;
    }
    return -ENOENT;
}

static int find_glibc(const struct sr_search *s, const char *name,
                      const struct sr_search_from *from, const struct sr_search_from *program,
                      struct sr_found *out) {
    bool had_program = false;
    const char *cached;

    if (!from->object->runpath) {
        for (const struct sr_search_from *l = from; l; l = l->loader) {
            had_program |= l == program;
            /* The program's RPATH is ignored where it has a RUNPATH; a library's is not. */
            if ((l != program || !l->object->runpath) &&
                find_in_list(s, l->object->rpath, l, name, out) == 0)
                return 0;
        }
        if (!had_program && !program->object->runpath &&
            find_in_list(s, program->object->rpath, program, name, out) == 0)
            return 0;
    }
    if (find_in_list(s, from->object->runpath, from, name, out) == 0)
        return 0;
    cached = s->cache ? sr_ldcache_find(s->cache, name, s->hwcaps) : NULL;
    if (cached && find(s, cached, true, out) == 0)
        return 0;
    for (size_t i = 0; i < N_DEFAULT; i++)
        if (find_in_folder(s, default_folders[i], name, out) == 0)
            return 0;
    return -ENOENT;
}

static int find_musl(const struct sr_search *s, const char *name, const struct sr_search_from *from,
                     struct sr_found *out) {
    for (const struct sr_search_from *l = from; l; l = l->loader) {
        const char *list = l->object->runpath ? l->object->runpath : l->object->rpath;

        if (find_in_list(s, list, l, name, out) == 0)
            return 0;
    }
    return find_in_list(s, s->musl, NULL, name, out);
}

int sr_search_needed(struct sr_search *s, const char *name, const struct sr_search_from *from,
                     const struct sr_search_from *program, struct sr_found *out) {
    char path[PATH_MAX];

    if (!expand(s, from, name, strlen(name), path))
        return -ENAMETOOLONG;
    if (strchr(path, '/'))
        return find(s, path, false, out);
    return s->musl ? find_musl(s, path, from, out) : find_glibc(s, path, from, program, out);
}

void sr_search_places(const struct sr_search *s, const char *name,
                      const struct sr_search_from *from, char *buf, size_t size) {
    const struct sr_object *o = from->object;

    if (strchr(name, '/'))
        snprintf(buf, size, "its folder");
    else if (s->musl)
        snprintf(buf, size, "%s", s->musl);
    else
        snprintf(buf, size, "%s%s%s%s/lib, /usr/lib and their folders of 64-bit libraries",
                 o->runpath ? "RUNPATH "
                 : o->rpath ? "RPATH "
                            : "",
                 o->runpath ? o->runpath
                 : o->rpath ? o->rpath
                            : "",
                 o->runpath || o->rpath ? ", " : "", s->cache ? "/etc/ld.so.cache, " : "");
}
