/*
 * Set files in memory, and reading and writing whole files.
 *
 * What a file holds is told from its content, not from its name. Input may be anything; it is
 * bounded in size, and bytes of it that stand in a message are made harmless.
 */
#include "setfile.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "names.h"

struct sr_setfile *sr_setfile_new(void) {
    struct sr_setfile *sf = calloc(1, sizeof *sf);

    if (sf && !(sf->u = sr_union_new())) {
        free(sf);
        return NULL;
    }
    return sf;
}

void sr_setfile_free(struct sr_setfile *sf) {
    if (!sf)
        return;
    for (unsigned i = 0; i < sf->n_keys; i++) {
        free(sf->keys[i].key);
        free(sf->keys[i].value);
    }
    json_decref(sf->more);
    sr_union_close(sf->u);
    free(sf);
}

/* Keys with a meaning are no keys that a caller may add: they would be read back as that. */
bool sr_setfile_is_key(const char *key) {
    static const char *const taken[] = {"arch",     "image",  "build-id",        "calls",
                                        "startup",  "object", "object-build-id", "incomplete",
                                        "attempted"};

    if (!*key || strlen(key) > 40 ||
        strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789- ") != strlen(key))
        return false;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (strcmp(key, taken[i]) == 0)
            return false;
    return key[0] != ' ';
}

bool sr_setfile_is_build_id(const char *text) {
    size_t len = strlen(text);

    return len < SR_BUILD_ID_BYTES &&
           (strspn(text, "0123456789abcdef") == len || strcmp(text, SR_SETFILE_DIFFERS) == 0);
}

bool sr_setfile_key(struct sr_setfile *sf, const char *key, const char *format, ...) {
    char *k, *v = NULL;
    va_list args;
    int n;

    if (sf->n_keys == SR_SETFILE_KEYS || !sr_setfile_is_key(key) || !(k = strdup(key)))
        return false;
    va_start(args, format);
    n = vasprintf(&v, format, args);
    va_end(args);
    if (n < 0) {
        free(k);
        return false;
    }
    sf->keys[sf->n_keys].key = k;
    sf->keys[sf->n_keys++].value = v;
    return true;
}

struct sr_set sr_setfile_image_set(const struct sr_setfile *sf, unsigned slot) {
    struct sr_set set;

    sr_set_clear(&set);
    sr_set_merge(&set, &sf->u->images[slot].calls);
    sr_set_merge(&set, &sf->u->images[slot].startup);
    return set;
}

void sr_setfile_sum(struct sr_setfile *sf) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, i)) {
            sr_set_merge(&sf->body, &sf->u->images[i].calls);
            sr_set_merge(&sf->body, &sf->u->images[i].startup);
        }
}

void sr_setfile_find_build_ids(struct sr_setfile *sf) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(sf->u, i);

        if (path && !sf->build_id[i][0])
            sr_build_id(path, sf->build_id[i]);
    }
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

int sr_setfile_image(const struct sr_setfile *sf, const char *name) {
    int found = -ENOENT;

    for (int i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(sf->u, (unsigned)i);

        if (path && strcmp(path, name) == 0)
            return i;
        if (path && !strchr(name, '/') && strcmp(base_name(path), name) == 0)
            found = found == -ENOENT ? i : -ENOTUNIQ;
    }
    return found;
}

int sr_setfile_object(struct sr_setfile *sf, unsigned image, const char *path) {
    sr_union_object(sf->u, image, path);
    for (int i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *known = sr_union_object_path(sf->u, (unsigned)i);

        /* Longer paths are cut. */
        if (known && sf->u->objects[i].image == image &&
            strncmp(known, path, SR_PATH_BYTES - 1) == 0)
            return i;
    }
    return -ENOSPC;
}

/* An id that another file states for the same path. */
static void merge_id(char into[SR_BUILD_ID_BYTES], const char from[SR_BUILD_ID_BYTES]) {
    if (!into[0])
        memcpy(into, from, SR_BUILD_ID_BYTES);
    else if (from[0] && strcmp(into, from) != 0)
        memcpy(into, SR_SETFILE_DIFFERS, sizeof SR_SETFILE_DIFFERS);
}

