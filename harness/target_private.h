/*
 * Between target.c, which reads target files, and target_model.c, which holds what was read.
 * Nobody else includes this.
 */
#ifndef SR_TARGET_PRIVATE_H
#define SR_TARGET_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "target.h"

/* The kinds that every target has come first in sr_target.kinds; this many. */
extern const size_t sr_target_builtin_kinds;

/* Makes room for one more element, zeroed; NULL: out of memory. */
void *sr_target_append(void **array, size_t *n, size_t element);
#define APPEND(array, n) sr_target_append((void **)&(array), &(n), sizeof *(array))

/* A copy of len bytes at the list's end; false: out of memory. */
bool sr_target_add_string(struct sr_strings *list, const char *p, size_t len);

/* A new kind without values; NULL: out of memory. */
struct sr_kind *sr_target_add_kind(struct sr_target *t, const char *name, size_t len);

/* A kind's index by its name; -1: there is none, or the name is empty. */
int sr_target_find_kind(const struct sr_target *t, const char *name, size_t len);

#endif
