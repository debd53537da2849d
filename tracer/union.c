/*
 * The union in shared memory: slots are claimed by compare-and-swap, sets are OR-ed.
 *
 * Every path through here is safe against another process doing the same, and against being killed
 * between any two instructions. Readers trust nothing in the file: it may be truncated, or written
 * to by the program under test.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sys.h"
#include "sysreach/union.h"

static void format(struct sr_union *u) {
    memcpy(u->magic, SR_UNION_MAGIC, sizeof SR_UNION_MAGIC);
    u->version = SR_UNION_VERSION;
    u->bytes = sizeof *u;
}

static bool is_union(const struct sr_union *u) {
    return memcmp(u->magic, SR_UNION_MAGIC, sizeof SR_UNION_MAGIC) == 0 &&
           u->version == SR_UNION_VERSION && u->bytes == sizeof *u;
}

static int create_file(const char *path) {
    char tmp[4096];
    struct sr_union *u;
    int fd, err = 0;

    if (snprintf(tmp, sizeof tmp, "%s.%d", path, (int)getpid()) >= (int)sizeof tmp)
        return -ENAMETOOLONG;
    fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    /* Blocks now, not when a page is first written: a full disk must be an error here and not a
     * SIGBUS in the middle of an input. */
    err = -posix_fallocate(fd, 0, sizeof *u);
    if (!err) {
        u = mmap(NULL, sizeof *u, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (u == MAP_FAILED) {
            err = -errno;
        } else {
            format(u);
            munmap(u, sizeof *u);
            /* link, not rename: if somebody else made it meanwhile, theirs stands. */
            if (link(tmp, path) && errno != EEXIST)
                err = -errno;
        }
    }
    unlink(tmp);
    close(fd);
    return err;
}

static int map_file(const char *path, int flags, int prot, struct sr_union **out) {
    struct stat st;
    struct sr_union *u;
    int fd = open(path, flags | O_CLOEXEC), err = 0;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != sizeof *u)
        err = -EINVAL;
    if (!err) {
        u = mmap(NULL, sizeof *u, prot, MAP_SHARED, fd, 0);
        if (u == MAP_FAILED) {
            err = -errno;
        } else if (!is_union(u)) {
            munmap(u, sizeof *u);
            err = -EINVAL;
        } else {
            *out = u;
        }
    }
    close(fd);
    return err;
}

int sr_union_open(const char *path, bool create, struct sr_union **out) {
    int err = map_file(path, O_RDWR, PROT_READ | PROT_WRITE, out);

    if (err != -ENOENT || !create)
        return err;
    err = create_file(path);
    return err ? err : map_file(path, O_RDWR, PROT_READ | PROT_WRITE, out);
}

int sr_union_open_ro(const char *path, const struct sr_union **out) {
    struct sr_union *u = NULL;
    int err = map_file(path, O_RDONLY, PROT_READ, &u);

    *out = u;
    return err;
}

