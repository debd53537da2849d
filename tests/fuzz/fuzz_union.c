/*
 * Fuzz target: a union file with any bytes in it.
 *
 * fuzz_union FILE, or the bytes at stdin. The bytes are opened as they are, which mostly shows that
 * they are no union; then they are laid over an empty union as records of offset (4 bytes), length
 * (1 byte) and content, so that every part of the file can be reached with few bytes, and that is
 * merged and its names are read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sysreach/union.h"

static unsigned char bytes[1u << 20];

/* Does what readers of a union do; returns something that depends on all of it. */
static size_t use(const struct sr_union *u) {
    struct sr_union *into = sr_union_new(), *twice = sr_union_new();
    size_t sum = sr_union_site_count(u);

    if (!into || !twice)
        abort();
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(u, i);

        sum += sr_set_count(&u->images[i].calls) + (path ? strlen(path) : 0);
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++)
        sum += sr_union_object_path(u, i) ? strlen(sr_union_object_path(u, i)) : 0;
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        sum += sr_union_role_name(u, i) ? strlen(sr_union_role_name(u, i)) : 0;
    sr_union_merge(into, u);
    sr_union_merge(twice, u);
    sr_union_merge(twice, u);
    sr_union_merge(twice, into);
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (!sr_set_equal(&into->images[i].calls, &twice->images[i].calls) ||
            !sr_set_equal(&into->images[i].attempted, &twice->images[i].attempted))
            abort(); /* merging twice is merging once */
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        if (into->roles[i].processes != twice->roles[i].processes ||
            !sr_set_equal(&into->roles[i].calls, &twice->roles[i].calls))
            abort();
    sr_union_close(into);
    sr_union_close(twice);
    return sum;
}

/* Through a file, as everybody else gets at a union. */
static size_t open_and_use(const void *content, size_t len) {
    const struct sr_union *u;
    int fd = memfd_create("union", MFD_CLOEXEC);
    size_t sum = 0;
    char path[64];

    if (fd < 0 || write(fd, content, len) != (ssize_t)len)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (sr_union_open_ro(path, &u) == 0) {
        sum = use(u);
        sr_union_close(u);
    }
    close(fd);
    return sum;
}

int main(int argc, char **argv) {
    FILE *f = argc > 1 ? fopen(argv[1], "re") : stdin;
    struct sr_union *u = sr_union_new();
    size_t len, sum;

    if (!f || !u)
        return 1;
    len = fread(bytes, 1, sizeof bytes, f);
    sum = open_and_use(bytes, len);
    for (size_t at = 0; at + 5 <= len;) {
        uint32_t offset;
        size_t n = bytes[at + 4];

        memcpy(&offset, bytes + at, 4);
        offset %= (uint32_t)sizeof *u;
        at += 5;
        n = n > len - at ? len - at : n;
        n = n > sizeof *u - offset ? sizeof *u - offset : n;
        memcpy((char *)u + offset, bytes + at, n);
        at += n;
    }
    sum += open_and_use(u, sizeof *u);
    printf("%zu\n", sum);
    sr_union_close(u);
    if (f != stdin)
        fclose(f);
    return 0;
}
