/*
 * Gathers a report: union, database, discovery folders, reference.
 */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "layout.h"
#include "names.h"
#include "setfile.h"

const char *sr_origin_name(enum sr_origin o) {
    static const char *const names[SR_ORIGINS] = {"startup", "seed", "fuzz"};

    return (unsigned)o < SR_ORIGINS ? names[o] : "?";
}

const char *sr_report_state(const struct sr_report *r) {
    return r->running ? "running" : r->ended ? "ended" : "stopped";
}

double sr_report_rate(const struct sr_report *r) {
    return r->elapsed_ms ? (double)r->sum.finished * 1000.0 / (double)r->elapsed_ms : 0;
}

struct sr_set sr_report_beyond(const struct sr_report_image *image) {
    struct sr_set s = sr_set_minus(&image->observed, &image->startup);

    return sr_set_minus(&s, &image->seeds);
}

static int open_unions(struct sr_report *r) {
    char path[PATH_MAX];
    int err = sr_union_open_ro(sr_campaign_path(&r->c, SR_DIR_UNION, path), &r->u);

    r->hooked = r->u;
    if (!err && r->c.instrumented)
        err = sr_union_open_ro(sr_campaign_path(&r->c, SR_DIR_CANDIDATES, path), &r->hooked);
    if (err)
        sr_error("%s: %s; without it there is nothing to report", path,
                 err == -EINVAL ? "damaged, or of another version" : strerror(-err));
    return err;
}

static void read_store(struct sr_report *r) {
    char path[PATH_MAX];

    r->kept = r->seeds = -1;
    sr_campaign_path(&r->c, SR_DIR_DB, path);
    r->store = sr_store_open(path, SR_STORE_READ, r->why_no_store, sizeof r->why_no_store);
    if (r->store) {
        r->elapsed_ms = sr_store_elapsed(r->store);
        r->n_discoveries = sr_store_discoveries(r->store, &r->discoveries);
        r->n_samples = sr_store_samples(r->store, &r->samples);
        r->kept = sr_store_count(r->store, "inputs");
        r->seeds = sr_store_count(r->store, "seeds");
        sr_store_last_end(r->store, r->end_reason, sizeof r->end_reason);
        r->ended = r->end_reason[0] != 0;
        if (r->n_discoveries >= 0 && r->n_samples >= 0)
            return;
        snprintf(r->why_no_store, sizeof r->why_no_store, "it cannot be read");
        sr_store_close(r->store);
        r->store = NULL;
        free(r->discoveries);
    }
    r->n_discoveries =
        sr_discoveries_scan(sr_campaign_path(&r->c, SR_DIR_DISCOVERIES, path), &r->discoveries);
    for (long i = 0; i < r->n_discoveries; i++) {
        struct sr_discovery *d = &r->discoveries[i];
        d->time_ms = d->epoch_ms > r->c.created_ms ? d->epoch_ms - r->c.created_ms : 0;
    }
}

static int slot_of(const struct sr_union *u, const char *path) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *other = sr_union_image_path(u, i);

        if (other && strcmp(other, path) == 0)
            return (int)i;
    }
    return -1;
}

static void read_images(struct sr_report *r) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(r->u, i);
        struct sr_report_image *image = &r->images[r->n_images];

        if (!path)
            continue;
        image->path = path;
        image->slot = i;
        image->hooked_slot = slot_of(r->hooked, path);
        image->startup = r->u->images[i].startup;
        image->attempted = r->u->images[i].attempted;
        if (r->store && image->hooked_slot >= 0)
            image->seeds = sr_store_seed_set(r->store, (unsigned)image->hooked_slot);
        image->observed = sr_union_of(r->u, i);
        sr_set_merge(&image->observed, &image->seeds);
        r->sets_lost += image->observed.lost != 0;
        if (sr_set_count(&image->observed))
            r->n_images++;
    }
}

static const struct sr_discovery *discovery_of(const struct sr_report *r, int slot,
                                               struct sr_call call) {
    for (long i = 0; i < r->n_discoveries; i++)
        if (slot >= 0 && r->discoveries[i].image == (unsigned)slot &&
            sr_call_equal(r->discoveries[i].call, call))
            return &r->discoveries[i];
    return NULL;
}

