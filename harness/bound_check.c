/*
 * The stack check, see bound_check.h: frames are read and counted in a tree, then judged object by
 * object.
 *
 * A return address may lie just behind its function, where the call was its last instruction; a
 * signal's or an exec's frame is where execution goes on. So a frame counts as reachable when the
 * byte at its address is, or the one before.
 */
#include "bound_check.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE_BYTES 16384 /* longer lines are no frames */

/* State of reading: the tree holds struct sr_bound_frame. */
struct reader {
    void *tree;
    struct sr_bound_check *check;
    size_t filled;
    bool is_strace;
};

static int by_place(const void *a, const void *b) {
    const struct sr_bound_frame *x = a, *y = b;
    int order = strcmp(x->object, y->object);

    return order ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

static bool count_frame(struct reader *r, char *object, uint64_t offset) {
    struct sr_bound_frame key = {.object = object, .offset = offset}, *frame, **at;

    r->check->total++;
    at = tfind(&key, &r->tree, by_place);
    if (at) {
        (*at)->count++;
        return true;
    }
    frame = calloc(1, sizeof *frame);
    if (frame && (frame->object = strdup(object))) {
        frame->offset = offset;
        frame->count = 1;
        if (tsearch(frame, &r->tree, by_place)) {
            r->check->n++;
            return true;
        }
        free(frame->object);
    }
    free(frame);
    return false;
}

static bool read_hex(const char *text, const char **end, uint64_t *value) {
    char *stop;

    if (strncmp(text, "0x", 2) != 0 || !isxdigit((unsigned char)text[2]))
        return false;
    errno = 0;
    *value = strtoull(text, &stop, 16);
    *end = stop;
    return !errno;
}

/* " > /usr/lib/libc.so.6(write+0x14) [0xf7a40]": cuts line to the object. The parentheses are
 * matched from the end, since a demangled name and a path may have some as well. */
static bool cut_strace(char *line, uint64_t *offset) {
    char *bracket = NULL, *p;
    const char *end;
    int depth = 0;

    for (p = line; (p = strstr(p, " [0x")); p++)
        bracket = p;
    if (!bracket || bracket == line || bracket[-1] != ')' || !read_hex(bracket + 2, &end, offset) ||
        strcmp(end, "]") != 0)
        return false;
    for (p = bracket - 1; p > line; p--) {
        depth += (*p == ')') - (*p == '(');
        if (!depth)
            break;
    }
    *p = 0;
    return p > line;
}

/* "/usr/bin/diff 0x4b30" */
static bool cut_plain(char *line, uint64_t *offset) {
    char *p = strrchr(line, ' ');
    const char *end;

    if (!p || !read_hex(p + 1, &end, offset) || *end)
        return false;
    while (p > line && isspace((unsigned char)p[-1]))
        p--;
    *p = 0;
    /* A call's result in strace's log ends in a number as well. */
    return p > line && p[-1] != '=';
}

static bool read_line(struct reader *r, char *line) {
    uint64_t offset;
    char *end;

    line[strcspn(line, "\r\n")] = 0;
    for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]);)
        *--end = 0;
    if (strncmp(line, " > ", 3) == 0) {
        r->is_strace = true;
        return !cut_strace(line + 3, &offset) || count_frame(r, line + 3, offset);
    }
    if (cut_plain(line, &offset))
        return count_frame(r, line, offset);
    r->check->passed_over += *line != 0 && *line != '#';
    return true;
}

static bool read_lines(struct reader *r, FILE *from) {
    char line[LINE_BYTES];
    bool inside = false; /* a line that did not fit */

    errno = 0;
    while (fgets(line, sizeof line, from)) {
        bool whole = strchr(line, '\n') || feof(from);

        if (!inside && whole && !read_line(r, line)) {
            errno = ENOMEM;
            return false;
        }
        inside = !whole;
    }
    return !ferror(from);
}

static void take_frame(const void *node, VISIT visit, void *ctx) {
    struct reader *r = ctx;

    if (visit == postorder || visit == leaf)
        r->check->frames[r->filled++] = **(struct sr_bound_frame *const *)node;
}

static void drop(void *frame) {
    free(((struct sr_bound_frame *)frame)->object);
    free(frame);
}

