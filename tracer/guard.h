/*
 * The guard: signals that a program under test sends must not reach the harness.
 *
 * A program may kill(-1), kill its parent, or a group that is not its own. Such a call is recorded
 * like any other and then answered without being made.
 */
#ifndef SR_GUARD_H
#define SR_GUARD_H

#include "recorder.h"

void sr_guard_on_call(struct sr_recorder *r, const struct sr_stop *stop);

#endif