struct sr_union *sr_union_new(void) {
    struct sr_union *u =
        mmap(NULL, sizeof *u, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (u == MAP_FAILED)
        return NULL;
    format(u);
    return u;
}

void sr_union_close(const struct sr_union *u) {
    if (u)
        munmap((void *)(uintptr_t)u, sizeof *u);
}

/* What becomes of another process's claim. That process may have been killed in the middle of it,
 * or only have lost its processor for some milliseconds: after a while the slot is given up for
 * good, which its claimer finds out when it publishes. So nobody waits twice for the same slot. */
static uint32_t settled(uint32_t *state) {
    const struct timespec nap = {.tv_nsec = 100000};
    uint32_t s = SR_SLOT_CLAIMED;

    for (int i = 0; i < 400; i++) {
        s = __atomic_load_n(state, __ATOMIC_ACQUIRE);
        if (s != SR_SLOT_CLAIMED)
            return s;
        sr_sys(SYS_nanosleep, &nap, NULL);
    }
    return __atomic_compare_exchange_n(state, &s, SR_SLOT_DEAD, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)
               ? SR_SLOT_DEAD
               : s;
}

enum outcome { OTHER, SAME, CLAIMED };

/* Claims a free slot for a name and an image, or compares. size: of the slot's room for the name;
 * image: NULL where slots do not belong to one. */
static enum outcome take(uint32_t *state, char *slot_name, const char *name, size_t size,
                         uint32_t *slot_image, uint32_t image) {
    uint32_t s = SR_SLOT_FREE;

    if (__atomic_compare_exchange_n(state, &s, SR_SLOT_CLAIMED, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
        size_t n = strnlen(name, size - 1);

        memcpy(slot_name, name, n);
        slot_name[n] = 0;
        if (slot_image)
            *slot_image = image;
        s = SR_SLOT_CLAIMED;
        return __atomic_compare_exchange_n(state, &s, SR_SLOT_USED, false, __ATOMIC_ACQ_REL,
                                           __ATOMIC_ACQUIRE)
                   ? CLAIMED
                   : OTHER;
    }
    if (s == SR_SLOT_CLAIMED)
        s = settled(state);
    if (s != SR_SLOT_USED || strncmp(slot_name, name, size - 1) != 0)
        return OTHER;
    return !slot_image || *slot_image == image ? SAME : OTHER;
}

int sr_union_image(struct sr_union *u, const char *path) {
    for (int i = 0; i < SR_IMAGES_MAX; i++) {
        struct sr_union_image *slot = &u->images[i];

        if (take(&slot->state, slot->path, path, SR_PATH_BYTES, NULL, 0) != OTHER)
            return i;
    }
    __atomic_fetch_add(&u->names_lost, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

bool sr_union_object(struct sr_union *u, unsigned image, const char *path) {
    for (int i = 0; i < SR_OBJECTS_MAX; i++) {
        struct sr_union_object *slot = &u->objects[i];
        enum outcome o = take(&slot->state, slot->path, path, SR_PATH_BYTES, &slot->image, image);

        if (o != OTHER)
            return o == CLAIMED;
    }
    __atomic_fetch_add(&u->names_lost, 1, __ATOMIC_RELAXED);
    return false;
}

int sr_union_site(struct sr_union *u, uint64_t hash, bool *is_new) {
    *is_new = false;
    if (!hash)
        hash = 1;
    for (uint32_t i = 0; i < SR_SITES_MAX; i++) {
        uint32_t at = (uint32_t)(hash + i) % SR_SITES_MAX;
        uint64_t seen = __atomic_load_n(&u->sites[at], __ATOMIC_RELAXED);

        if (!seen && __atomic_compare_exchange_n(&u->sites[at], &seen, hash, false,
                                                 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            *is_new = true;
            return (int)at;
        }
        if (seen == hash)
            return (int)at;
    }
    __atomic_fetch_add(&u->sites_lost, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

unsigned sr_union_site_count(const struct sr_union *u) {
    unsigned n = 0;

    for (unsigned i = 0; i < SR_SITES_MAX; i++)
        n += __atomic_load_n(&u->sites[i], __ATOMIC_RELAXED) != 0;
    return n;
}

int sr_union_role(struct sr_union *u, unsigned image, const char *name) {
    for (int i = 0; i < SR_ROLES_MAX; i++) {
        struct sr_union_role *slot = &u->roles[i];

        if (take(&slot->state, slot->name, name, SR_ROLE_BYTES, &slot->image, image) != OTHER)
            return i;
    }
    __atomic_fetch_add(&u->names_lost, 1, __ATOMIC_RELAXED);
    return -ENOSPC;
}

static const char *slot_name(const uint32_t *state, const char *name, size_t size) {
    if (__atomic_load_n(state, __ATOMIC_ACQUIRE) != SR_SLOT_USED)
        return NULL;
    return memchr(name, 0, size) ? name : NULL;
}

const char *sr_union_image_path(const struct sr_union *u, unsigned slot) {
    if (slot >= SR_IMAGES_MAX)
        return NULL;
    return slot_name(&u->images[slot].state, u->images[slot].path, SR_PATH_BYTES);
}

const char *sr_union_object_path(const struct sr_union *u, unsigned slot) {
    if (slot >= SR_OBJECTS_MAX)
        return NULL;
    return slot_name(&u->objects[slot].state, u->objects[slot].path, SR_PATH_BYTES);
}

const char *sr_union_role_name(const struct sr_union *u, unsigned slot) {
    if (slot >= SR_ROLES_MAX)
        return NULL;
    return slot_name(&u->roles[slot].state, u->roles[slot].name, SR_ROLE_BYTES);
}

static void merge_role(struct sr_union *into, const struct sr_union *from, unsigned i) {
    const struct sr_union_role *role = &from->roles[i];
    const char *name = sr_union_role_name(from, i);
    const char *image = name ? sr_union_image_path(from, role->image) : NULL;
    int at = image ? sr_union_image(into, image) : -1;
    int slot = at >= 0 ? sr_union_role(into, (unsigned)at, name) : -1;

    if (slot < 0)
        return;
    sr_set_merge(&into->roles[slot].calls, &role->calls);
    sr_set_merge(&into->roles[slot].attempted, &role->attempted);
    if (into->roles[slot].processes < role->processes)
        into->roles[slot].processes = role->processes;
}

void sr_union_merge_parts(struct sr_union *into, const struct sr_union *from) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(from, i);
        int slot = path ? sr_union_image(into, path) : -1;

        if (slot >= 0)
            sr_set_merge(&into->images[slot].attempted, &from->images[i].attempted);
    }
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        merge_role(into, from, i);
}

void sr_union_merge(struct sr_union *into, const struct sr_union *from) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(from, i);
        int slot = path ? sr_union_image(into, path) : -1;

        if (slot < 0)
            continue;
        sr_set_merge(&into->images[slot].calls, &from->images[i].calls);
        sr_set_merge(&into->images[slot].startup, &from->images[i].startup);
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *path = sr_union_object_path(from, i);
        const char *image = path ? sr_union_image_path(from, from->objects[i].image) : NULL;
        int slot = image ? sr_union_image(into, image) : -1;

        if (slot >= 0)
            sr_union_object(into, (unsigned)slot, path);
    }
    sr_union_merge_parts(into, from);
}