/* By its path or soname; or the file is the same by another name. */
static int64_t find_object(const struct sr_bound_view *v, const char *name) {
    const char *root = v->request->closure.root;
    struct stat st;

    for (size_t i = 0; i < v->closure->n; i++) {
        const struct sr_object *o = v->closure->objects[i];

        if (strcmp(v->paths[i], name) == 0 || strcmp(o->path, name) == 0 ||
            (o->soname && strcmp(o->soname, name) == 0))
            return (int64_t)i;
    }
    if ((root && *root) || stat(name, &st))
        return -1;
    for (size_t i = 0; i < v->closure->n; i++)
        if (v->closure->objects[i]->id_dev == st.st_dev &&
            v->closure->objects[i]->id_ino == st.st_ino)
            return (int64_t)i;
    return -1;
}

/* Addresses of the frames [first, end), which are of one object, by its program headers. Those that
 * no executable segment holds have SR_FRAME_NO_CODE. */
static void find_addresses(const struct sr_object *o, struct sr_bound_frame *first,
                           const struct sr_bound_frame *end) {
    int fd = open(o->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    Elf *elf = NULL;
    size_t n = 0;

    if (fd >= 0 && elf_version(EV_CURRENT) != EV_NONE)
        elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!elf || elf_getphdrnum(elf, &n))
        n = 0;
    for (size_t i = 0; i < n && i < 4096; i++) {
        GElf_Phdr ph;

        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
            continue;
        for (struct sr_bound_frame *f = first; f < end; f++)
            if (f->offset >= ph.p_offset && f->offset - ph.p_offset < ph.p_filesz) {
                f->address = ph.p_vaddr + (f->offset - ph.p_offset);
                f->verdict = SR_FRAME_NOT_REACHABLE;
            }
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
}

/* index: the object's in the closure. */
static enum sr_frame_verdict judge(const struct sr_bound_view *v, int64_t index, uint64_t address) {
    const char *object = v->closure->objects[index]->path;
    int here = sr_bound_reaches(v->bound, object, address),
        before = address ? sr_bound_reaches(v->bound, object, address - 1) : 0;

    if (here == 1 || before == 1)
        return SR_FRAME_REACHABLE;
    return here == 0 || before == 0 ? SR_FRAME_NOT_REACHABLE : SR_FRAME_NO_CODE;
}

enum sr_frame_verdict sr_bound_check_frame(const struct sr_bound_view *v, const char *object,
                                           uint64_t address) {
    int64_t index = find_object(v, object);

    return index < 0 ? SR_FRAME_OUTSIDE : judge(v, index, address);
}

static void judge_all(const struct sr_bound_view *v, struct sr_bound_check *c) {
    for (size_t i = 0, end; i < c->n; i = end) {
        int64_t index = find_object(v, c->frames[i].object);

        for (end = i; end < c->n && strcmp(c->frames[end].object, c->frames[i].object) == 0;
             end++) {
            c->frames[end].index = index;
            c->frames[end].verdict = index < 0 ? SR_FRAME_OUTSIDE : SR_FRAME_NO_CODE;
        }
        if (index < 0) {
            c->outside += end - i;
            continue;
        }
        find_addresses(v->closure->objects[index], &c->frames[i], &c->frames[end]);
        for (size_t k = i; k < end; k++) {
            if (c->frames[k].verdict == SR_FRAME_NOT_REACHABLE)
                c->frames[k].verdict = judge(v, index, c->frames[k].address);
            c->not_reachable += c->frames[k].verdict != SR_FRAME_REACHABLE;
        }
    }
}

struct sr_bound_check *sr_bound_check_read(const struct sr_bound_view *v, FILE *from) {
    struct reader r = {.check = calloc(1, sizeof *r.check)};
    int err = ENOMEM;

    if (!r.check)
        return NULL;
    if (!read_lines(&r, from))
        err = errno ? errno : EIO;
    else if ((r.check->frames = calloc(r.check->n + 1, sizeof *r.check->frames)))
        err = 0;
    if (err) {
        tdestroy(r.tree, drop);
        free(r.check);
        errno = err;
        return NULL;
    }
    twalk_r(r.tree, take_frame, &r);
    /* The names belong to the array now. */
    tdestroy(r.tree, free);
    if (r.is_strace)
        r.check->passed_over = 0;
    judge_all(v, r.check);
    return r.check;
}

void sr_bound_check_free(struct sr_bound_check *c) {
    for (size_t i = 0; c && i < c->n; i++)
        free(c->frames[i].object);
    if (c)
        free(c->frames);
    free(c);
}
