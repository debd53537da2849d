/*
 * A bound as JSON, as docs/file-formats.md describes it. What is not an object's path or a header
 * line is plain text; addresses are strings in hexadecimal.
 */
#ifndef SR_BOUND_JSON_H
#define SR_BOUND_JSON_H

#include <jansson.h>

#include "bound_check.h"
#include "bound_view.h"

/* Each returns a new value; NULL: out of memory. */

/* What the set has besides in JSON: a member "bound". */
json_t *sr_bound_json_members(const struct sr_bound_view *v);

/* One entry of "chains": the call and its steps, none where it is not in the bound. */
json_t *sr_bound_json_chain(const struct sr_bound_view *v, const char *name,
                            const struct sr_step *steps, int n);

/* Takes over the array of chains. */
json_t *sr_bound_json_chains(const struct sr_bound_view *v, json_t *chains);
json_t *sr_bound_json_unresolved(const struct sr_bound_view *v);
json_t *sr_bound_json_stats(const struct sr_bound_view *v);
json_t *sr_bound_json_check(const struct sr_bound_view *v, const struct sr_bound_check *c);

#endif
