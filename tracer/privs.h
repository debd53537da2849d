/*
 * What the harness may do in the sandbox and the program may not.
 *
 * The forkserver (a replay: sysreach itself) has capabilities that the program never gets: to
 * follow processes whatever user they become, to listen on low ports for a scenario. Every child
 * drops them before the program begins, from the bounding set too, so an exec as root does not
 * bring them back; and since the kernel lets nobody trace a process with more capabilities than its
 * own (ptrace(2), "Ptrace access mode checking"), the program cannot reach into the harness. What
 * only the harness may see is hidden in a mount namespace of its own.
 */
#ifndef SR_PRIVS_H
#define SR_PRIVS_H

#include <stdint.h>

/*
 * Once, when everything in hidden that is needed is open: a mount namespace in which the folder at
 * hidden is covered by an empty one, and an ipc namespace of its own; shared memory that is
 * attached stays attached. Without this call sr_privs_drop leaves the bounding set alone. 0 or a
 * negative errno; -EPERM: the sandbox gave no CAP_SYS_ADMIN; -ENOENT: no such folder.
 */
int sr_privs_hide(const char *hidden);

/* In each child, just before the program or a peer: keeps just these (bit n: capability n), in all
 * sets. A process without capabilities is left as it is. 0 or a negative errno. */
int sr_privs_drop(uint64_t keep);

/* Another, empty ipc namespace in place of the one that a run has put something into: System V
 * objects, message queues. 0 or a negative errno. */
int sr_privs_fresh_ipc(void);

#endif
