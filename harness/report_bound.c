/*
 * The bound of a campaign's program, see report_bound.h.
 */
#include "report_bound.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "backtrace.h"
#include "commands.h"
#include "layout.h"
#include "names.h"
#include "paths.h"
#include "report.h"

#define BACKTRACE_BYTES_MAX (1u << 20)

/* Calls that no instruction of the program makes; the name is without the entry's prefix. */
static const struct {
    const char *name, *reason;
    bool launch; /* holds only before main */
} kernels[] = {
    {"execve", "made by the launch: it starts the program", true},
    {"restart_syscall", "made by the kernel: a wait goes on after a stop", false},
    {"rt_sigreturn", "made by the return from a signal handler", false},
    {"sigreturn", "made by the return from a signal handler", false},
};

const char *sr_frame_verdict_name(enum sr_frame_verdict verdict) {
    static const char *const names[] = {
        [SR_FRAME_REACHABLE] = "reachable",
        [SR_FRAME_NOT_REACHABLE] = "not reachable",
        [SR_FRAME_NO_CODE] = "no known code",
        [SR_FRAME_OUTSIDE] = "outside the bound",
    };

    return names[verdict];
}

/* A lack of memory here loses a note. */
static void note(struct sr_report_bound *b, const char *format, const char *text) {
    char *line = NULL;

    if (asprintf(&line, format, text) >= 0)
        sr_list_add(&b->notes, line);
    free(line);
}

struct build_check {
    struct sr_report_bound *b;
    const char *id; /* of the program's file now */
};

static void check_build(void *arg, const char *key, const char *value) {
    const struct build_check *c = arg;

    if (strcmp(key, "program_build_id") == 0 && strcmp(value, c->id) != 0)
        note(c->b,
             "the program is not the one that the campaign ran (build-id %s): the bound is of "
             "another build",
             value);
}

/* The modules, and what is to be said about them and the program. False: there is no bound. */
static bool read_modules(struct sr_report_bound *b, const struct sr_report *r) {
    struct sr_closure_request bare = {.program = r->c.program};
    struct sr_observed seen = {.modules = &b->modules, .remarks = &b->notes};
    struct sr_object_error err;
    struct sr_closure *start = sr_closure_open(&bare, &err);
    struct build_check check = {b, NULL};

    if (!start) {
        note(b, "there is no bound: %s", err.text);
        return false;
    }
    check.id = start->objects[0]->build_id;
    if (r->store)
        sr_store_each_environment(r->store, check_build, &check);
    if (sr_bound_observed(r->c.dir, start, NULL, &seen) != SR_EXIT_OK)
        note(b, "%s: what the program mapped is not known; the bound has no modules", r->c.dir);
    sr_closure_close(start);
    return true;
}

static bool compute(struct sr_report_bound *b, const struct sr_report *r) {
    struct sr_closure_request closure = {.program = r->c.program};
    struct sr_object_error err;

    if (!read_modules(b, r))
        return false;
    closure.modules = (const char *const *)b->modules.items;
    closure.n_modules = b->modules.n;
    if (!sr_bound_both(&closure, b->bound, &err)) {
        note(b, "there is no bound: %s", err.text);
        return false;
    }
    for (int i = 0; i < 2; i++) {
        b->request[i] = (struct sr_bound_request){closure, (enum sr_policy)i};
        if (!sr_bound_view_init(&b->view[i], b->bound[i], &b->request[i])) {
            note(b, "there is no bound: %s", "out of memory");
            return false;
        }
    }
    for (size_t i = 0; i < b->view[0].closure->n_notes; i++)
        note(b, "%s", b->view[0].closure->notes[i]);
    return true;
}

static const struct sr_set *set_of(const struct sr_report_bound *b, enum sr_policy policy) {
    return &b->view[policy].result->set;
}

unsigned sr_report_bound_seen(const struct sr_report_bound *b, enum sr_policy policy) {
    struct sr_set both = sr_set_intersect(&b->observed, set_of(b, policy));

    return sr_set_count(&both);
}

const struct sr_report_gap *sr_report_bound_gap(const struct sr_report_bound *b,
                                                struct sr_call call) {
    for (size_t i = 0; i < b->n_gap; i++)
        if (sr_call_equal(b->gap[i].call, call))
            return &b->gap[i];
    return NULL;
}

