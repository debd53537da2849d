/*
 * bubblewrap's command line, see sandbox.h.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layout.h"
#include "paths.h"
#include "sandbox.h"

#define WORDS_MAX 256
#define TMP_BYTES "268435456"

struct words {
    char *word[WORDS_MAX + 1];
    size_t n;
    bool failed;
};

static void add(struct words *w, const char *word) {
    char *copy = w->n < WORDS_MAX ? strdup(word) : NULL;

    if (copy)
        w->word[w->n++] = copy;
    else
        w->failed = true;
}

static void add_bind(struct words *w, const char *how, const char *from, const char *to) {
    add(w, how);
    add(w, from);
    add(w, to);
}

/* The private folders hide what lies in them; a program there is shown with its folder. */
static void add_hidden(struct words *w, const char *path) {
    char dir[4096];
    const char *slash = path ? strrchr(path, '/') : NULL;

    if (!slash || slash == path ||
        (strncmp(path, "/tmp/", 5) != 0 && strncmp(path, "/run/", 5) != 0))
        return;
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    if (strcmp(dir, "/tmp") == 0 || strcmp(dir, "/run") == 0)
        add_bind(w, "--ro-bind", path, path);
    else
        add_bind(w, "--ro-bind", dir, dir);
}

static void add_box(struct words *w, const struct sr_sandbox *s) {
    static const char *const fixed[] = {
        "bwrap",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--die-with-parent",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "--perms",
        "1777",
        "--size",
        TMP_BYTES,
        "--tmpfs",
        "/tmp",
        "--perms",
        "0755",
        "--tmpfs",
        "/run",
        "--perms",
        "0755",
        "--dir",
        "/run/sysreach",
    };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add(w, fixed[i]);
    add_hidden(w, s->program);
    if (s->extra_ro)
        add_bind(w, "--ro-bind", s->extra_ro, s->extra_ro);
    add_bind(w, "--ro-bind", sr_paths_self(), SR_BOX_SELF);
    if (access(sr_paths_lib(), F_OK) == 0)
        add_bind(w, "--ro-bind", sr_paths_lib(), SR_BOX_LIB);
    if (s->campaign)
        add_bind(w, "--bind", s->campaign, SR_BOX_CAMPAIGN);
    if (s->out)
        add_bind(w, "--bind", s->out, SR_BOX_OUT);
    add(w, "--chdir");
    add(w, "/tmp");
    add(w, "--");
}

char **sr_sandbox_command(const struct sr_sandbox *s, char *const argv[]) {
    struct words *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    add_box(w, s);
    for (; *argv; argv++)
        add(w, *argv);
    if (w->failed) {
        sr_sandbox_free(w->word);
        return NULL;
    }
    return w->word; /* the struct begins with it */
}

void sr_sandbox_free(char **command) {
    for (char **p = command; p && *p; p++)
        free(*p);
    free(command);
}

/* Runs bwrap; what it says on stderr goes to said. Its exit status, or -1. */
static int try_once(char **command, char *said, size_t size) {
    int ends[2], status = -1;
    size_t len = 0;
    ssize_t n;
    pid_t pid;

    if (pipe(ends))
        return -1;
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        dprintf(STDERR_FILENO, "%s", strerror(errno));
        _exit(127);
    }
    close(ends[1]);
    while (len < size - 1 && (n = read(ends[0], said + len, size - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    said[len] = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int sr_sandbox_check(char *why, size_t size) {
    static const struct sr_sandbox plain;
    char said[512] = "", name[] = "/bin/true", *const argv[] = {name, NULL};
    char **command = sr_sandbox_command(&plain, argv);
    int status = command ? try_once(command, said, sizeof said) : -1;

    sr_sandbox_free(command);
    if (status == 0)
        return 0;
    said[strcspn(said, "\n")] = 0;
    if (status == 127)
        snprintf(why, size, "bubblewrap is not there (%s); install the package bubblewrap", said);
    else
        snprintf(why, size,
                 "bubblewrap cannot make a sandbox here (%s); user namespaces have to be allowed "
                 "for this user (user.max_user_namespaces, and in a container its seccomp "
                 "profile), or run as root",
                 said);
    return -1;
}
