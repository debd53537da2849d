/*
 * The table of tracees, by thread id: open addressing in mmap'd memory that doubles when it fills.
 */
#ifndef SR_TRACEES_H
#define SR_TRACEES_H

#include "recorder.h"

int sr_tracees_init(struct sr_recorder *r);
void sr_tracees_clear(struct sr_recorder *r);
void sr_tracees_free(struct sr_recorder *r);
struct sr_tracee *sr_tracees_find(const struct sr_recorder *r, pid_t tid);

/* A new entry, all zero but tid. May move the table. NULL: out of memory. */
struct sr_tracee *sr_tracees_add(struct sr_recorder *r, pid_t tid);
void sr_tracees_remove(struct sr_recorder *r, struct sr_tracee *t);

/* The process that a thread belongs to; the thread's own id where /proc does not say. */
pid_t sr_tgid(pid_t tid);

/* The process that made the one which this thread belongs to; 0 where /proc does not say. */
pid_t sr_ppid(pid_t tid);

/* The letter of its state, as proc(5) has them; 0 where /proc does not say. */
char sr_thread_state(pid_t tid);

#endif
