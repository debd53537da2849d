/*
 * Which part each process of a run plays: a server's listener, its monitor, a session.
 *
 * The target's rules name roles by what a process did and who its relatives are. During a run a
 * table holds each process (a new entry at each exec) with its calls; when the run is over the
 * rules are applied and the calls of each role are merged into the union. Without rules nothing is
 * kept and every function returns at once. docs/targets.md describes the rules.
 */
#ifndef SR_ROLES_H
#define SR_ROLES_H

#include "recorder.h"
#include "sysreach/union.h"

#define SR_ROLE_RULES_MAX     32
#define SR_ROLE_CONDS_MAX     8
#define SR_ROLE_PROCESSES_MAX 256 /* in a run; what later ones do gets no role */

struct sr_roles;

/* mmap'd, without rules; NULL: out of memory. The memory is not inherited by children. */
struct sr_roles *sr_roles_new(void);
void sr_roles_free(struct sr_roles *r);

/*
 * Adds a rule: "IMAGE NAME COND..." as in a target file, but calls by number ("calls=#50").
 * r NULL: only checks it. 0, -EINVAL: it is none, -ENOSPC: too many.
 */
int sr_roles_rule(struct sr_roles *r, const char *text);
unsigned sr_roles_rules(const struct sr_roles *r);

/* A run begins: pid is its first process, of image slot 0. */
void sr_roles_begin(struct sr_roles *r, pid_t pid);

/* parent made pid: processes, not threads. May come after calls or an exec of the child. */
void sr_roles_fork(struct sr_roles *r, pid_t parent, pid_t pid);

/* pid runs another program now. image: its slot, negative: it has none. */
void sr_roles_exec(struct sr_roles *r, pid_t pid, int image);

/* A call is about to be made; the program's own filter refused one. */
void sr_roles_call(struct sr_roles *r, const struct sr_stop *stop);
void sr_roles_refused(struct sr_roles *r, const struct sr_stop *stop);

/*
 * The run is over: gives each process of an image that has rules its role and merges calls and
 * refused ones into u->roles. Processes that no rule names go to the role "" of their image.
 */
void sr_roles_finish(struct sr_roles *r, struct sr_union *u);

#endif