static int by_name(struct sr_call a, struct sr_call b) {
    char an[SR_CALL_NAME_BYTES], bn[SR_CALL_NAME_BYTES];

    return strcmp(sr_call_name(a, an), sr_call_name(b, bn));
}

/* What rests on least first. */
static int by_weight(const void *a, const void *b) {
    const struct sr_report_gap *x = a, *y = b;
    int held = x->kinds.taken + x->kinds.data - y->kinds.taken - y->kinds.data;

    if (x->in_tight != y->in_tight)
        return x->in_tight ? -1 : 1;
    if (held)
        return held;
    return x->n != y->n ? x->n - y->n : by_name(x->call, y->call);
}

static bool find_gap(struct sr_report_bound *b) {
    struct sr_set all = *set_of(b, SR_POLICY_SOUND), open;
    struct sr_call call;

    sr_set_merge(&all, set_of(b, SR_POLICY_TIGHT));
    open = sr_set_minus(&all, &b->observed);
    b->gap = calloc(sr_set_count(&open) + 1, sizeof *b->gap);
    for (unsigned at = 0; b->gap && sr_set_next(&open, &at, &call);) {
        struct sr_report_gap *g = &b->gap[b->n_gap++];

        g->call = call;
        g->in_tight = sr_set_has(set_of(b, SR_POLICY_TIGHT), call);
        b->n_tight_gap += g->in_tight;
        g->n = sr_bound_why(b->bound[g->in_tight ? SR_POLICY_TIGHT : SR_POLICY_SOUND], call,
                            &g->steps);
        if (g->n < 0)
            return false;
        g->kinds = sr_chain_kinds(g->steps, g->n);
    }
    if (!b->gap)
        return false;
    qsort(b->gap, b->n_gap, sizeof *b->gap, by_weight);
    return true;
}

/* Why a call that no code of the program makes was observed; NULL: nothing explains it. */
static const char *explain(const struct sr_report *r, const struct sr_report_call *c) {
    const struct sr_report_image *image = &r->images[c->image];
    char buf[SR_CALL_NAME_BYTES];
    const char *name = sr_call_name(c->call, buf), *colon = strchr(name, ':');
    bool later = c->found || sr_set_has(&r->u->images[image->slot].calls, c->call);

    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(colon ? colon + 1 : name, kernels[i].name) == 0 &&
            (!kernels[i].launch || (c->origin == SR_ORIGIN_STARTUP && !later)))
            return kernels[i].reason;
    return NULL;
}

static bool is_ours(const char *path) {
    size_t n = strlen(path), m = strlen("/" SR_HOOK_LIBRARY);

    return n >= m && strcmp(path + n - m, "/" SR_HOOK_LIBRARY) == 0;
}

/* "#0  0x00007f0c5b2f6a40 write+0x10  /usr/lib/libc.so.6 (0xf7a40)", as backtrace.h has it. Points
 * into the line. */
static bool parse_frame(char *line, struct sr_report_frame *f) {
    char *name = strstr(line, " 0x"), *object, *end;

    *f = (struct sr_report_frame){.verdict = SR_FRAME_OUTSIDE};
    name = *line == '#' && name ? strchr(name + 1, ' ') : NULL;
    object = name ? strstr(++name, "  ") : NULL;
    if (!object)
        return false;
    *object = 0;
    f->name = name;
    f->object = object += 2;
    end = strrchr(object, '(');
    if (end && end > object && end[-1] == ' ' && strncmp(end, "(0x", 3) == 0) {
        f->address = strtoull(end + 1, NULL, 16);
        end[-1] = 0;
    }
    return true;
}

/* From the outermost frame on, the first that the bound does not reach from one that it does; what
 * lies further out may be an unwinder's guess. */
static int find_cause(const struct sr_report_frame *frames, size_t n) {
    int last = -1;

    for (size_t i = n; i--;) {
        if (frames[i].verdict == SR_FRAME_REACHABLE)
            continue;
        if (i + 1 < n && frames[i + 1].verdict == SR_FRAME_REACHABLE)
            return (int)i;
        last = last < 0 ? (int)i : last;
    }
    return last;
}

