/*
 * The report as text, for people: sets first, then what is uncertain, then the curve.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "names.h"
#include "report.h"

#define WIDTH       78
#define INDENT      13
#define PLOT_WIDTH  60
#define PLOT_HEIGHT 10

static void put_counted(FILE *to, const char *what, const struct sr_set *set) {
    unsigned n = sr_set_count(set);

    fprintf(to, "  %-22s %4u\n", what, n);
    if (n)
        sr_report_put_names(to, set, 8);
}

struct environment {
    FILE *to;
    int column;
};

static void put_environment(void *arg, const char *key, const char *value) {
    struct environment *e = arg;
    int n = (int)(strlen(key) + strlen(value)) + 3;

    if (strcmp(key, "user") == 0)
        return; /* stands above */
    if (e->column && e->column + n > WIDTH) {
        fputs(",\n             ", e->to);
        e->column = INDENT;
    } else {
        fputs(e->column ? ", " : "environment  ", e->to);
    }
    e->column = (e->column ? e->column : INDENT) + n;
    fprintf(e->to, "%s %s", key, value);
}

static void put_head(const struct sr_report *r, FILE *to) {
    struct environment e = {to, 0};
    char when[32];

    fprintf(to, "%s, %s\n", r->c.program,
            r->c.instrumented ? "fuzzed as an instrumented build, confirmed on the stock binary"
                              : "stock binary");
    fprintf(to, "campaign     %s, %s%s%s\n", r->c.dir, sr_report_state(r),
            r->end_reason[0] && !r->running ? ": " : "", r->running ? "" : r->end_reason);
    if (!r->store)
        fprintf(to,
                "note         %s: %s; this report is made from the union and the discovery "
                "folders: no seed set, no replays, no curve\n",
                SR_DIR_DB, r->why_no_store);
    fprintf(to, "effort       %s, %u instance%s, %" PRIu64 " inputs",
            sr_time_print(r->elapsed_ms, when), r->c.instances, r->c.instances > 1 ? "s" : "",
            r->sum.finished);
    if (r->elapsed_ms)
        fprintf(to, " (%.0f/s)", sr_report_rate(r));
    if (r->kept >= 0)
        fprintf(to, ", %ld kept, %ld seeds", r->kept, r->seeds);
    fprintf(to, ", %" PRIu64 " call sites\n", r->sites);
    sr_report_put_depths(r, "             ", to);
    sr_report_put_user(r, to);
    if (r->store) {
        sr_store_each_environment(r->store, put_environment, &e);
        fputc('\n', to);
    }
}

static void put_call(const struct sr_report_call *c, FILE *to) {
    char name[SR_CALL_NAME_BYTES], when[32];

    fprintf(to, "  %-24s %-8s", sr_call_name(c->call, name), sr_origin_name(c->origin));
    if (c->found) {
        fprintf(to, " %11s %9" PRIu64 " ", sr_time_print(c->d.time_ms, when), c->d.input);
        if (c->d.state == SR_STATE_PENDING)
            fprintf(to, "%7s", "-");
        else
            fprintf(to, "%4u/%-2u", c->d.replayed, c->d.replays);
    } else {
        fprintf(to, " %11s %9s %7s", "-", "-", "-");
    }
    fprintf(to, "  %s\n",
            c->witness[0]                    ? c->witness
            : c->origin == SR_ORIGIN_STARTUP ? "any run"
                                             : "none");
}

static void put_escaped(FILE *to, const char *text) {
    char *safe = sr_setfile_escape(text, false);

    fputs(safe ? safe : "?", to);
    free(safe);
}

