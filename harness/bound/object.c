/*
 * Opens an ELF object: reads the file, checks its headers, and lists segments and sections; the
 * other tables are read by dynamic.c, symbols.c, ehframe.c and relocs.c. And the lookups by
 * address.
 */
#include "object.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "object_private.h"

#define FILE_BYTES_MAX (UINT64_C(2) << 30)
/* A mapped file that is cut short meanwhile raises SIGBUS, so files are read; but of large ones,
 * which are mostly debug information, only a part is ever touched. */
#define READ_BYTES_MAX (UINT64_C(16) << 20)

static void set_error(const struct sr_object_build *b, bool environment, const char *format,
                      va_list args) __attribute__((format(printf, 3, 0)));

static void set_error(const struct sr_object_build *b, bool environment, const char *format,
                      va_list args) {
    int n = snprintf(b->err->text, sizeof b->err->text, "%.300s: ", b->file);

    if (n > 0 && (size_t)n < sizeof b->err->text)
        vsnprintf(b->err->text + n, sizeof b->err->text - (size_t)n, format, args);
    b->err->environment = environment;
}

bool sr_object_fail(const struct sr_object_build *b, const char *format, ...) {
    va_list args;

    va_start(args, format);
    set_error(b, false, format, args);
    va_end(args);
    return false;
}

bool sr_object_damaged(const struct sr_object_build *b, const char *format, ...) {
    char why[160];
    va_list args;

    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return sr_object_fail(b, "is damaged: %s; copy or install it again", why);
}

