/*
 * What was observed mapped, as modules of a bound; see bound_observed.h.
 *
 * Paths are those that the traced process saw. Whatever is not taken as a module is said: a file
 * that is gone means that the bound does not know code that ran.
 */
#include "bound_observed.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bound_view.h"
#include "commands.h"
#include "paths.h"
#include "setfile.h"

bool sr_list_add(struct sr_list *list, const char *item) {
    char **more;

    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->items[i], item) == 0)
            return true;
    more = reallocarray(list->items, list->n + 1, sizeof *more);
    if (!more)
        return false;
    list->items = more;
    if (!(more[list->n] = strdup(item)))
        return false;
    list->n++;
    return true;
}

void sr_list_free(struct sr_list *list) {
    for (size_t i = 0; i < list->n; i++)
        free(list->items[i]);
    free(list->items);
}

/* A message about a path that a traced program chose. */
static void say(const char *source, const char *path, const char *what, struct sr_list *remarks) {
    char *safe = sr_setfile_escape(path, false), *text = NULL;

    if (!remarks)
        sr_error("%s: %s %s", source, safe ? safe : "?", what);
    else if (asprintf(&text, "%s %s", safe ? safe : "?", what) >= 0)
        sr_list_add(remarks, text);
    free(text);
    free(safe);
}

/* The slot of the program's image, or of the only one; -1: it said why. */
static int choose_image(const char *source, const struct sr_setfile *sf, const char *program) {
    int slot = sr_setfile_image(sf, program), n = 0, last = -1;

    if (slot >= 0)
        return slot;
    for (int i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, (unsigned)i)) {
            last = i;
            n++;
        }
    if (n == 1)
        return last;
    sr_error("%s: %s %s%s", source, n ? "no image" : "it has no images, so it does not say what",
             program, n ? " in it; it has these:" : " mapped; name a trace or a campaign");
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, i))
            say(source, sr_union_image_path(sf->u, i), "is an image", NULL);
    return -1;
}

/* Another program, or another build of it, may load other things. */
static void check_image(const char *source, const struct sr_setfile *sf, unsigned slot,
                        const struct sr_object *program, const char *path,
                        struct sr_list *remarks) {
    const char *image = sr_union_image_path(sf->u, slot), *id = sf->build_id[slot];

    if (strcmp(image, path) != 0 && (!*id || strcmp(id, program->build_id) != 0))
        say(source, image, "is its only image, and is taken for the program", remarks);
    else if (*id && strcmp(id, program->build_id) != 0)
        say(source, image, "was observed in another build; what it loads may differ", remarks);
}

/* Two names of one file, or two equal names. */
static bool is_there_at_start(const struct sr_closure *c, const char *path, const char *root,
                              const struct stat *st) {
    for (size_t i = 0; i < c->n_start; i++) {
        const struct sr_object *o = c->objects[i];
        char *real;
        bool same = strcmp(o->path, path) == 0 ||
                    (st && o->id_dev == st->st_dev && o->id_ino == st->st_ino);

        if (!same && (real = sr_bound_path(o, root))) {
            same = strcmp(real, path) == 0;
            free(real);
        }
        if (same)
            return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);

    return n >= m && strcmp(text + n - m, end) == 0;
}

/* Ours: the program does not load it by itself. */
static bool is_ours(const char *path) {
    return ends_with(path, "/" SR_HOOK_LIBRARY) || ends_with(path, "/" SR_MUTATOR_LIBRARY);
}

static bool is_elf(const char *file) {
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char magic[SELFMAG];
    bool found;

    if (fd < 0)
        return true; /* let the one who reads it say what is wrong */
    found = read(fd, magic, sizeof magic) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
    close(fd);
    return found;
}

/* What keeps an observed object from being a module; NULL: nothing. */
static const char *not_a_module(const char *path, const char *file, const struct stat *st) {
    if (path[0] != '/' || strncmp(path, "/memfd:", 7) == 0 || ends_with(path, " (deleted)"))
        return "is no file, and left out: the bound does not know its code";
    if (!st)
        return "is not there any more: the bound does not know its code";
    if (!S_ISREG(st->st_mode) || !is_elf(file))
        return "is no ELF file, and left out: the bound does not know its code";
    return NULL;
}

/* False: out of memory. */
static bool take_object(const char *source, const struct sr_closure *start, const char *root,
                        const char *path, struct sr_observed *out) {
    char file[PATH_MAX];
    struct stat st;
    const char *why;
    bool there = snprintf(file, sizeof file, "%s%s", root ? root : "", path) < (int)sizeof file &&
                 stat(file, &st) == 0;

    if (is_ours(path) || is_there_at_start(start, path, root, there ? &st : NULL))
        return true;
    why = not_a_module(path, file, there ? &st : NULL);
    if (!why)
        return sr_list_add(out->modules, path);
    say(source, path, why, out->remarks);
    out->left_out++;
    return true;
}

int sr_bound_observed(const char *source, const struct sr_closure *start, const char *root,
                      struct sr_observed *out) {
    const struct sr_object *program = start->objects[0];
    struct sr_setfile_error err;
    struct sr_setfile *sf = sr_setfile_read(source, &err);
    char *path = sr_bound_path(program, root);
    bool fits = path != NULL;
    int slot = -1;

    if (!sf)
        sr_error("%s", err.text);
    else if (fits)
        slot = choose_image(source, sf, path);
    if (slot >= 0)
        check_image(source, sf, (unsigned)slot, program, path, out->remarks);
    for (unsigned i = 0; fits && slot >= 0 && i < SR_OBJECTS_MAX; i++) {
        const char *object = sr_union_object_path(sf->u, i);

        if (object && sf->u->objects[i].image == (unsigned)slot)
            fits = take_object(source, start, root, object, out);
    }
    if (!fits)
        sr_error("out of memory; free some");
    free(path);
    sr_setfile_free(sf);
    if (!fits)
        return SR_EXIT_ENV;
    return slot >= 0 ? SR_EXIT_OK : SR_EXIT_USAGE;
}
