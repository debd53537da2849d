/*
 * The sandbox that programs under test run in: bubblewrap.
 *
 * Root read-only, private and bounded /tmp, /run and /dev/shm, home folders empty, private pids,
 * ipc, uts and a network of just loopback; everything ended with its first process, which is ours
 * (`sysreach init`). Inside, the campaign folder lies at SR_BOX_CAMPAIGN and our binaries at
 * SR_BOX_LIB. The harness has a few capabilities there (caps.h) that the program has not; that is
 * what keeps the one out of the other.
 */
#ifndef SR_SANDBOX_H
#define SR_SANDBOX_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "target.h"

struct sr_sandbox {
    const char *campaign; /* bound read-write at SR_BOX_CAMPAIGN; NULL: none */
    const char *out;      /* bound read-write at SR_BOX_OUT; NULL: none */
    const char *program;  /* bound again if a private folder hides it */
    const char *extra_ro; /* one more path to show read-only at its own place; NULL: none */
    const char *fixtures; /* folder that the target's set-up script filled: shown read-only at
                             SR_BOX_FIXTURES; NULL: none */
    const struct sr_target *target; /* binds and capabilities; NULL: none */
};

/* What a campaign's folder says about its sandbox. */
struct sr_sandbox_of {
    struct sr_target target; /* all zero for a campaign on a command */
    char fixtures[PATH_MAX]; /* "": none */
};

/* Reads DIR/target and looks for DIR/fixtures. 0, or -1 with the reason printed; to be freed with
 * sr_target_free(&of->target) in any case. */
int sr_sandbox_of_campaign(const char *dir, struct sr_sandbox_of *of);

/*
 * Whether something can be bound at a path: it is there, or lies in a private folder, where it can
 * be made.
 */
bool sr_sandbox_can_bind(const char *path);

/*
 * The command line that runs argv (NULL-terminated) in the sandbox: a NULL-terminated vector to be
 * freed with sr_sandbox_free. NULL: out of memory.
 */
char **sr_sandbox_command(const struct sr_sandbox *s, char *const argv[]);
void sr_sandbox_free(char **command);

/* Tries it once. 0, or -1 with a reason and a way out in why (size bytes). */
int sr_sandbox_check(char *why, size_t size);

#endif
