/*
 * Reads discovery folders. What lies in them was written by a process that the program under test
 * could disturb, so everything is checked and bounded.
 */
#include "discovery.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign.h"

#define EVIDENCE_BYTES_MAX (256u << 10)
#define EVIDENCE_KEYS_MAX  256

const char *sr_state_name(enum sr_state s) {
    static const char *const names[SR_STATES] = {"pending", "steady", "unsteady", "refuted"};

    return (unsigned)s < SR_STATES ? names[s] : "?";
}

enum sr_state sr_state_of(bool instrumented, unsigned replays, unsigned replayed) {
    if (!replays)
        return SR_STATE_PENDING;
    if (instrumented && !replayed)
        return SR_STATE_REFUTED;
    return replayed * SR_REPLAYS >= SR_REPLAYS_STEADY * replays ? SR_STATE_STEADY
                                                                : SR_STATE_UNSTEADY;
}

void sr_discovery_name(unsigned image, struct sr_call call, char buf[NAME_MAX + 1]) {
    snprintf(buf, NAME_MAX + 1, "%u-%u-%d", image, call.abi, call.nr);
}

bool sr_discovery_parse_name(const char *name, unsigned *image, struct sr_call *call) {
    char again[NAME_MAX + 1];

    if (sscanf(name, "%u-%u-%d", image, &call->abi, &call->nr) != 3 || call->abi >= SR_ABIS)
        return false;
    sr_discovery_name(*image, *call, again);
    return strcmp(name, again) == 0;
}

bool sr_discovery_read(const char *discoveries_dir, const char *name, struct sr_discovery *out) {
    struct sr_pair pairs[EVIDENCE_KEYS_MAX];
    char path[PATH_MAX], *text;
    const char *value;
    size_t n;

    memset(out, 0, sizeof *out);
    if (!sr_discovery_parse_name(name, &out->image, &out->call) ||
        snprintf(path, sizeof path, "%s/%s/evidence", discoveries_dir, name) >= (int)sizeof path)
        return false;
    text = sr_file_read(path, EVIDENCE_BYTES_MAX, NULL);
    if (!text)
        return false;
    n = sr_pairs_parse(text, pairs, EVIDENCE_KEYS_MAX);
    value = sr_pairs_get(pairs, n, "instance");
    snprintf(out->instance, sizeof out->instance, "%s", value ? value : "?");
    value = sr_pairs_get(pairs, n, "input");
    out->input = value ? strtoull(value, NULL, 10) : 0;
    value = sr_pairs_get(pairs, n, "time_ms");
    out->epoch_ms = value ? strtoull(value, NULL, 10) : 0;
    free(text);
    return true;
}

static int by_time(const void *a, const void *b) {
    const struct sr_discovery *x = a, *y = b;

    if (x->epoch_ms != y->epoch_ms)
        return x->epoch_ms < y->epoch_ms ? -1 : 1;
    return (x->input > y->input) - (x->input < y->input);
}

long sr_discoveries_scan(const char *discoveries_dir, struct sr_discovery **out) {
    DIR *d = opendir(discoveries_dir);
    size_t n = 0, room = 0;

    *out = NULL;
    if (!d)
        return -1;
    for (struct dirent *e; (e = readdir(d));) {
        struct sr_discovery one;

        if (!sr_discovery_read(discoveries_dir, e->d_name, &one))
            continue;
        if (n == room) {
            struct sr_discovery *more = realloc(*out, (room = room * 2 + 64) * sizeof one);
            if (!more)
                break;
            *out = more;
        }
        (*out)[n++] = one;
    }
    closedir(d);
    if (n)
        qsort(*out, n, sizeof **out, by_time);
    return (long)n;
}
