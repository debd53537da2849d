/*
 * The breadth-first walk over DT_NEEDED: which objects there are, in the loader's order.
 *
 * As in ld.so a name stands for an object that is already there when it was loaded by that name or
 * path or has it as DT_SONAME; otherwise the name is searched for, and a file that is already there
 * under another name is the same object. The interpreter is loaded from the beginning, but comes
 * into the scope where somebody needs it first, or at the end.
 */
#include "closure.h"

#include <errno.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bind.h"
#include "search.h"

#define NEEDED_MAX 65536 /* DT_NEEDED of all objects: each may cost a search */
#define INTERP     SIZE_MAX
#define NO_OBJECT  UINT16_MAX

struct name {
    const char *text;
    size_t object; /* INTERP: the interpreter */
};

struct walk {
    struct sr_closure *c;
    const char *program;
    struct sr_search *search;
    struct sr_object_error *err;
    struct sr_search_from from[SR_CLOSURE_MAX]; /* by object */
    uint16_t *deps[SR_CLOSURE_MAX];             /* by object, by DT_NEEDED */
    void *names;                                /* tsearch tree of struct name */
    size_t needed;
    struct sr_object *interp; /* not in the scope yet */
    char *interp_origin;
};

__attribute__((format(printf, 2, 3))) static bool fail(struct walk *w, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(w->err->text, sizeof w->err->text, format, args);
    va_end(args);
    return false;
}

static bool no_memory(struct walk *w) {
    w->err->environment = true;
    return fail(w, "%s: no memory for its closure", w->program);
}

