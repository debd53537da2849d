/*
 * The sandbox that programs under test run in: bubblewrap.
 *
 * Root read-only, private /tmp (256 MiB at most) and /run, private pids, ipc, uts and a network of
 * just loopback; all capabilities dropped; everything ended with its first process. Inside, the
 * campaign folder lies at SR_BOX_CAMPAIGN and our binaries at SR_BOX_LIB.
 */
#ifndef SR_SANDBOX_H
#define SR_SANDBOX_H

struct sr_sandbox {
    const char *campaign; /* bound read-write at SR_BOX_CAMPAIGN; NULL: none */
    const char *out;      /* bound read-write at SR_BOX_OUT; NULL: none */
    const char *program;  /* bound again if a private folder hides it */
    const char *extra_ro; /* one more path to show read-only at its own place; NULL: none */
};

/*
 * The command line that runs argv (NULL-terminated) in the sandbox: a NULL-terminated vector to be
 * freed with sr_sandbox_free. NULL: out of memory.
 */
char **sr_sandbox_command(const struct sr_sandbox *s, char *const argv[]);
void sr_sandbox_free(char **command);

/* Tries it once. 0, or -1 with a reason and a way out in why (size bytes). */
int sr_sandbox_check(char *why, size_t size);

#endif
