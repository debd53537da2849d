/*
 * The static bound beside what a campaign observed of its program: which calls of the bound were
 * not observed, each with a chain to it, and which were observed although the bound does not have
 * them, each with the call stack that proves it.
 *
 * Modules are the objects that the program was seen to map. A bound that cannot be computed leaves
 * a note; nothing here fails a report.
 */
#ifndef SR_REPORT_BOUND_H
#define SR_REPORT_BOUND_H

#include <limits.h>

#include "bound_check.h"
#include "bound_observed.h"
#include "bound_print.h"

struct sr_report;

/* A call of the bound that was not observed. */
struct sr_report_gap {
    struct sr_call call;
    bool in_tight;         /* else only in the sound bound */
    struct sr_step *steps; /* by the tight bound where it has the call */
    int n;
    struct sr_chain_kinds kinds;
};

struct sr_report_frame {
    char *name;       /* "write+0x14", "-" */
    char *object;     /* "-": none */
    uint64_t address; /* in the object's own terms */
    enum sr_frame_verdict verdict;
};

/* A call that was observed, that a bound does not have, and that nothing explains. */
struct sr_report_violation {
    struct sr_call call;
    bool in_sound; /* only the tight bound lacks it; else both do */
    char witness[NAME_MAX + 32];
    struct sr_report_frame
        *frames; /* innermost first; judged by the sound bound if that lacks it */
    size_t n;    /* 0: there is no call stack */
    int cause;   /* where the way from the program's start leaves the bound; -1: nowhere */
};

struct sr_report_explained {
    struct sr_call call;
    const char *reason; /* a phrase */
};

struct sr_report_bound {
    bool computed; /* else only notes are valid */
    struct sr_bound_request request[2];
    struct sr_bound *bound[2]; /* by enum sr_policy, like the others */
    struct sr_bound_view view[2];
    struct sr_list modules, notes;
    struct sr_set observed; /* by the program, start-up included */
    struct sr_report_gap
        *gap; /* the tight bound's first, those that rest on least addresses first */
    size_t n_gap, n_tight_gap;
    struct sr_report_violation *violations; /* by name */
    size_t n_violations;
    struct sr_report_explained *explained; /* by name */
    size_t n_explained;
};

/* NULL: out of memory. r has to outlive it. */
struct sr_report_bound *sr_report_bound_new(const struct sr_report *r);
void sr_report_bound_free(struct sr_report_bound *b);

/* How many calls of a bound were observed. */
unsigned sr_report_bound_seen(const struct sr_report_bound *b, enum sr_policy policy);

/* NULL: it was observed, or no bound has it. */
const struct sr_report_gap *sr_report_bound_gap(const struct sr_report_bound *b,
                                                struct sr_call call);

/* "not reachable" */
const char *sr_frame_verdict_name(enum sr_frame_verdict verdict);

#endif
