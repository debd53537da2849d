/*
 * The table of tracees, see tracees.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "sys.h"
#include "text.h"
#include "tracees.h"

#define FIRST_SLOTS 256u

static struct sr_tracee *map(uint32_t slots) {
    return sr_map(slots * sizeof(struct sr_tracee), MAP_PRIVATE);
}

int sr_tracees_init(struct sr_recorder *r) {
    r->table = map(FIRST_SLOTS);
    r->slots = r->table ? FIRST_SLOTS : 0;
    return r->table ? 0 : -ENOMEM;
}

void sr_tracees_clear(struct sr_recorder *r) {
    if (r->used)
        memset(r->table, 0, r->slots * sizeof *r->table);
    r->used = r->live = 0;
}

void sr_tracees_free(struct sr_recorder *r) {
    if (r->table)
        sr_sys(SYS_munmap, r->table, r->slots * sizeof *r->table);
    r->table = NULL;
    r->slots = r->used = r->live = 0;
}

static uint32_t start(pid_t tid, uint32_t slots) {
    return ((uint32_t)tid * 2654435761u) & (slots - 1);
}

struct sr_tracee *sr_tracees_find(const struct sr_recorder *r, pid_t tid) {
    for (uint32_t i = 0, at = start(tid, r->slots); i < r->slots; i++) {
        struct sr_tracee *t = &r->table[(at + i) & (r->slots - 1)];

        if (t->tid == tid)
            return t;
        if (!t->tid)
            return NULL;
    }
    return NULL;
}

static struct sr_tracee *put(struct sr_tracee *table, uint32_t slots, pid_t tid) {
    uint32_t at = start(tid, slots);

    while (table[at & (slots - 1)].tid)
        at++;
    table[at & (slots - 1)].tid = tid;
    return &table[at & (slots - 1)];
}

/* Also gets rid of deleted entries. */
static int grow(struct sr_recorder *r) {
    uint32_t slots = r->live * 4 > r->slots ? r->slots * 2 : r->slots;
    struct sr_tracee *table = map(slots);

    if (!table)
        return -ENOMEM;
    for (uint32_t i = 0; i < r->slots; i++)
        if (r->table[i].tid > 0)
            *put(table, slots, r->table[i].tid) = r->table[i];
    sr_sys(SYS_munmap, r->table, r->slots * sizeof *r->table);
    r->table = table;
    r->slots = slots;
    r->used = r->live;
    return 0;
}

struct sr_tracee *sr_tracees_add(struct sr_recorder *r, pid_t tid) {
    struct sr_tracee *t;

    if (r->used * 2 >= r->slots && grow(r))
        return NULL;
    t = put(r->table, r->slots, tid);
    r->used++;
    r->live++;
    return t;
}

void sr_tracees_remove(struct sr_recorder *r, struct sr_tracee *t) {
    memset(t, 0, sizeof *t);
    t->tid = -1;
    r->live--;
}

/* The text of /proc/TID/status after a field's name, in buf; "": it is not there. */
static const char *status_field(pid_t tid, const char *field, char *buf, size_t size) {
    char path[64];
    struct sr_text t = {path, sizeof path, 0};
    const char *at;
    long fd, n;

    sr_text_proc(&t, tid, "status");
    fd = sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return "";
    n = sr_sys(SYS_read, fd, buf, size - 1);
    sr_sys(SYS_close, fd);
    if (n <= 0)
        return "";
    buf[n] = 0;
    at = strstr(buf, field);
    return at ? at + strlen(field) : "";
}

static pid_t status_number(pid_t tid, const char *field) {
    char buf[512];
    pid_t pid = 0;

    for (const char *at = status_field(tid, field, buf, sizeof buf); *at >= '0' && *at <= '9'; at++)
        pid = pid * 10 + (*at - '0');
    return pid;
}

pid_t sr_tgid(pid_t tid) {
    pid_t pid = status_number(tid, "\nTgid:\t");

    return pid ? pid : tid;
}

pid_t sr_ppid(pid_t tid) {
    return status_number(tid, "\nPPid:\t");
}

char sr_thread_state(pid_t tid) {
    char buf[512];

    return *status_field(tid, "\nState:\t", buf, sizeof buf);
}
