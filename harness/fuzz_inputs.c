/*
 * Kept inputs with their exact sets: the hook logs what inputs made, AFL++ keeps some of them as
 * files; the two meet by the hash of the bytes.
 *
 * The log is read as it grows. A file of the queue may still be being written when it is seen, or
 * its record may not be there yet: it is looked at again for a while.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "layout.h"

#define TRIES_MAX   60 /* seconds that a file waits for its record */
#define INPUT_BYTES (2u << 20)
#define CHUNK       (1u << 20)
#define TICK_BYTES  (64u << 20) /* read in one go at most */

struct place { /* where the log has an input's record */
    uint64_t hash;
    uint64_t offset_plus_1;
};

struct waiting {
    char *name;
    unsigned tries;
};

struct sr_input_tail {
    uint64_t offset; /* up to here the log has been read */
    struct place *table;
    size_t n, size; /* size: a power of two */
    struct waiting *waiting;
    size_t n_waiting, room;
    long highest_id; /* of the queue's files that were seen */
    struct timespec queue_mtime;
};

static struct place *place_of(struct sr_input_tail *t, uint64_t hash) {
    size_t at = (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->size - 1);

    while (t->table[at].offset_plus_1 && t->table[at].hash != hash)
        at = (at + 1) & (t->size - 1);
    return &t->table[at];
}

static bool make_room(struct sr_input_tail *t) {
    struct sr_input_tail bigger = *t;

    if (t->size && t->n * 2 < t->size)
        return true;
    bigger.size = t->size ? t->size * 2 : 4096;
    bigger.table = calloc(bigger.size, sizeof *bigger.table);
    if (!bigger.table)
        return false;
    for (size_t i = 0; i < t->size; i++)
        if (t->table[i].offset_plus_1)
            *place_of(&bigger, t->table[i].hash) = t->table[i];
    free(t->table);
    t->table = bigger.table;
    t->size = bigger.size;
    return true;
}

static bool plausible(const struct sr_input_record *r) {
    return r->magic == SR_INPUT_MAGIC && r->n_images <= SR_INPUT_IMAGES_MAX &&
           r->bytes == sr_input_record_bytes(r->n_images);
}

/* Takes in the whole records of a piece of the log; returns how many bytes are done with. A cut
 * record in the middle (its writer was killed, another one went on) is skipped to the next magic.
 */
static size_t scan(struct sr_input_tail *t, const char *buf, size_t len) {
    size_t at = 0;

    while (len - at >= sizeof(struct sr_input_record)) {
        struct sr_input_record r;

        memcpy(&r, buf + at, sizeof r);
        if (!plausible(&r)) {
            at++;
            continue;
        }
        if (len - at < r.bytes || !make_room(t))
            break; /* not all here yet */
        uint32_t next = SR_INPUT_MAGIC;
        if (len - at >= r.bytes + sizeof next)
            memcpy(&next, buf + at + r.bytes, sizeof next);
        if (next != SR_INPUT_MAGIC) {
            at++;
            continue;
        }
        struct place *p = place_of(t, r.hash);
        t->n += !p->offset_plus_1;
        /* The latest: after a resume the numbers of inputs are of that run. */
        *p = (struct place){r.hash, t->offset + at + 1};
        at += r.bytes;
    }
    return at;
}

static void read_log(struct sr_input_tail *t, int fd) {
    char *buf = malloc(CHUNK);

    for (size_t total = 0; buf && total < TICK_BYTES;) {
        ssize_t n = pread(fd, buf, CHUNK, (off_t)t->offset);
        size_t used = n > 0 ? scan(t, buf, (size_t)n) : 0;

        if (!used)
            break;
        t->offset += used;
        total += used;
    }
    free(buf);
}

static void wait_for(struct sr_input_tail *t, const char *name) {
    if (t->n_waiting == t->room) {
        size_t room = t->room * 2 + 64;
        struct waiting *more = realloc(t->waiting, room * sizeof *more);
        if (!more)
            return;
        t->waiting = more;
        t->room = room;
    }
    t->waiting[t->n_waiting] = (struct waiting){strdup(name), 0};
    t->n_waiting += t->waiting[t->n_waiting].name != NULL;
}

