/*
 * Chains, unresolved sites and counts as text, see bound_print.h.
 *
 * Paths come from files and folders that may be somebody else's; they are escaped like those in set
 * files before they reach a terminal.
 */
#include "bound_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void print_escaped(const char *text) {
    char *safe = sr_setfile_escape(text, false);

    fputs(safe ? safe : "?", stdout);
    free(safe);
}

static void print_place(const struct sr_bound_view *v, uint32_t object, uint64_t at) {
    char place[SR_PLACE_BYTES];

    sr_bound_place(v, object, at, place, sizeof place);
    print_escaped(place);
}

struct sr_chain_kinds sr_chain_kinds(const struct sr_step *steps, int n) {
    struct sr_chain_kinds k = {n, 0, 0};

    for (int i = 0; i < n; i++) {
        k.taken += steps[i].kind == SR_STEP_TAKEN;
        k.data += steps[i].kind == SR_STEP_DATA;
    }
    return k;
}

/* A step's sentence: what happens, the place it leads to, and where in the step before. */
static const struct phrase {
    const char *what, *where, *end;
} phrases[] = {
    [SR_STEP_ENTRY] = {"begins in", "", ""},
    [SR_STEP_CALL] = {"calls", "at", ""},
    [SR_STEP_SLOT] = {"calls through the GOT", "bound by the loader, at", ""},
    [SR_STEP_TAKEN] = {"takes the address of", "at", "; someone may call it"},
    [SR_STEP_DATA] = {"holds the address of", "in the word at", "; someone may call it"},
    [SR_STEP_NAMES] = {"names the data at", "at", ""},
    [SR_STEP_SITE] = {"enters the kernel at", "", ""},
};

/* before: the step before, NULL for the first. name: the call's. */
static void print_step(const struct sr_bound_view *v, const char *name,
                       const struct sr_step *before, const struct sr_step *s) {
    const struct phrase *p = &phrases[s->kind];

    printf("%s ", p->what);
    print_place(v, s->object, s->at);
    if (s->kind == SR_STEP_SITE) {
        printf(": %s", name);
    } else if (before && s->from) {
        printf(", %s ", p->where);
        print_escaped(sr_bound_file(v, before->object));
        printf("+0x%" PRIx64, s->from);
    }
    fputs(p->end, stdout);
    if (s->why)
        printf(": %s", s->why);
    putchar('\n');
}

static void print_sum(struct sr_chain_kinds k) {
    int held = k.taken + k.data;

    if (!held)
        printf("      %d steps, direct calls only\n", k.steps);
    else
        printf("      %d of %d steps %s: someone may call %s\n", held, k.steps,
               held == 1 ? "is an address that is taken or held"
                         : "are addresses that are taken or held",
               held == 1 ? "it" : "them");
}

void sr_bound_print_chain(const struct sr_bound_view *v, const char *name,
                          const struct sr_step *steps, int n) {
    printf("%s is in the %s bound of ", name, sr_policy_name(v->request->policy));
    print_escaped(v->paths[0]);
    putchar('\n');
    for (int i = 0; i < n; i++) {
        printf("%4d  ", i + 1);
        print_step(v, name, i ? &steps[i - 1] : NULL, &steps[i]);
    }
    print_sum(sr_chain_kinds(steps, n));
}

void sr_bound_print_unresolved(const struct sr_bound_view *v) {
    const struct sr_bound_result *r = v->result;

    for (size_t i = 0; i < r->n_unresolved; i++) {
        const struct sr_bound_unresolved *u = &r->unresolved[i];
        char name[SR_PLACE_BYTES];

        if (!i)
            printf("%-24s %-12s %-32s %s\n", "object", "address", "function", "why");
        sr_bound_name(v->bound, u->object, u->at, name, sizeof name);
        printf("%-24s 0x%-10" PRIx64 " %-32s %s\n", sr_bound_file(v, u->object), u->at, name,
               u->why);
    }
    printf("%zu unresolved of %" PRIu64 " reachable sites; the %s bound is %s\n", r->n_unresolved,
           r->reachable_sites, sr_policy_name(v->request->policy),
           sr_bound_closed(v) ? "closed" : "not closed");
}

static void print_counts(const char *name, const struct sr_bound_object *o) {
    printf("%10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %6" PRIu64
           " %6" PRIu64 "  ",
           o->functions, o->reachable_functions, o->code_bytes, o->decoded_bytes,
           o->reachable_bytes, o->sites, o->reachable_sites);
    print_escaped(name);
    puts(o->module ? " (module)" : "");
}

long sr_bound_peak_kib(void) {
    struct rusage use;

    return getrusage(RUSAGE_SELF, &use) ? 0 : use.ru_maxrss;
}

void sr_bound_print_stats(const struct sr_bound_view *v) {
    struct sr_bound_object sum = sr_bound_total(v->result);

    printf("%10s %10s %10s %10s %10s %6s %6s\n", "functions", "reachable", "code", "decoded",
           "reachable", "sites", "reach-");
    printf("%10s %10s %10s %10s %10s %6s %6s  %s\n", "", "", "bytes", "bytes", "bytes", "", "able",
           "object");
    for (size_t i = 0; i < v->result->n_objects; i++)
        print_counts(v->paths[i], &v->result->objects[i]);
    print_counts("total", &sum);
    printf("%u calls in the %s bound, %s; %zu unresolved sites\n", sr_set_count(&v->result->set),
           sr_policy_name(v->request->policy), sr_bound_closed(v) ? "closed" : "not closed",
           v->result->n_unresolved);
    printf("%.2f s of CPU time, %ld MiB of memory at most\n", v->result->seconds,
           sr_bound_peak_kib() / 1024);
}

static void print_frame(const struct sr_bound_view *v, const struct sr_bound_frame *f) {
    switch (f->verdict) {
    case SR_FRAME_NOT_REACHABLE:
        fputs("not reachable: ", stdout);
        print_place(v, (uint32_t)f->index, f->address);
        break;
    case SR_FRAME_NO_CODE:
        fputs("no code is known there: ", stdout);
        print_escaped(f->object);
        printf(", offset 0x%" PRIx64, f->offset);
        break;
    case SR_FRAME_OUTSIDE:
        fputs("outside the closure: ", stdout);
        print_escaped(f->object);
        break;
    default:
        return;
    }
    printf(", %" PRIu64 " frame%s\n", f->count, f->count == 1 ? "" : "s");
}

/* An object outside the closure is told once, with all of its frames. */
static void print_outside(const struct sr_bound_view *v, const struct sr_bound_check *c) {
    for (size_t i = 0; i < c->n;) {
        struct sr_bound_frame sum = c->frames[i];

        for (i++; i < c->n && strcmp(c->frames[i].object, sum.object) == 0; i++)
            sum.count += c->frames[i].count;
        if (sum.verdict == SR_FRAME_OUTSIDE)
            print_frame(v, &sum);
    }
}

void sr_bound_print_check(const struct sr_bound_view *v, const struct sr_bound_check *c) {
    for (size_t i = 0; i < c->n; i++)
        if (c->frames[i].verdict != SR_FRAME_OUTSIDE)
            print_frame(v, &c->frames[i]);
    print_outside(v, c);
    printf("%" PRIu64 " frames, %zu distinct, %zu not reachable, %zu in objects outside the "
           "closure\n",
           c->total, c->n, c->not_reachable, c->outside);
}