bool sr_setfile_keep_image(struct sr_setfile *sf, unsigned slot) {
    struct sr_setfile *one = sr_setfile_new();
    const char *path = sr_union_image_path(sf->u, slot);
    int at = one && path ? sr_union_image(one->u, path) : -1;
    struct sr_union *u;

    if (at < 0) {
        sr_setfile_free(one);
        return false;
    }
    one->u->images[at].calls = sf->u->images[slot].calls;
    one->u->images[at].startup = sf->u->images[slot].startup;
    one->u->images[at].attempted = sf->u->images[slot].attempted;
    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const char *name = sr_union_role_name(sf->u, i);

        if (name && sf->u->roles[i].image == slot) {
            one->u->roles[i] = sf->u->roles[i];
            one->u->roles[i].image = (uint32_t)at;
        }
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *object = sr_union_object_path(sf->u, i);
        int to = object && sf->u->objects[i].image == slot
                     ? sr_setfile_object(one, (unsigned)at, object)
                     : -1;

        if (to >= 0)
            merge_id(one->object_id[to], sf->object_id[i]);
    }
    merge_id(one->build_id[at], sf->build_id[slot]);
    memcpy(sf->build_id, one->build_id, sizeof sf->build_id);
    memcpy(sf->object_id, one->object_id, sizeof sf->object_id);
    u = sf->u;
    sf->u = one->u;
    one->u = u;
    sr_setfile_free(one);
    sf->body = sr_setfile_image_set(sf, (unsigned)at);
    return true;
}

bool sr_setfile_merge(struct sr_setfile *into, const struct sr_setfile *from) {
    sr_set_merge(&into->body, &from->body);
    sr_union_merge(into->u, from->u);
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(from->u, i);
        int slot = path ? sr_union_image(into->u, path) : -1;

        if (slot >= 0)
            merge_id(into->build_id[slot], from->build_id[i]);
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *path = from->object_id[i][0] ? sr_union_object_path(from->u, i) : NULL;
        const char *of = path ? sr_union_image_path(from->u, from->u->objects[i].image) : NULL;
        int image = of ? sr_union_image(into->u, of) : -1;
        int slot = image >= 0 ? sr_setfile_object(into, (unsigned)image, path) : -1;

        if (slot >= 0)
            merge_id(into->object_id[slot], from->object_id[i]);
    }
    return into->u->names_lost == 0;
}

char *sr_setfile_escape(const char *s, bool ascii) {
    char *out = malloc(4 * strlen(s) + 1), *o = out;

    if (!out)
        return NULL;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        switch (c) {
        case '\n':
            o = stpcpy(o, "\\n");
            break;
        case '\t':
            o = stpcpy(o, "\\t");
            break;
        case '\r':
            o = stpcpy(o, "\\r");
            break;
        case '\\':
            o = stpcpy(o, "\\\\");
            break;
        default:
            if (c < ' ' || c == 0x7f || (ascii && c >= 0x80))
                o += sprintf(o, "\\x%02x", c);
            else
                *o++ = (char)c;
        }
    }
    *o = 0;
    return out;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sr_setfile_unescape(char *s) {
    char *o = s;

    while (*s) {
        if (*s != '\\') {
            *o++ = *s++;
            continue;
        }
        switch (s[1]) {
        case 'n':
            *o = '\n';
            break;
        case 't':
            *o = '\t';
            break;
        case 'r':
            *o = '\r';
            break;
        case '\\':
            *o = '\\';
            break;
        case 'x':
            if (hex_digit(s[2]) < 0 || hex_digit(s[3]) < 0)
                return false;
            *o = (char)(hex_digit(s[2]) << 4 | hex_digit(s[3]));
            if (!*o)
                return false;
            s += 2;
            break;
        default:
            return false;
        }
        o++;
        s += 2;
    }
    *o = 0;
    return true;
}

