/*
 * What a campaign observed, gathered from its folder: report.c reads, report_text.c, report_parts.c
 * and report_json.c write it. Works while the campaign runs, and without its database.
 */
#ifndef SR_REPORT_H
#define SR_REPORT_H

#include <stdio.h>

#include "campaign.h"
#include "discovery.h"
#include "report_bound.h"
#include "store.h"

enum sr_origin {
    SR_ORIGIN_STARTUP, /* made by a plain run before main */
    SR_ORIGIN_SEED,    /* made by a seed, run on its own */
    SR_ORIGIN_FUZZ,
    SR_ORIGINS
};

/* A call that an image was observed to make. */
struct sr_report_call {
    struct sr_call call;
    unsigned image; /* index in sr_report.images */
    enum sr_origin origin;
    bool found; /* d is valid: the hook saw it (again) in an input */
    struct sr_discovery d;
    char witness[NAME_MAX + 32]; /* relative to the folder; empty: none, any run makes it */
};

struct sr_report_image {
    const char *path;
    unsigned slot;   /* in the union */
    int hooked_slot; /* in the union that the hook writes to, -1: not there */
    struct sr_set startup, seeds, observed;
    struct sr_set attempted; /* part of observed, see struct sr_union_image */
};

struct sr_report {
    struct sr_campaign c;
    const struct sr_union *u, *hooked;
    struct sr_store *store; /* NULL: why_no_store */
    char why_no_store[256];
    bool running, ended; /* ended: the last run came to its end */
    char end_reason[64];
    uint64_t elapsed_ms;
    long kept, seeds; /* -1: not known without the database */

    struct sr_report_image images[SR_IMAGES_MAX];
    unsigned n_images;
    struct sr_report_call *calls; /* image by image, by name */
    size_t n_calls;
    struct sr_discovery *discoveries; /* all of them, candidates too */
    long n_discoveries;
    struct sr_sample *samples;
    long n_samples;

    struct sr_union_instance sum; /* counters of all instances */
    uint64_t sites, sets_lost;
    bool has_reference;
    struct sr_set reference;
    struct sr_report_bound *bound; /* NULL: not wanted; whoever wants it sets it after reading */
};

/* What processes of an image made that play one role; see struct sr_union_role. */
struct sr_report_role {
    const char *name; /* empty: no role */
    const struct sr_union_role *role;
    struct sr_set only; /* made by no other role of the image */
};

/* Inputs of one depth. */
struct sr_report_depth {
    uint64_t inputs;
    double seconds, share; /* of wall time, over all instances; share: of all depths */
    double rate;           /* inputs in a second of that time */
};

const char *sr_origin_name(enum sr_origin o);

/* 0, or -1 with the reason printed. */
int sr_report_read(const char *dir, struct sr_report *r);
void sr_report_free(struct sr_report *r);

/* observed - startup - seeds of an image. */
struct sr_set sr_report_beyond(const struct sr_report_image *image);

/* "running", "ended", "stopped" (died, or was killed). */
const char *sr_report_state(const struct sr_report *r);
double sr_report_rate(const struct sr_report *r); /* inputs a second, over everything */

/* Enough rows of the series to draw it: every change, and some between. True: take it. */
bool sr_report_curve_takes(const struct sr_report *r, long i, uint64_t *last_ms);

/* Roles of an image (slot of r->u), by name; returns how many there are. */
size_t sr_report_roles(const struct sr_report *r, unsigned slot,
                       struct sr_report_role out[SR_ROLES_MAX]);
/* False: there was no input of that depth. */
bool sr_report_depth(const struct sr_report *r, enum sr_depth d, struct sr_report_depth *out);
/* Why a call that was not observed may not have been; NULL: nothing is known (no bound). */
const char *sr_report_reason(const struct sr_report *r, struct sr_call call);

/* Pieces of text. A wrapped list of names; a table of roles (nothing where there are none); a line
 * "  roles  NAME, ..." with those that made a call; a line for each depth behind a label (nothing
 * where there is one depth only); who ran it. */
void sr_report_put_names(FILE *to, const struct sr_set *set, int indent);
void sr_report_put_roles(const struct sr_report *r, unsigned slot, FILE *to);
void sr_report_put_role_names(const struct sr_report *r, unsigned slot, struct sr_call call,
                              FILE *to);
void sr_report_put_depths(const struct sr_report *r, const char *label, FILE *to);
void sr_report_put_user(const struct sr_report *r, FILE *to);

void sr_report_text(const struct sr_report *r, FILE *to);
/* An array with an object for each depth that occurred. */
struct json_t *sr_report_json_depths(const struct sr_report *r);
/* 0, or -1: out of memory or the stream failed. */
int sr_report_json(const struct sr_report *r, FILE *to);
void sr_report_plot(const struct sr_report *r, FILE *to);

#endif