/* A line for each bound, and how much of the tight one was observed. */
static void put_bound_sizes(const struct sr_report_bound *b, FILE *to) {
    static const enum sr_policy policies[] = {SR_POLICY_TIGHT, SR_POLICY_SOUND};
    const struct sr_bound_view *tight = &b->view[SR_POLICY_TIGHT];
    unsigned seen = sr_report_bound_seen(b, SR_POLICY_TIGHT),
             all = sr_set_count(&tight->result->set);

    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        const struct sr_bound_view *v = &b->view[policies[i]];
        size_t n = v->result->n_unresolved;
        char what[32];

        snprintf(what, sizeof what, "bound (%s)", sr_policy_name(policies[i]));
        fprintf(to, "  %-22s %4u, ", what, sr_set_count(&v->result->set));
        if (sr_bound_closed(v))
            fputs("closed\n", to);
        else
            fprintf(to, "not closed: %zu site%s whose number is not known\n", n, n == 1 ? "" : "s");
    }
    fprintf(to, "  observed of the tight bound  %u of %s%u", seen,
            sr_bound_closed(tight) ? "" : "at least ", all);
    if (all)
        fprintf(to, " (%.1f %%)", 100.0 * seen / all);
    fputc('\n', to);
}

static void put_image(const struct sr_report *r, unsigned i, FILE *to) {
    const struct sr_report_image *image = &r->images[i];
    struct sr_set beyond = sr_report_beyond(image);

    fprintf(to, "\n%s: %u calls observed\n", image->path, sr_set_count(&image->observed));
    if (i == 0)
        fprintf(to, "  %-22s %4u\n", "start-up set", sr_set_count(&image->startup));
    if (r->store)
        fprintf(to, "  %-22s %4u  (whole runs, start-up included)\n", "seed set",
                sr_set_count(&image->seeds));
    put_counted(to, r->store ? "fuzzing added" : "after start-up", &beyond);
    if (sr_set_count(&image->attempted))
        put_counted(to, "attempted, refused by the program's own filter", &image->attempted);
    if (image->slot == 0 && r->bound && r->bound->computed)
        put_bound_sizes(r->bound, to);
    sr_report_put_roles(r, image->slot, to);
    fprintf(to, "\n  %-24s %-8s %11s %9s %7s  %s\n", "call", "origin", "first", "input", "replays",
            "witness");
    for (size_t k = 0; k < r->n_calls; k++)
        if (r->calls[k].image == i)
            put_call(&r->calls[k], to);
}

/* The name of a step's place. */
static void put_step(const struct sr_bound_view *v, const struct sr_step *s, FILE *to) {
    char name[SR_PLACE_BYTES];

    sr_bound_name(v->bound, s->object, s->at, name, sizeof name);
    put_escaped(to, name);
}

/* A chain's most telling places: the last function of the program itself and what it leads to, or
 * the root where the program has no part; then the function that enters the kernel. */
static void put_places(const struct sr_bound_view *v, const struct sr_report_gap *g, FILE *to) {
    int last = g->n - 1, at = -1;

    if (last > 0 && g->steps[last].kind == SR_STEP_SITE)
        last--;
    for (int i = 0; i <= last; i++)
        if (g->steps[i].object == 0 && !g->steps[i].data)
            at = i;
    if (at < 0) {
        at = 0;
        fprintf(to, "%s: ", g->steps[0].why ? g->steps[0].why : "root");
        put_step(v, &g->steps[0], to);
    } else {
        put_step(v, &g->steps[at], to);
        if (at < last) {
            fputs(" > ", to);
            put_step(v, &g->steps[++at], to);
        }
    }
    if (at < last) {
        fputs(at + 1 < last ? " … " : " > ", to);
        put_step(v, &g->steps[last], to);
    }
    fputc('\n', to);
}