static void fill_call(struct sr_report *r, unsigned image, struct sr_call call,
                      struct sr_report_call *out) {
    const struct sr_report_image *im = &r->images[image];
    const struct sr_discovery *d = discovery_of(r, im->hooked_slot, call);
    char name[NAME_MAX + 1];

    *out = (struct sr_report_call){.call = call, .image = image, .found = d != NULL};
    out->origin = sr_set_has(&im->startup, call) ? SR_ORIGIN_STARTUP
                  : sr_set_has(&im->seeds, call) ? SR_ORIGIN_SEED
                                                 : SR_ORIGIN_FUZZ;
    if (d) {
        out->d = *d;
        sr_discovery_name(d->image, d->call, name);
        snprintf(out->witness, sizeof out->witness, "%s/%.200s/scenario", SR_DIR_DISCOVERIES, name);
    } else if (out->origin == SR_ORIGIN_SEED) {
        sr_store_seed_of(r->store, (unsigned)im->hooked_slot, call, name, sizeof name);
        snprintf(out->witness, sizeof out->witness, "%s/%s", SR_DIR_SEEDS, name);
    }
}

static int by_name(const void *a, const void *b) {
    const struct sr_report_call *x = a, *y = b;
    char xn[SR_CALL_NAME_BYTES], yn[SR_CALL_NAME_BYTES];

    if (x->image != y->image)
        return x->image < y->image ? -1 : 1;
    return strcmp(sr_call_name(x->call, xn), sr_call_name(y->call, yn));
}

static int read_calls(struct sr_report *r) {
    size_t room = 0;

    for (unsigned i = 0; i < r->n_images; i++)
        room += sr_set_count(&r->images[i].observed);
    r->calls = calloc(room + 1, sizeof *r->calls);
    if (!r->calls) {
        sr_error("out of memory");
        return -1;
    }
    for (unsigned i = 0; i < r->n_images; i++) {
        struct sr_call c;

        for (unsigned at = 0; r->n_calls < room && sr_set_next(&r->images[i].observed, &at, &c);)
            fill_call(r, i, c, &r->calls[r->n_calls++]);
    }
    qsort(r->calls, r->n_calls, sizeof *r->calls, by_name);
    return 0;
}

static void read_counters(struct sr_report *r) {
    for (unsigned i = 0; i < r->c.instances; i++) {
        const struct sr_union_instance *in = &r->hooked->instances[i];

        r->sum.started += in->started;
        r->sum.finished += in->finished;
        r->sum.calls += in->calls;
        r->sum.timeouts += in->timeouts;
        r->sum.leftover += in->leftover;
        r->sum.crashes += in->crashes;
        r->sum.denied += in->denied;
        r->sum.cut += in->cut;
        r->sum.restarts += in->restarts;
        r->sum.unwitnessed += in->unwitnessed;
        for (int d = 0; d < SR_DEPTHS; d++) {
            r->sum.depth_inputs[d] += in->depth_inputs[d];
            r->sum.depth_us[d] += in->depth_us[d];
        }
    }
    r->sites = sr_union_site_count(r->hooked);
}

static void read_reference(struct sr_report *r) {
    struct sr_setfile_error err;
    struct sr_setfile *sf;
    char path[PATH_MAX];

    if (!r->c.reference[0])
        return;
    sf = sr_setfile_read(sr_campaign_path(&r->c, SR_DIR_REFERENCE, path), &err);
    if (!sf) {
        sr_error("%s; there is no comparison in the report", err.text);
        return;
    }
    r->has_reference = true;
    r->reference = sf->body;
    sr_setfile_free(sf);
}

int sr_report_read(const char *dir, struct sr_report *r) {
    memset(r, 0, sizeof *r);
    if (sr_campaign_open(dir, &r->c))
        return -1;
    if (open_unions(r)) {
        sr_report_free(r);
        return -1;
    }
    r->running = sr_campaign_running(&r->c);
    read_store(r);
    read_images(r);
    read_counters(r);
    read_reference(r);
    if (read_calls(r)) {
        sr_report_free(r);
        return -1;
    }
    return 0;
}

void sr_report_free(struct sr_report *r) {
    sr_report_bound_free(r->bound);
    sr_store_close(r->store);
    if (r->hooked != r->u)
        sr_union_close(r->hooked);
    sr_union_close(r->u);
    free(r->calls);
    free(r->discoveries);
    free(r->samples);
}

bool sr_report_curve_takes(const struct sr_report *r, long i, uint64_t *last_ms) {
    const struct sr_sample *s = &r->samples[i];
    bool changed = i == 0 || s->calls != s[-1].calls || s->calls_program != s[-1].calls_program;

    if (!changed && i + 1 < r->n_samples && s->time_ms < *last_ms + *last_ms / 20 + 1000)
        return false;
    *last_ms = s->time_ms;
    return true;
}
