/*
 * What a campaign observed, gathered from its folder: report.c reads, report_text.c and
 * report_json.c write it. Works while the campaign runs, and without its database.
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

void sr_report_text(const struct sr_report *r, FILE *to);
/* 0, or -1: out of memory or the stream failed. */
int sr_report_json(const struct sr_report *r, FILE *to);
void sr_report_plot(const struct sr_report *r, FILE *to);

#endif