static void scan_queue(struct sr_input_tail *t, const char *queue) {
    long highest = t->highest_id;
    struct stat st;
    DIR *d;

    if (stat(queue, &st) || (st.st_mtim.tv_sec == t->queue_mtime.tv_sec &&
                             st.st_mtim.tv_nsec == t->queue_mtime.tv_nsec))
        return;
    d = opendir(queue);
    if (!d)
        return;
    t->queue_mtime = st.st_mtim;
    for (struct dirent *e; (e = readdir(d));) {
        char *end;
        long id = strncmp(e->d_name, "id:", 3) == 0 ? strtol(e->d_name + 3, &end, 10) : -1;

        if (id <= t->highest_id)
            continue;
        wait_for(t, e->d_name);
        if (id > highest)
            highest = id;
    }
    closedir(d);
    t->highest_id = highest;
}

static bool store_record(struct sr_fuzz *f, const struct sr_instance *in, const char *file,
                         uint64_t offset) {
    struct sr_input_record head, *r;
    bool done = false;

    if (pread(in->inputs_fd, &head, sizeof head, (off_t)offset) != (ssize_t)sizeof head ||
        !plausible(&head))
        return false;
    r = malloc(head.bytes);
    if (r && pread(in->inputs_fd, r, head.bytes, (off_t)offset) == (ssize_t)head.bytes) {
        sr_store_input(f->store, in->name, file, r);
        done = true;
    }
    free(r);
    return done;
}

/* True when the file need not be looked at again. */
static bool match(struct sr_fuzz *f, const struct sr_instance *in, const char *queue,
                  const char *name) {
    struct sr_input_tail *t = in->tail;
    char path[PATH_MAX];
    size_t len;
    char *bytes;

    if (!t->size || snprintf(path, sizeof path, "%s/%s", queue, name) >= (int)sizeof path)
        return false;
    bytes = sr_file_read(path, INPUT_BYTES, &len);
    if (!bytes)
        return errno == ENOENT;
    struct place *p = place_of(t, sr_hash64(bytes, len));
    free(bytes);
    return p->offset_plus_1 && store_record(f, in, name, p->offset_plus_1 - 1);
}

static struct sr_input_tail *tail_of(struct sr_fuzz *f, struct sr_instance *in) {
    char part[64], path[PATH_MAX];

    if (!in->tail && (in->tail = calloc(1, sizeof *in->tail))) {
        in->inputs_fd = -1;
        in->tail->highest_id = -1;
    }
    if (in->tail && in->inputs_fd < 0) {
        snprintf(part, sizeof part, "%s/%s.inputs", SR_DIR_HOOK, in->name);
        if (sr_campaign_path(&f->c, part, path))
            in->inputs_fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    return in->tail && in->inputs_fd >= 0 ? in->tail : NULL;
}

void sr_fuzz_take_inputs(struct sr_fuzz *f, struct sr_instance *in) {
    char part[96], queue[PATH_MAX];
    struct sr_input_tail *t = f->store ? tail_of(f, in) : NULL;
    size_t kept = 0;

    if (!t)
        return;
    read_log(t, in->inputs_fd);
    snprintf(part, sizeof part, "%s/%s/queue", SR_DIR_AFL,
             f->c.instances > 1 ? in->name : "default");
    if (!sr_campaign_path(&f->c, part, queue))
        return;
    scan_queue(t, queue);
    for (size_t i = 0; i < t->n_waiting; i++) {
        struct waiting *w = &t->waiting[i];

        if (match(f, in, queue, w->name) || ++w->tries > TRIES_MAX)
            free(w->name);
        else
            t->waiting[kept++] = *w;
    }
    t->n_waiting = kept;
}

void sr_fuzz_close_inputs(struct sr_instance *in) {
    if (!in->tail)
        return;
    for (size_t i = 0; i < in->tail->n_waiting; i++)
        free(in->tail->waiting[i].name);
    free(in->tail->waiting);
    free(in->tail->table);
    free(in->tail);
    in->tail = NULL;
    if (in->inputs_fd >= 0)
        close(in->inputs_fd);
    in->inputs_fd = -1;
}
