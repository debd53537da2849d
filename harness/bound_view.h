/*
 * A bound as it is shown: what the text, the JSON and the stack check have in common.
 *
 * Objects go by the path that a trace would give them: symbolic links resolved, without the prefix
 * of another root. Places in code and data are "NAME (FILE+0xADDRESS)"; the address is the one that
 * objdump and addr2line take.
 */
#ifndef SR_BOUND_VIEW_H
#define SR_BOUND_VIEW_H

#include "bound/bound.h"
#include "setfile.h"

#define SR_PLACE_BYTES 512

struct sr_bound_view {
    const struct sr_bound *bound;
    const struct sr_bound_result *result;
    const struct sr_closure *closure;
    const struct sr_bound_request *request;
    char **paths; /* by object */
};

/* False: out of memory. The bound and the request have to outlive the view. */
bool sr_bound_view_init(struct sr_bound_view *v, const struct sr_bound *bound,
                        const struct sr_bound_request *request);
void sr_bound_view_free(struct sr_bound_view *v);

/* The path that a trace gives an object; memory from malloc. */
char *sr_bound_path(const struct sr_object *o, const char *root);

/* "tight" */
const char *sr_policy_name(enum sr_policy policy);

/* The last part of an object's path. */
const char *sr_bound_file(const struct sr_bound_view *v, uint32_t object);

/* "main+0x12 (diff+0x33f2)", or "diff+0x33f2" where there is no name. */
void sr_bound_place(const struct sr_bound_view *v, uint32_t object, uint64_t at, char *buf,
                    size_t size);

/* All sites' numbers are known, and the set holds them all. */
bool sr_bound_closed(const struct sr_bound_view *v);

/* What the objects' counts add up to; object and module are empty. */
struct sr_bound_object sr_bound_total(const struct sr_bound_result *result);

/* The bound as a set file: the program is its image, the closure's objects are the image's. NULL:
 * out of memory. */
struct sr_setfile *sr_bound_view_set(const struct sr_bound_view *v);

#endif