static void put_gap(const struct sr_report_bound *b, FILE *to) {
    const struct sr_bound_view *tight = &b->view[SR_POLICY_TIGHT];
    struct sr_set loose;
    char name[SR_CALL_NAME_BYTES];

    fprintf(to, "\nin the tight bound, not observed (%s%zu):\n",
            sr_bound_closed(tight) ? "" : "at least ", b->n_tight_gap);
    if (b->n_tight_gap)
        fprintf(to, "  %-24s %5s %11s  %s\n", "call", "steps", "by address", "from … to");
    for (size_t i = 0; i < b->n_tight_gap; i++) {
        const struct sr_report_gap *g = &b->gap[i];

        fprintf(to, "  %-24s %5d %11d  ", sr_call_name(g->call, name), g->n,
                g->kinds.taken + g->kinds.data);
        put_places(tight, g, to);
    }
    sr_set_clear(&loose);
    for (size_t i = b->n_tight_gap; i < b->n_gap; i++)
        sr_set_add(&loose, b->gap[i].call);
    fprintf(to, "only in the sound bound, not observed (%s%zu):\n",
            sr_bound_closed(&b->view[SR_POLICY_SOUND]) ? "" : "at least ",
            b->n_gap - b->n_tight_gap);
    if (b->n_gap > b->n_tight_gap)
        sr_report_put_names(to, &loose, 8);
}

/* Names and paths are the target's. */
static void put_frame(const struct sr_report_frame *f, const char *between, FILE *to) {
    put_escaped(to, f->name);
    fputs(between, to);
    put_escaped(to, f->object);
}

static void put_frames(const struct sr_report_violation *v, FILE *to) {
    for (size_t i = 0; i < v->n; i++) {
        const struct sr_report_frame *f = &v->frames[i];

        fprintf(to, "    #%-2zu %-18s ", i, sr_frame_verdict_name(f->verdict));
        put_frame(f, "  ", to);
        if (f->address)
            fprintf(to, " (0x%" PRIx64 ")", f->address);
        fputc('\n', to);
    }
    if (!v->n) {
        fputs("    there is no call stack of the stock binary at it\n", to);
    } else if (v->cause < 0) {
        fputs("    every frame is reachable: the bound lacks the number that #0 uses\n", to);
    } else {
        fprintf(to, "    the cause: #%d, ", v->cause);
        put_frame(&v->frames[v->cause], " of ", to);
        fputs(v->frames[v->cause].verdict == SR_FRAME_OUTSIDE
                  ? ", is outside of what the bound knows\n"
                  : ", is code that the bound does not reach\n",
              to);
    }
}

static void put_violations(const struct sr_report_bound *b, FILE *to) {
    bool closed = sr_bound_closed(&b->view[SR_POLICY_TIGHT]);
    char name[SR_CALL_NAME_BYTES];

    if (b->n_violations)
        fprintf(to,
                "\nBOUND VIOLATED (%zu): these calls were observed and the bound does not have "
                "them;\nthis is a fault of the bound or a module that it was not given%s\n",
                b->n_violations,
                closed ? "" : ", or one of\nthe sites whose number is not known made them");
    for (size_t i = 0; i < b->n_violations; i++) {
        const struct sr_report_violation *v = &b->violations[i];

        fprintf(to, "  %-24s in %s  %s\n", sr_call_name(v->call, name),
                v->in_sound ? "the sound bound only" : "neither bound",
                v->witness[0] ? v->witness : "any run");
        put_frames(v, to);
    }
    if (b->n_explained)
        fprintf(to, "\nobserved, not made by the program's code and not in the bound (%zu):\n",
                b->n_explained);
    for (size_t i = 0; i < b->n_explained; i++)
        fprintf(to, "  %-24s %s\n", sr_call_name(b->explained[i].call, name),
                b->explained[i].reason);
}

static void put_bound(const struct sr_report_bound *b, FILE *to) {
    if (b->computed) {
        put_violations(b, to);
        put_gap(b, to);
    }
    for (size_t i = 0; i < b->notes.n; i++) {
        fputs(i ? "" : "\n", to);
        fputs("note on the bound: ", to);
        put_escaped(to, b->notes.items[i]);
        fputc('\n', to);
    }
}