static bool environment_error(const struct sr_object_build *b, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool environment_error(const struct sr_object_build *b, const char *format, ...) {
    va_list args;

    va_start(args, format);
    set_error(b, true, format, args);
    va_end(args);
    return false;
}

bool sr_object_no_memory(const struct sr_object_build *b) {
    return environment_error(b,
                             "out of memory; end other programs, or raise the limit (ulimit -v)");
}

void *sr_object_room(void *list, size_t n, size_t *room, size_t size) {
    size_t more;
    void *p;

    if (n < *room)
        return list;
    more = *room ? 2 * *room : 32;
    p = reallocarray(list, more, size);
    if (p)
        *room = more;
    return p;
}

const uint8_t *sr_object_table(const struct sr_object_build *b, uint64_t addr, uint64_t bytes,
                               const char *what) {
    size_t left;
    const uint8_t *p = sr_object_at(b->o, addr, &left);

    if (p && bytes <= left)
        return p;
    sr_object_damaged(b, "%s (%" PRIu64 " bytes at 0x%" PRIx64 ") lies outside of its segments",
                      what, bytes, addr);
    return NULL;
}

const struct sr_object_section *sr_object_section_at(const struct sr_object_build *b, uint64_t addr,
                                                     uint32_t type) {
    for (size_t i = 0; i < b->n_sections; i++)
        if (b->sections[i].addr == addr && b->sections[i].type == type &&
            (b->sections[i].flags & SHF_ALLOC))
            return &b->sections[i];
    return NULL;
}

const Elf64_Phdr *sr_object_phdr(const struct sr_object_build *b, uint32_t type) {
    for (size_t i = 0; i < b->n_phdrs; i++)
        if (b->phdrs[i].p_type == type)
            return &b->phdrs[i];
    return NULL;
}

bool sr_object_border(struct sr_object_build *b, uint64_t addr, uint64_t bytes) {
    struct sr_object *o = b->o;

    if (addr >= SR_ADDRESS_END || bytes > SR_ADDRESS_END - addr)
        return true;
    for (int i = 0; i < 2; i++) {
        uint64_t *p = sr_object_room(o->borders, o->n_borders, &b->borders_room, sizeof *p);

        if (!p)
            return sr_object_no_memory(b);
        o->borders = p;
        o->borders[o->n_borders++] = i ? addr + bytes : addr;
    }
    return true;
}

static int by_number(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, c = *(const uint64_t *)y;

    return a < c ? -1 : a > c;
}

static void sort_borders(struct sr_object *o) {
    size_t n = 0;

    qsort(o->borders, o->n_borders, sizeof *o->borders, by_number);
    for (size_t i = 0; i < o->n_borders; i++)
        if (n == 0 || o->borders[i] != o->borders[n - 1])
            o->borders[n++] = o->borders[i];
    o->n_borders = n;
}

static bool read_all(struct sr_object_build *b) {
    struct sr_object *o = b->o;

    if (!sr_object_read_headers(b) || !sr_object_read_dynamic(b) || !sr_object_read_symbols(b) ||
        !sr_object_read_frames(b) || !sr_object_read_relocs(b) || !sr_object_read_inits(b) ||
        !sr_object_read_names(b))
        return false;
    o->dynamic = o->interp || o->n_needed > 0;
    sort_borders(o);
    return true;
}

static struct sr_object *new_object(const struct sr_object_build *b, const char *path) {
    struct sr_object *o = calloc(1, sizeof *o);

    if (o) {
        o->private_ = calloc(1, sizeof(struct sr_object_private));
        o->segments = calloc(SR_SEGMENTS_MAX, sizeof *o->segments);
        o->path = strdup(path);
        o->file = strdup(b->file);
    }
    if (!o || !o->private_ || !o->segments || !o->path || !o->file) {
        sr_object_close(o);
        sr_object_no_memory(b);
        return NULL;
    }
    return o;
}

static struct sr_object *finish(struct sr_object_build *b) {
    bool ok = read_all(b);

    free(b->phdrs);
    free(b->sections);
    if (ok)
        return b->o;
    sr_object_close(b->o);
    return NULL;
}

/* Reads or maps all of fd into the object's private part, and sets b->image and b->size. */
static bool load_bytes(struct sr_object_build *b, int fd, size_t size) {
    struct sr_object_private *p = b->o->private_;
    size_t got = 0;

    if (size > READ_BYTES_MAX) {
        void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (map == MAP_FAILED)
            return environment_error(b, "cannot be mapped: %s; see whether the disk is readable",
                                     strerror(errno));
        p->bytes = map;
        p->mapped = size;
        b->image = map;
        b->size = size;
        return true;
    }
    p->bytes = malloc(size + 1);
    if (!p->bytes)
        return sr_object_no_memory(b);
    while (got < size) {
        ssize_t n = read(fd, (char *)p->bytes + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return environment_error(b, "cannot be read: %s; see whether the disk is readable",
                                     strerror(errno));
        if (n == 0)
            break;
        got += (size_t)n;
    }
    b->image = p->bytes;
    b->size = got;
    return true;
}

static bool check_file(const struct sr_object_build *b, const struct stat *st) {
    if (S_ISDIR(st->st_mode))
        return sr_object_fail(b, "is a directory; give a program in it");
    if (!S_ISREG(st->st_mode))
        return sr_object_fail(b, "is no regular file; give a program or a shared library");
    if ((uint64_t)st->st_size > FILE_BYTES_MAX)
        return sr_object_fail(b, "is larger than 2 GiB; strip its debug information");
    return true;
}

struct sr_object *sr_object_open(const char *file, const char *path, struct sr_object_error *err) {
    struct sr_object_build b = {.err = err, .file = file};
    struct stat st;
    bool ok;
    /* Without O_NONBLOCK a fifo that stands there would hold us up. */
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || fstat(fd, &st) != 0) {
        environment_error(&b, "cannot be opened: %s; give a file that is there and readable",
                          strerror(errno));
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    ok = check_file(&b, &st) && (b.o = new_object(&b, path ? path : file));
    if (ok && !load_bytes(&b, fd, (size_t)st.st_size)) {
        sr_object_close(b.o);
        ok = false;
    }
    close(fd);
    if (!ok)
        return NULL;
    b.o->id_dev = st.st_dev;
    b.o->id_ino = st.st_ino;
    return finish(&b);
}

struct sr_object *sr_object_parse(const char *name, const uint8_t *bytes, size_t len,
                                  struct sr_object_error *err) {
    struct sr_object_build b = {.err = err, .file = name, .image = bytes, .size = len};

    b.o = new_object(&b, name);
    return b.o ? finish(&b) : NULL;
}

void sr_object_close(struct sr_object *o) {
    struct sr_object_private *p;

    if (!o)
        return;
    p = o->private_;
    if (p) {
        if (p->mapped)
            munmap(p->bytes, p->mapped);
        else
            free(p->bytes);
        free(p->names);
    }
    free(p);
    free(o->path);
    free(o->file);
    free(o->segments);
    free(o->needed); /* the strings themselves are the file's, as soname, interp and rpath are */
    free(o->dynsym);
    free(o->symtab);
    free(o->relocs);
    free(o->fdes);
    free(o->handlers);
    free(o->inits);
    free(o->borders);
    free(o);
}

static const struct sr_segment *segment_of(const struct sr_object *o, uint64_t addr) {
    for (size_t i = 0; i < o->n_segments && o->segments[i].lo <= addr; i++)
        if (addr < o->segments[i].hi)
            return &o->segments[i];
    return NULL;
}

const uint8_t *sr_object_at(const struct sr_object *o, uint64_t addr, size_t *left) {
    const struct sr_segment *s = segment_of(o, addr);

    *left = 0;
    if (!s || addr - s->lo >= s->file_bytes)
        return NULL;
    *left = s->file_bytes - (addr - s->lo);
    return s->bytes + (addr - s->lo);
}

bool sr_object_is_code(const struct sr_object *o, uint64_t addr) {
    const struct sr_segment *s = segment_of(o, addr);

    return s && s->exec;
}

bool sr_object_is_data(const struct sr_object *o, uint64_t addr) {
    const struct sr_segment *s = segment_of(o, addr);

    return s && !s->exec;
}