bool sr_setfile_fail(struct sr_setfile_error *err, const char *name, const char *where,
                     const char *format, ...) {
    va_list args;
    int n = snprintf(err->text, sizeof err->text, "%.300s: %s%s", name, where, *where ? ": " : "");

    va_start(args, format);
    if (n >= 0 && (size_t)n < sizeof err->text)
        vsnprintf(err->text + n, sizeof err->text - (size_t)n, format, args);
    va_end(args);
    /* Pieces of the input stand in it: nothing of them may reach a terminal as a control. */
    for (char *c = err->text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    return false;
}

bool sr_setfile_unknown_call(struct sr_setfile_error *err, const char *name, const char *where,
                             const char *call, size_t len) {
    char other[SR_CALL_NAME_BYTES];
    struct sr_call c;
    int shown = len < 60 ? (int)len : 60;

    snprintf(other, sizeof other, "i386:%.*s", shown < 50 ? shown : 50, call);
    if (sr_call_parse(other, strlen(other), &c))
        return sr_setfile_fail(err, name, where,
                               "'%.*s' is no x86-64 call; write %s for the i386 one", shown, call,
                               other);
    return sr_setfile_fail(err, name, where,
                           "'%.*s' is no system call known to %s; write #NNN for a number", shown,
                           call, sr_call_source());
}

struct sr_setfile *sr_setfile_parse(const char *name, const char *bytes, size_t len,
                                    struct sr_setfile_error *err) {
    struct sr_setfile *sf = sr_setfile_new();
    size_t at = 0;
    bool ok;

    err->text[0] = 0;
    if (!sf) {
        sr_setfile_fail(err, name, "", "out of memory; free some");
        return NULL;
    }
    while (at < len && strchr(" \t\r\n", bytes[at]) && bytes[at])
        at++;
    if (at < len && (bytes[at] == '[' || bytes[at] == '{'))
        ok = sr_setjson_parse(sf, name, bytes, len, err);
    else
        ok = sr_settext_parse(sf, name, bytes, len, err);
    if (!ok) {
        sr_setfile_free(sf);
        return NULL;
    }
    return sf;
}

/* All of a descriptor, in memory from malloc. */
static char *slurp(int fd, const char *name, size_t *len, struct sr_setfile_error *err) {
    size_t cap = 1u << 16, n = 0;
    char *buf = malloc(cap);

    while (buf) {
        ssize_t got = read(fd, buf + n, cap - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            sr_setfile_fail(err, name, "", "%s; check the file", strerror(errno));
            break;
        }
        if (got == 0) {
            *len = n;
            return buf;
        }
        n += (size_t)got;
        if (n > SR_SETFILE_BYTES_MAX) {
            sr_setfile_fail(err, name, "", "larger than %u MiB, so no set; check the name",
                            SR_SETFILE_BYTES_MAX >> 20);
            break;
        }
        if (n == cap) {
            char *more = realloc(buf, cap *= 2);

            if (!more)
                break;
            buf = more;
        }
    }
    if (!err->text[0])
        sr_setfile_fail(err, name, "", "out of memory; free some");
    free(buf);
    return NULL;
}

static struct sr_setfile *read_union(const char *path, struct sr_setfile_error *err) {
    const struct sr_union *u;
    struct sr_setfile *sf;
    int e = sr_union_open_ro(path, &u);

    if (e) {
        sr_setfile_fail(err, path, "", "%s; name a campaign folder or a set file",
                        e == -ENOENT   ? "no such file, so its folder is no campaign"
                        : e == -EINVAL ? "no union of this version of sysreach, or cut short"
                                       : strerror(-e));
        return NULL;
    }
    sf = sr_setfile_new();
    if (sf) {
        sr_union_merge(sf->u, u);
        sr_setfile_sum(sf);
    } else {
        sr_setfile_fail(err, path, "", "out of memory; free some");
    }
    sr_union_close(u);
    return sf;
}

struct sr_setfile *sr_setfile_read(const char *path, struct sr_setfile_error *err) {
    bool is_stdin = strcmp(path, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct sr_setfile *sf = NULL;
    char *bytes = NULL, folder_union[4096];
    struct stat st;
    size_t len;

    err->text[0] = 0;
    if (fd < 0 || fstat(fd, &st)) {
        sr_setfile_fail(err, path, "", "%s; check the name", strerror(errno));
    } else if (S_ISDIR(st.st_mode)) {
        if (snprintf(folder_union, sizeof folder_union, "%s/union", path) <
            (int)sizeof folder_union)
            sf = read_union(folder_union, err);
        else
            sr_setfile_fail(err, path, "", "%s; check the name", strerror(ENAMETOOLONG));
    } else {
        bytes = slurp(fd, path, &len, err);
        if (bytes && !is_stdin && len >= sizeof SR_UNION_MAGIC &&
            memcmp(bytes, SR_UNION_MAGIC, sizeof SR_UNION_MAGIC) == 0)
            sf = read_union(path, err);
        else if (bytes)
            sf = sr_setfile_parse(is_stdin ? "stdin" : path, bytes, len, err);
    }
    free(bytes);
    if (fd >= 0 && !is_stdin)
        close(fd);
    return sf;
}

static int write_all(FILE *to, const struct sr_setfile *sf, bool json) {
    errno = 0;
    if (!(json ? sr_setfile_write_json(to, sf) : sr_setfile_write(to, sf)))
        return -ENOMEM;
    if (fflush(to) || ferror(to))
        return errno ? -errno : -EIO;
    return 0;
}

int sr_setfile_save(const char *path, const struct sr_setfile *sf, bool json) {
    char tmp[4096];
    struct stat st;
    FILE *to;
    int err;

    if (!path || strcmp(path, "-") == 0)
        return write_all(stdout, sf, json);
    /* A device or a pipe is written to, and a symbolic link is followed. */
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        to = fopen(path, "we");
        if (!to)
            return -errno;
        err = write_all(to, sf, json);
        return fclose(to) && !err ? -errno : err;
    }
    if (snprintf(tmp, sizeof tmp, "%s.%d", path, (int)getpid()) >= (int)sizeof tmp)
        return -ENAMETOOLONG;
    to = fopen(tmp, "wxe");
    if (!to)
        return -errno;
    err = write_all(to, sf, json);
    if (fclose(to) && !err)
        err = -errno;
    if (!err && rename(tmp, path))
        err = -errno;
    if (err)
        unlink(tmp);
    return err;
}