static void put_unsteady(const struct sr_report *r, FILE *to) {
    char name[SR_CALL_NAME_BYTES];
    unsigned pending = 0, bare = 0, n = 0;

    for (size_t i = 0; i < r->n_calls; i++) {
        const struct sr_report_call *c = &r->calls[i];

        pending += c->found && c->d.state == SR_STATE_PENDING;
        bare += !c->witness[0] && c->origin != SR_ORIGIN_STARTUP;
        if (!c->found || c->d.state != SR_STATE_UNSTEADY)
            continue;
        if (!n++)
            fprintf(to, "\nunsteady: fewer than %d of %d replays made the call again\n",
                    SR_REPLAYS_STEADY, SR_REPLAYS);
        fprintf(to, "  %-24s %2u of %-2u  %s\n", sr_call_name(c->call, name), c->d.replayed,
                c->d.replays, r->images[c->image].path);
    }
    if (!n)
        fprintf(to, "\nunsteady: none\n");
    if (pending && r->store)
        fprintf(to, "not replayed yet: %u calls\n", pending);
    if (bare)
        fprintf(to, "without a witness (its folder could not be written): %u calls\n", bare);
}

/* What only the instrumented build made. */
static void put_candidates(const struct sr_report *r, FILE *to) {
    char name[SR_CALL_NAME_BYTES];

    if (!r->c.instrumented)
        return;
    fprintf(to, "\ncandidates that the stock binary has not made (not part of the set):\n");
    for (long i = 0; i < r->n_discoveries; i++) {
        const struct sr_discovery *d = &r->discoveries[i];
        const char *image = sr_union_image_path(r->hooked, d->image);

        if (d->state == SR_STATE_REFUTED || d->state == SR_STATE_PENDING)
            fprintf(to, "  %-24s %-8s %2u of %-2u  %s\n", sr_call_name(d->call, name),
                    sr_state_name(d->state), d->replayed, d->replays, image ? image : "?");
    }
}

/* Calls of the reference that were not observed, with what is known of the reason. */
static void put_missing(const struct sr_report *r, const struct sr_set *missing, FILE *to) {
    char name[SR_CALL_NAME_BYTES];
    struct sr_names *names;

    if (!r->bound || !r->bound->computed || !(names = malloc(sizeof *names))) {
        put_counted(to, "only in the reference", missing);
        return;
    }
    fprintf(to, "  %-22s %4u\n", "only in the reference", sr_set_count(missing));
    sr_names_of(missing, names);
    for (size_t i = 0; i < names->n; i++) {
        struct sr_call call;

        if (sr_call_parse(names->name[i], strlen(names->name[i]), &call))
            fprintf(to, "        %-24s %s\n", sr_call_name(call, name), sr_report_reason(r, call));
    }
    free(names);
}

static void put_reference(const struct sr_report *r, FILE *to) {
    struct sr_set all = sr_union_all(r->u), both, missing, unknown, extra;
    struct sr_call c;

    if (!r->has_reference)
        return;
    for (unsigned i = 0; i < r->n_images; i++)
        sr_set_merge(&all, &r->images[i].observed);
    both = sr_set_intersect(&r->reference, &all);
    missing = sr_set_minus(&r->reference, &all);
    extra = sr_set_minus(&all, &r->reference);
    sr_set_clear(&unknown);
    for (unsigned at = 0; sr_set_next(&missing, &at, &c);)
        if (!sr_call_known(c))
            sr_set_add(&unknown, c);
    fprintf(to, "\nreference \"%s\": %u calls, against all images\n", r->c.reference,
            sr_set_count(&r->reference));
    put_counted(to, "in both", &both);
    put_missing(r, &missing, to);
    if (sr_set_count(&unknown))
        put_counted(to, "  of these unknown here", &unknown);
    put_counted(to, "only observed", &extra);
}

static void put_note(void *arg, const char *key, const char *value) {
    char when[32];

    fprintf(arg, "  %s %s\n", sr_time_print(strtoull(key, NULL, 10), when), value);
}

