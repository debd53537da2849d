/*
 * The role rules of a target file as the recorder reads them: calls by number, because the hook
 * library has no table of names.
 */
#ifndef SR_ROLECONF_H
#define SR_ROLECONF_H

#include <stdio.h>

#include "target.h"

/* 0, or -1 with "line N: what; what to do" in err: an unknown call or condition, or a role that no
 * earlier line gives. */
int sr_roleconf_check(const struct sr_target *t, char *err, size_t size);

/* A line "PREFIX IMAGE NAME COND..." for each rule that is right; prefix may be empty. */
void sr_roleconf_write(const struct sr_target *t, const char *prefix, FILE *to);

#endif
