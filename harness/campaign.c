/*
 * The folder's paths and conf, and the small files that lie in it.
 */
#include "campaign.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "layout.h"

#define CONF_BYTES_MAX (64u << 10)
#define CONF_KEYS_MAX  64

char *sr_campaign_path(const struct sr_campaign *c, const char *name, char buf[PATH_MAX]) {
    int n = snprintf(buf, PATH_MAX, "%s/%s", c->dir, name);

    return n > 0 && n < PATH_MAX ? buf : NULL;
}

char *sr_file_read(const char *path, size_t max, size_t *len) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    char *buf = NULL;
    size_t used = 0;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
        errno = EINVAL;
    else if (st.st_size > (off_t)max)
        errno = EFBIG;
    else
        buf = malloc((size_t)st.st_size + 1);
    while (buf && used < (size_t)st.st_size) {
        ssize_t n = read(fd, buf + used, (size_t)st.st_size - used);
        if (n < 0) {
            free(buf);
            buf = NULL;
        } else if (n == 0) {
            break;
        } else {
            used += (size_t)n;
        }
    }
    close(fd);
    if (buf) {
        buf[used] = 0;
        if (len)
            *len = used;
    }
    return buf;
}

int sr_file_write(const char *path, const void *data, size_t len) {
    char tmp[PATH_MAX];
    const char *p = data;
    int fd, err = 0;

    if (snprintf(tmp, sizeof tmp, "%s.tmp", path) >= (int)sizeof tmp)
        return -ENAMETOOLONG;
    fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    while (len && !err) {
        ssize_t n = write(fd, p, len);
        if (n < 0) {
            err = -errno;
        } else {
            p += n;
            len -= (size_t)n;
        }
    }
    if (close(fd) && !err)
        err = -errno;
    if (!err && rename(tmp, path))
        err = -errno;
    if (err)
        unlink(tmp);
    return err;
}

size_t sr_pairs_parse(char *text, struct sr_pair out[], size_t max) {
    size_t n = 0;

    for (char *line = text, *next; line && *line && n < max; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *space = strchr(line, ' ');
        if (!*line || *line == '#')
            continue;
        if (space)
            *space++ = 0;
        out[n++] = (struct sr_pair){line, space ? space : ""};
    }
    return n;
}

const char *sr_pairs_get(const struct sr_pair pairs[], size_t n, const char *key) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

static void copy(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from ? from : "");
}

static uint64_t number(const struct sr_pair *pairs, size_t n, const char *key) {
    const char *value = sr_pairs_get(pairs, n, key);

    return value ? strtoull(value, NULL, 10) : 0;
}

int sr_campaign_open(const char *dir, struct sr_campaign *out) {
    struct sr_pair pairs[CONF_KEYS_MAX];
    char path[PATH_MAX], *text;
    size_t n;

    memset(out, 0, sizeof *out);
    if (!realpath(dir, out->dir)) {
        sr_error("%s: %s; name the folder of a campaign", dir, strerror(errno));
        return -1;
    }
    text =
        sr_campaign_path(out, SR_DIR_CONF, path) ? sr_file_read(path, CONF_BYTES_MAX, NULL) : NULL;
    if (!text) {
        sr_error("%s: no campaign folder: %s: %s; `sysreach fuzz` makes one", dir, SR_DIR_CONF,
                 strerror(errno));
        return -1;
    }
    n = sr_pairs_parse(text, pairs, CONF_KEYS_MAX);
    bool ok = number(pairs, n, "version") == SR_CAMPAIGN_VERSION;
    if (ok) {
        copy(out->program, sizeof out->program, sr_pairs_get(pairs, n, "program"));
        copy(out->execute, sizeof out->execute, sr_pairs_get(pairs, n, "execute"));
        copy(out->target, sizeof out->target, sr_pairs_get(pairs, n, "target"));
        copy(out->reference, sizeof out->reference, sr_pairs_get(pairs, n, "reference"));
        out->created_ms = number(pairs, n, "created_ms");
        out->instances = (unsigned)number(pairs, n, "instances");
        out->grace_ms = (unsigned)number(pairs, n, "grace_ms");
        out->map_size = (unsigned)number(pairs, n, "map_size");
        out->instrumented = number(pairs, n, "instrumented") != 0;
        out->has_seed = sr_pairs_get(pairs, n, "seed") != NULL;
        out->seed = number(pairs, n, "seed");
        ok = out->program[0] == '/' && out->execute[0] == '/' && out->instances >= 1 &&
             out->instances <= SR_INSTANCES_MAX;
    }
    free(text);
    if (!ok)
        sr_error("%s: %s is damaged or of another version; the set itself can still be read from "
                 "%s/%s",
                 dir, SR_DIR_CONF, dir, SR_DIR_UNION);
    return ok ? 0 : -1;
}