static void put_counters(const struct sr_report *r, FILE *to) {
    fprintf(to,
            "\ninputs: %" PRIu64 " crashes, %" PRIu64 " over their time, %" PRIu64
            " with processes left over, %" PRIu64 " cut short\n",
            r->sum.crashes, r->sum.timeouts, r->sum.leftover, r->sum.cut);
    fprintf(to, "signals to processes outside the run, not delivered: %" PRIu64 "\n",
            r->sum.denied);
    fprintf(to,
            "lost for want of room: %" PRIu64 " call sites, %" PRIu64 " names, %" PRIu64
            " sets with unknown calls\n",
            r->hooked->sites_lost, r->hooked->names_lost, r->sets_lost);
    if (r->sum.unwitnessed)
        fprintf(to, "discoveries whose evidence could not be written: %" PRIu64 "\n",
                r->sum.unwitnessed);
    if (r->hooked->roles_cut)
        fprintf(to, "inputs with more processes than roles can tell apart: %" PRIu64 "\n",
                r->hooked->roles_cut);
    if (r->store && sr_store_count(r->store, "notes") > 0) {
        fprintf(to, "problems:\n");
        sr_store_each_note(r->store, put_note, to);
    }
}

void sr_report_text(const struct sr_report *r, FILE *to) {
    put_head(r, to);
    for (unsigned i = 0; i < r->n_images; i++)
        put_image(r, i, to);
    if (r->bound)
        put_bound(r->bound, to);
    put_unsteady(r, to);
    put_candidates(r, to);
    put_reference(r, to);
    put_counters(r, to);
    sr_report_plot(r, to);
    fprintf(to, "\nA call that no image lists was not observed. More: sysreach show %s CALL\n",
            r->c.dir);
}

/* The calls that were observed by then. */
static uint64_t calls_at(const struct sr_report *r, double ms) {
    long lo = 0, hi = r->n_samples - 1;

    while (lo < hi) {
        long mid = (lo + hi + 1) / 2;
        if ((double)r->samples[mid].time_ms <= ms)
            lo = mid;
        else
            hi = mid - 1;
    }
    return r->samples[lo].calls;
}

/* x with x^n = value, for value >= 1: one column to the next on a logarithmic axis. */
static double root(double value, int n) {
    double lo = 1, hi = value;

    for (int i = 0; i < 100; i++) {
        double mid = (lo + hi) / 2, power = 1;

        for (int k = 0; k < n; k++)
            power *= mid;
        if (power < value)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

void sr_report_plot(const struct sr_report *r, FILE *to) {
    uint64_t column[PLOT_WIDTH], lowest, highest;
    char when[32];

    if (r->n_samples < 2 || r->samples[r->n_samples - 1].time_ms < 2000)
        return;
    double end = (double)r->samples[r->n_samples - 1].time_ms;
    double at = 1000, step_x = root(end / 1000, PLOT_WIDTH - 1);
    for (int i = 0; i < PLOT_WIDTH; i++, at *= step_x)
        column[i] = calls_at(r, i == PLOT_WIDTH - 1 ? end : at);
    lowest = column[0];
    highest = column[PLOT_WIDTH - 1];
    fprintf(to, "\ncalls observed, all images, over time (logarithmic)\n");
    uint64_t step = (highest - lowest) / PLOT_HEIGHT + 1;
    for (uint64_t top = lowest + (highest - lowest) / step * step;; top -= step) {
        fprintf(to, "%5" PRIu64 " |", top);
        int last = PLOT_WIDTH - 1;
        for (int i = 0; i <= last; i++)
            fputc(column[i] >= top && column[i] < top + step ? '*' : ' ', to);
        fputc('\n', to);
        if (top <= lowest)
            break;
    }
    fprintf(to, "      +");
    for (int i = 0; i < PLOT_WIDTH; i++)
        fputc('-', to);
    fprintf(to, "\n       %-*s%s\n", PLOT_WIDTH - 8, "00:00:01",
            sr_time_print((uint64_t)end, when));
}
