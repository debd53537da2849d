/*
 * System-call names and numbers, from libseccomp's tables.
 *
 * x86-64 calls go by their plain name ("openat"), those entered in another way carry it in front
 * ("x32:openat", "i386:openat"), and a number without a name is written "#NNN" ("#-1",
 * "i386:#999"). sr_call_parse reads what sr_call_name writes. The tables are made at first use,
 * without a lock: call one of these before starting threads.
 */
#ifndef SR_NAMES_H
#define SR_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "sysreach/set.h"

#define SR_CALL_NAME_BYTES 64
#define SR_SET_CALLS_MAX   (SR_ABIS * SR_SET_NRS + SR_SET_ODD)

/* Write into buf and return it: "i386:openat", and "i386:295". */
const char *sr_call_name(struct sr_call c, char buf[SR_CALL_NAME_BYTES]);
const char *sr_call_number(struct sr_call c, char buf[SR_CALL_NAME_BYTES]);

/* Reads a name, "#NNN" or a decimal number, each with "x32:" or "i386:" in front or not; a number
 * without prefix is taken as seccomp sees it, so one with bit 30 is an x32 call. */
bool sr_call_parse(const char *text, size_t len, struct sr_call *out);

/* The number has a name. */
bool sr_call_known(struct sr_call c);

/* The next known call of an abi at or after nr, -1 for none; and how many there are. */
int32_t sr_call_next_known(enum sr_abi abi, int32_t nr);
unsigned sr_call_table_count(enum sr_abi abi);

/* "libseccomp 2.5.4" */
const char *sr_call_source(void);

/* A set's names in byte order, as `LC_ALL=C sort` has them. */
struct sr_names {
    size_t n;
    char name[SR_SET_CALLS_MAX][SR_CALL_NAME_BYTES];
};

void sr_names_of(const struct sr_set *set, struct sr_names *out);

#endif