int sr_campaign_save(const struct sr_campaign *c) {
    char path[PATH_MAX], *text = NULL;
    size_t len = 0;
    int err;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return -errno;
    fprintf(f, "version %d\ncreated_ms %" PRIu64 "\nprogram %s\nexecute %s\n", SR_CAMPAIGN_VERSION,
            c->created_ms, c->program, c->execute);
    if (c->target[0])
        fprintf(f, "target %s\n", c->target);
    if (c->reference[0])
        fprintf(f, "reference %s\n", c->reference);
    if (c->has_seed)
        fprintf(f, "seed %" PRIu64 "\n", c->seed);
    fprintf(f, "instances %u\ngrace_ms %u\nmap_size %u\ninstrumented %d\n", c->instances,
            c->grace_ms, c->map_size, c->instrumented);
    if (fclose(f)) {
        err = -ENOMEM;
    } else {
        err =
            sr_campaign_path(c, SR_DIR_CONF, path) ? sr_file_write(path, text, len) : -ENAMETOOLONG;
    }
    free(text);
    return err;
}

int sr_campaign_lock(const struct sr_campaign *c) {
    char path[PATH_MAX];
    int fd = sr_campaign_path(c, SR_DIR_CONF, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB)) {
        int err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

bool sr_campaign_running(const struct sr_campaign *c) {
    char path[PATH_MAX];
    int fd = sr_campaign_path(c, SR_DIR_CONF, path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool held = false;

    if (fd >= 0) {
        held = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
        close(fd);
    }
    return held;
}

bool sr_time_parse(const char *text, uint64_t *ms) {
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    uint64_t value = 0, unit = 1000;
    size_t digits = strspn(text, "0123456789");

    if (!digits || digits > 9)
        return false;
    value = strtoull(text, NULL, 10);
    if (text[digits]) {
        unit = 0;
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (text[digits] == units[i].unit && !text[digits + 1])
                unit = units[i].ms;
    }
    *ms = value * unit;
    return *ms != 0;
}

const char *sr_time_print(uint64_t ms, char buf[32]) {
    unsigned long long s = ms / 1000, days = s / 86400;
    int at = days ? snprintf(buf, 32, "%llud ", days) : 0;

    snprintf(buf + at, 32 - (size_t)at, "%02llu:%02llu:%02llu", s / 3600 % 24, s / 60 % 60, s % 60);
    return buf;
}

uint64_t sr_epoch_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct sr_set sr_union_of(const struct sr_union *u, unsigned image) {
    struct sr_set s = u->images[image].calls;

    sr_set_merge(&s, &u->images[image].startup);
    return s;
}

struct sr_set sr_union_all(const struct sr_union *u) {
    struct sr_set all;

    sr_set_clear(&all);
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        if (!sr_union_image_path(u, i))
            continue;
        sr_set_merge(&all, &u->images[i].calls);
        sr_set_merge(&all, &u->images[i].startup);
    }
    return all;
}
