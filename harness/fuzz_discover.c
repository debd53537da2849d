/*
 * Takes in the discovery folders that the hook makes: says so at once and stores them.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "layout.h"
#include "names.h"

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool sr_fuzz_is_startup(const struct sr_fuzz *f, const struct sr_discovery *d) {
    return d->image < SR_IMAGES_MAX && sr_set_has(&f->hooked->images[d->image].startup, d->call);
}

bool sr_fuzz_is_seeds(const struct sr_fuzz *f, const struct sr_discovery *d) {
    return d->image < SR_IMAGES_MAX && sr_set_has(&f->seed_set[d->image], d->call);
}

static void announce(struct sr_fuzz *f, const struct sr_discovery *d) {
    char name[SR_CALL_NAME_BYTES], when[32], folder[NAME_MAX + 1];
    const char *path = sr_union_image_path(f->hooked, d->image);

    sr_discovery_name(d->image, d->call, folder);
    sr_fuzz_clear_line(f);
    printf("+ %s %-20s %-12s (input %llu, %s%s)  witness %s/%s/scenario\n",
           sr_time_print(d->time_ms, when), sr_call_name(d->call, name),
           path ? base_name(path) : "?", (unsigned long long)d->input, d->instance,
           sr_fuzz_is_seeds(f, d) ? ", seed" : "", SR_DIR_DISCOVERIES, folder);
    fflush(stdout);
}

static bool remember(struct sr_fuzz *f, const struct sr_discovery *d) {
    if (f->n_discoveries == f->room) {
        size_t room = f->room * 2 + 64;
        struct sr_discovery *more = realloc(f->discoveries, room * sizeof *more);
        if (!more)
            return false;
        f->discoveries = more;
        f->room = room;
    }
    f->discoveries[f->n_discoveries++] = *d;
    return true;
}

static int by_time(const void *a, const void *b) {
    const struct sr_discovery *x = a, *y = b;

    if (x->epoch_ms != y->epoch_ms)
        return x->epoch_ms < y->epoch_ms ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

static uint64_t campaign_time(struct sr_fuzz *f, uint64_t epoch_ms) {
    if (f->store)
        return sr_store_campaign_time(f->store, epoch_ms);
    return epoch_ms > f->c.created_ms ? epoch_ms - f->c.created_ms : 0;
}

/*
 * Worth a line: not what every start-up makes. Of the helpers, whose loader makes about the same
 * calls as the program's, only what is beyond that and beyond the seeds.
 */
static bool is_news(const struct sr_fuzz *f, const struct sr_discovery *d) {
    if (sr_fuzz_is_startup(f, d))
        return false;
    return d->image == 0 ||
           (!sr_fuzz_is_seeds(f, d) && !sr_set_has(&f->hooked->images[0].startup, d->call));
}

/* quiet: at a resume, what an earlier run left on the disk is no news. */
void sr_fuzz_take_discoveries(struct sr_fuzz *f, bool quiet) {
    char dir[PATH_MAX];
    DIR *d = sr_campaign_path(&f->c, SR_DIR_DISCOVERIES, dir) ? opendir(dir) : NULL;
    size_t first = f->n_discoveries;

    if (!d)
        return;
    for (struct dirent *e; (e = readdir(d));) {
        struct sr_discovery one;

        if (!sr_discovery_parse_name(e->d_name, &one.image, &one.call) ||
            one.image >= SR_IMAGES_MAX || sr_set_has(&f->known[one.image], one.call) ||
            !sr_discovery_read(dir, e->d_name, &one))
            continue;
        one.time_ms = campaign_time(f, one.epoch_ms);
        if (remember(f, &one))
            sr_set_add(&f->known[one.image], one.call);
    }
    closedir(d);
    if (f->n_discoveries == first)
        return;
    qsort(f->discoveries + first, f->n_discoveries - first, sizeof *f->discoveries, by_time);
    if (f->store)
        sr_store_begin(f->store);
    for (size_t i = first; i < f->n_discoveries; i++) {
        if (!quiet && is_news(f, &f->discoveries[i])) {
            announce(f, &f->discoveries[i]);
            f->last_news = i + 1;
        }
        if (f->store)
            sr_store_discovery(f->store, &f->discoveries[i]);
    }
    if (f->store)
        sr_store_commit(f->store);
}
