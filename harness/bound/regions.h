/*
 * Data regions: the pieces into which an object's data is cut, so that naming one address does not
 * name all data.
 *
 * A pointer names the region it points into, and with it every address stored there. Where the
 * pieces may be cut is what `tight` stands on: docs/bound.md argues it.
 */
#ifndef SR_BOUND_REGIONS_H
#define SR_BOUND_REGIONS_H

#include "code.h"

struct sr_regions {
    uint64_t *cuts; /* sorted, unique; region i is [cuts[i], cuts[i + 1]) */
    size_t n;       /* of regions: one less than cuts, or 0 */
};

/* False: out of memory. */
bool sr_regions_make(struct sr_regions *r, const struct sr_code *code);
void sr_regions_free(struct sr_regions *r);

/* Index of the region that holds addr; -1: none (no data there). */
int64_t sr_regions_find(const struct sr_regions *r, uint64_t addr);

#endif
