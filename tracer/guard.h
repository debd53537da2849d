/*
 * The guard: what a program under test does must not reach processes outside of its run.
 *
 * A program may kill(-1), kill its parent or a group that is not its own, take limits or priority
 * from a process that happens to have its user. Such a call is recorded like any other and then
 * answered without being made. What the kernel refuses by itself, since the harness has more
 * capabilities (privs.h), is left to the kernel.
 */
#ifndef SR_GUARD_H
#define SR_GUARD_H

#include "recorder.h"

void sr_guard_on_call(struct sr_recorder *r, const struct sr_stop *stop);

#endif