/* Frames up to the hook's, which called main. False: out of memory. */
static bool read_frames(const struct sr_report *r, const struct sr_discovery *d,
                        const struct sr_bound_view *v, struct sr_report_violation *out) {
    char folder[NAME_MAX + 1], part[2 * NAME_MAX], path[PATH_MAX], *text, *rest = NULL;
    struct sr_report_frame f;
    bool fits = true;

    sr_discovery_name(d->image, d->call, folder);
    snprintf(part, sizeof part, "%s/%s/backtrace", SR_DIR_DISCOVERIES, folder);
    text =
        sr_campaign_path(&r->c, part, path) ? sr_file_read(path, BACKTRACE_BYTES_MAX, NULL) : NULL;
    if (!text)
        return true;
    out->frames = calloc(SR_BACKTRACE_FRAMES, sizeof *out->frames);
    fits = out->frames != NULL;
    for (char *line = strtok_r(text, "\n", &rest); fits && line && out->n < SR_BACKTRACE_FRAMES &&
                                                   parse_frame(line, &f) && !is_ours(f.object);
         line = strtok_r(NULL, "\n", &rest)) {
        f.name = strdup(f.name);
        f.object = strdup(f.object);
        fits = f.name && f.object;
        if (fits && f.object[0] == '/')
            f.verdict = sr_bound_check_frame(v, f.object, f.address);
        out->frames[out->n++] = f;
    }
    free(text);
    return fits;
}

/* Calls of the program that a bound does not have. */
static bool find_violations(struct sr_report_bound *b, const struct sr_report *r) {
    b->violations = calloc(r->n_calls + 1, sizeof *b->violations);
    b->explained = calloc(r->n_calls + 1, sizeof *b->explained);
    for (size_t i = 0; b->violations && b->explained && i < r->n_calls; i++) {
        const struct sr_report_call *c = &r->calls[i];
        bool in_sound = sr_set_has(set_of(b, SR_POLICY_SOUND), c->call);
        struct sr_report_violation *v = &b->violations[b->n_violations];
        const char *reason;

        if (r->images[c->image].slot != 0 ||
            (in_sound && sr_set_has(set_of(b, SR_POLICY_TIGHT), c->call)))
            continue;
        reason = explain(r, c);
        if (reason) {
            b->explained[b->n_explained++] = (struct sr_report_explained){c->call, reason};
            continue;
        }
        b->n_violations++;
        v->call = c->call;
        v->in_sound = in_sound;
        memcpy(v->witness, c->witness, sizeof v->witness);
        /* An instrumented build's addresses are its own. */
        if (c->found && !r->c.instrumented &&
            !read_frames(r, &c->d, &b->view[in_sound ? SR_POLICY_TIGHT : SR_POLICY_SOUND], v))
            return false;
        v->cause = find_cause(v->frames, v->n);
    }
    return b->violations && b->explained;
}

struct sr_report_bound *sr_report_bound_new(const struct sr_report *r) {
    struct sr_report_bound *b = calloc(1, sizeof *b);

    if (!b || !compute(b, r))
        return b;
    for (unsigned i = 0; i < r->n_images; i++)
        if (r->images[i].slot == 0)
            b->observed = r->images[i].observed;
    b->computed = find_gap(b) && find_violations(b, r);
    if (!b->computed)
        note(b, "there is no bound: %s", "out of memory");
    return b;
}

void sr_report_bound_free(struct sr_report_bound *b) {
    if (!b)
        return;
    for (size_t i = 0; i < b->n_gap; i++)
        free(b->gap[i].steps);
    for (size_t i = 0; b->violations && i < b->n_violations; i++) {
        for (size_t k = 0; k < b->violations[i].n; k++) {
            free(b->violations[i].frames[k].name);
            free(b->violations[i].frames[k].object);
        }
        free(b->violations[i].frames);
    }
    free(b->gap);
    free(b->violations);
    free(b->explained);
    for (int i = 0; i < 2; i++) {
        sr_bound_view_free(&b->view[i]);
        sr_bound_free(b->bound[i]);
    }
    sr_list_free(&b->modules);
    sr_list_free(&b->notes);
    free(b);
}
