/*
 * Capabilities in the sandbox: what the program under test keeps, and what the harness has there.
 * Bit n stands for capability n.
 */
#ifndef SR_CAPS_H
#define SR_CAPS_H

#include <stdint.h>

struct sr_target;

/*
 * What the program keeps: the target's, as far as we have them ourselves and they lead to nothing
 * outside of the sandbox. None where we are not root: the user namespace of an ordinary user maps
 * one id, so there is nobody to become and nobody else's file to own. t: may be NULL.
 */
uint64_t sr_caps_kept(const struct sr_target *t);

/* The first of the target's that a root cannot give: its name, or NULL. */
const char *sr_caps_missing(const struct sr_target *t);

/*
 * What the harness has: to trace and end processes of any user and to remove their files, mount and
 * ipc namespaces of its own, listeners on low ports; and what the program keeps.
 */
uint64_t sr_caps_harness(uint64_t kept);

#endif