/* A relative folder stands for another place in each run. */
static bool note_relative(struct walk *w, const struct sr_object *o) {
    struct sr_closure *c = w->c;
    const char *list = o->runpath ? o->runpath : o->rpath;
    const char *at = list;
    char **grown;

    while (at && (*at == '/' || *at == '$')) {
        const char *colon = strchr(at, ':');

        at = colon ? colon + 1 : NULL;
    }
    if (!at || !*list)
        return true;
    grown = realloc((void *)c->notes, (c->n_notes + 1) * sizeof *grown);
    if (!grown)
        return no_memory(w);
    c->notes = grown;
    if (asprintf(&c->notes[c->n_notes],
                 "%s looks for libraries in a relative folder (RPATH or RUNPATH \"%s\"): taken as "
                 "relative to the current directory",
                 o->path, list) < 0)
        return no_memory(w);
    c->n_notes++;
    return true;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static const struct name *known(struct walk *w, const char *text) {
    struct name key = {.text = text};
    struct name **found = tfind(&key, &w->names, compare_names);

    return found ? *found : NULL;
}

/* Who has the name first keeps it. text lives as long as its object. */
static bool enroll(struct walk *w, const char *text, size_t object) {
    struct name *n;

    if (!text || known(w, text))
        return true;
    n = malloc(sizeof *n);
    if (!n)
        return no_memory(w);
    *n = (struct name){text, object};
    if (!tsearch(n, &w->names, compare_names)) {
        free(n);
        return no_memory(w);
    }
    return true;
}

static bool enroll_object(struct walk *w, const struct sr_object *o, size_t index) {
    return enroll(w, o->path, index) &&
           (sr_search_is_musl(w->search) || enroll(w, o->soname, index));
}

static char *folder_of(const char *path) {
    const char *slash = strrchr(path, '/');

    if (!slash)
        return strdup(".");
    return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* Takes o and origin over, also where it fails. */
static bool append(struct walk *w, struct sr_object *o, char *origin,
                   const struct sr_search_from *loader) {
    struct sr_closure *c = w->c;

    if (!origin || c->n == SR_CLOSURE_MAX || o->n_needed > NEEDED_MAX - w->needed) {
        if (!origin)
            no_memory(w);
        else
            fail(w,
                 "%s needs more than %d libraries, or names them more than %d times; no loader "
                 "would take that",
                 w->program, SR_CLOSURE_MAX, NEEDED_MAX);
        sr_object_close(o);
        free(origin);
        return false;
    }
    w->needed += o->n_needed;
    w->from[c->n] = (struct sr_search_from){o, origin, loader};
    c->objects[c->n++] = o;
    return note_relative(w, o);
}

/* The interpreter's place in the scope is here. */
static bool place_interp(struct walk *w) {
    struct sr_object *o = w->interp;
    char *origin = w->interp_origin;

    if (!o)
        return true;
    w->interp = NULL;
    w->interp_origin = NULL;
    w->c->interp = w->c->n;
    return append(w, o, origin, NULL);
}

static bool same_file(const struct sr_object *o, const struct sr_found *f) {
    return o->id_dev == f->dev && o->id_ino == f->ino;
}

/* The object of a file that was found, opened now or already there. */
static bool add_file(struct walk *w, const struct sr_found *f, const struct sr_search_from *loader,
                     size_t *index) {
    struct sr_closure *c = w->c;
    const char *beside =
        *f->path == '/' && c->n > 0 ? f->path : f->real; /* the program's is real */
    struct sr_object *o;

    for (size_t i = 0; i < c->n; i++) {
        if (same_file(c->objects[i], f)) {
            *index = i;
            return true;
        }
    }
    *index = c->n;
    if (w->interp && same_file(w->interp, f))
        return place_interp(w);
    o = sr_object_open(f->file, f->path, w->err);
    return o && append(w, o, folder_of(beside), loader) && enroll_object(w, o, *index);
}

/* musl's C library is its loader, under any of the names it was ever split into. */
static bool is_musl_libc(const char *name) {
    static const char *const parts[] = {"c.", "pthread.", "rt.", "m.", "dl.", "util.", "xnet."};

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strncmp(name, "lib", 3) == 0 && strncmp(name + 3, parts[i], strlen(parts[i])) == 0)
            return true;
    return false;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool fail_missing(struct walk *w, const char *name, size_t from, int rc) {
    const struct sr_object *o = w->c->objects[from];
    char places[256], by[128] = "";

    sr_search_places(w->search, name, &w->from[from], places, sizeof places);
    if (from != 0)
        snprintf(by, sizeof by, " (needed by %.100s)", o->soname ? o->soname : base_name(o->path));
    w->err->environment = true;
    if (rc == -ENOENT || rc == -ENOTDIR)
        return fail(w,
                    "%.150s needs %.100s%s, which was not found in %s; install its package, or "
                    "give --root",
                    w->program, name, by, places);
    return fail(w, "%.150s needs %.100s%s, which cannot be opened: %s", w->program, name, by,
                strerror(-rc));
}

/* What name stands for where object `from` needs it. NO_OBJECT: the kernel's own. */
static bool resolve(struct walk *w, const char *name, size_t from, uint16_t *dep) {
    const struct name *n = known(w, name);
    struct sr_found found;
    size_t index;
    bool ok;
    int rc;

    if (strcmp(name, "linux-vdso.so.1") == 0) {
        *dep = NO_OBJECT;
        return true;
    }
    if ((n && n->object == INTERP) || (!n && sr_search_is_musl(w->search) && is_musl_libc(name))) {
        ok = place_interp(w);
        *dep = (uint16_t)w->c->interp;
        return ok;
    }
    if (n) {
        *dep = (uint16_t)n->object;
        return true;
    }
    rc = sr_search_needed(w->search, name, &w->from[from], &w->from[0], &found);
    if (rc < 0)
        return fail_missing(w, name, from, rc);
    ok = add_file(w, &found, &w->from[from], &index) && enroll(w, name, index);
    sr_found_clear(&found);
    *dep = (uint16_t)index;
    return ok;
}

/* Breadth first: what objects from index `at` on need, and what that needs. */
static bool follow(struct walk *w, size_t at) {
    for (; at < w->c->n; at++) {
        const struct sr_object *o = w->c->objects[at];

        w->deps[at] = calloc(o->n_needed + 1, sizeof **w->deps);
        if (!w->deps[at])
            return no_memory(w);
        for (size_t k = 0; k < o->n_needed; k++)
            if (!resolve(w, o->needed[k], at, &w->deps[at][k]))
                return false;
    }
    return true;
}

static bool fail_path(struct walk *w, const char *path, const char *what, int rc) {
    w->err->environment = true;
    if (rc == -ENOSYS)
        return fail(w, "%s: --root needs a kernel that has openat2 (Linux 5.6)", path);
    return fail(w, "%s%s: %s; give a path that is there%s", what, path, strerror(-rc),
                *what ? " in the program's tree, or --root" : "");
}

static bool open_interp(struct walk *w, const char *path) {
    struct sr_found found;
    int rc;

    sr_search_loader(w->search, path);
    rc = sr_search_path(w->search, path, &found);
    if (rc < 0) {
        w->err->environment = true;
        return fail(w,
                    "%.150s needs the interpreter %.150s: %s; install its package, or give --root",
                    w->program, path, strerror(-rc));
    }
    w->interp = sr_object_open(found.file, found.path, w->err);
    w->interp_origin = folder_of(found.path);
    sr_found_clear(&found);
    return w->interp && enroll_object(w, w->interp, INTERP);
}

static bool open_start(struct walk *w) {
    struct sr_found found;
    size_t index;
    bool ok;
    int rc = sr_search_path(w->search, w->program, &found);

    if (rc < 0)
        return fail_path(w, w->program, "", rc);
    ok = add_file(w, &found, NULL, &index);
    sr_found_clear(&found);
    if (ok && w->c->objects[0]->interp)
        ok = open_interp(w, w->c->objects[0]->interp);
    ok = ok && follow(w, 0);
    if (ok && w->interp) {
        index = w->c->n;
        ok = place_interp(w) && follow(w, index);
    }
    w->c->n_start = w->c->n;
    return ok;
}

static bool open_module(struct walk *w, const char *path) {
    struct sr_found found;
    size_t before = w->c->n, index;
    bool ok;
    int rc = sr_search_path(w->search, path, &found);

    if (rc < 0)
        return fail_path(w, path, "module ", rc);
    ok = add_file(w, &found, NULL, &index) && follow(w, before);
    sr_found_clear(&found);
    if (ok)
        w->c->module[index] = true;
    return ok;
}

/* The scope of one module, breadth first: what it needs and was not there at start. */
static void rank_module(const struct walk *w, size_t module, uint16_t *ranks, uint16_t *queue) {
    size_t n = 0;

    queue[n++] = (uint16_t)module;
    ranks[module] = 1;
    for (size_t at = 0; at < n; at++) {
        const struct sr_object *o = w->c->objects[queue[at]];

        for (size_t k = 0; k < o->n_needed; k++) {
            uint16_t dep = w->deps[queue[at]][k];

            if (dep == NO_OBJECT || dep < w->c->n_start || ranks[dep])
                continue;
            queue[n++] = dep;
            ranks[dep] = (uint16_t)n;
        }
    }
}

static bool make_scopes(struct walk *w) {
    struct sr_closure *c = w->c;
    uint16_t queue[SR_CLOSURE_MAX];
    size_t n_scopes = 0;
    uint16_t *ranks;

    for (size_t i = c->n_start; i < c->n; i++)
        n_scopes += c->module[i];
    ranks = calloc(n_scopes * c->n + 1, sizeof *ranks);
    if (!ranks)
        return no_memory(w);
    n_scopes = 0;
    for (size_t i = c->n_start; i < c->n; i++)
        if (c->module[i])
            rank_module(w, i, ranks + c->n * n_scopes++, queue);
    c->private_ = sr_bind_new(c, ranks, n_scopes, sr_search_is_musl(w->search));
    return c->private_ || no_memory(w);
}

static bool walk(struct walk *w, const struct sr_closure_request *r) {
    int rc = sr_search_new(r->root, &w->search);

    if (rc < 0)
        return fail_path(w, r->root ? r->root : "/", "", rc);
    if (!open_start(w))
        return false;
    for (size_t i = 0; i < r->n_modules; i++)
        if (!open_module(w, r->modules[i]))
            return false;
    return make_scopes(w);
}

static void end_walk(struct walk *w) {
    sr_search_free(w->search);
    tdestroy(w->names, free);
    for (size_t i = 0; i < SR_CLOSURE_MAX; i++) {
        free(w->from[i].origin);
        free(w->deps[i]);
    }
    sr_object_close(w->interp);
    free(w->interp_origin);
    free(w);
}

struct sr_closure *sr_closure_open(const struct sr_closure_request *r,
                                   struct sr_object_error *err) {
    struct sr_closure *c = calloc(1, sizeof *c);
    struct walk *w = calloc(1, sizeof *w);
    bool ok = false;

    memset(err, 0, sizeof *err);
    if (c) {
        c->interp = SIZE_MAX;
        c->objects = calloc(SR_CLOSURE_MAX, sizeof(void *));
        c->module = calloc(SR_CLOSURE_MAX, sizeof *c->module);
    }
    if (w) {
        w->c = c;
        w->program = r->program;
        w->err = err;
        ok = c && c->objects && c->module ? walk(w, r) : no_memory(w);
        end_walk(w);
    }
    if (!ok) {
        sr_closure_close(c);
        return NULL;
    }
    return c;
}

void sr_closure_close(struct sr_closure *c) {
    if (!c)
        return;
    sr_bind_free(c->private_);
    for (size_t i = 0; i < c->n; i++)
        sr_object_close(c->objects[i]);
    for (size_t i = 0; i < c->n_notes; i++)
        free(c->notes[i]);
    free((void *)c->objects);
    free((void *)c->notes);
    free(c->module);
    free(c);
}
