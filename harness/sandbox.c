/*
 * bubblewrap's command line, see sandbox.h.
 *
 * The order counts: private folders first, then what is shown in them, and read-only last.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "commands.h"
#include "layout.h"
#include "paths.h"
#include "sandbox.h"

#define WORDS_MAX 512
#define HOMES_MAX 4

struct words {
    char *word[WORDS_MAX + 1];
    size_t n;
    bool failed;
};

struct homes {
    char path[HOMES_MAX][PATH_MAX];
    size_t n;
};

static void add(struct words *w, const char *word) {
    char *copy = w->n < WORDS_MAX ? strdup(word) : NULL;

    if (copy)
        w->word[w->n++] = copy;
    else
        w->failed = true;
}

static void add_pair(struct words *w, const char *how, const char *what) {
    add(w, how);
    add(w, what);
}

static void add_bind(struct words *w, const char *how, const char *from, const char *to) {
    add_pair(w, how, from);
    add(w, to);
}

static void add_tmpfs(struct words *w, const char *perms, const char *bytes, const char *path) {
    add_pair(w, "--perms", perms);
    add_pair(w, "--size", bytes);
    add_pair(w, "--tmpfs", path);
}

/* path lies in dir, or is dir itself. */
static bool is_in(const char *path, const char *dir) {
    size_t len = strlen(dir);

    return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

/* A home folder, unless it is a part of the system (daemon's is /usr/sbin) or hidden anyway. */
static void add_home(struct homes *h, const char *home) {
    static const char *const system[] = {"/usr", "/bin",  "/sbin", "/lib", "/lib64", "/etc",
                                         "/dev", "/proc", "/sys",  "/run", "/tmp"};
    struct stat st;
    char *path;

    if (h->n == HOMES_MAX || !home || home[0] != '/')
        return;
    path = h->path[h->n];
    if (!realpath(home, path) || !path[1] || stat(path, &st) || !S_ISDIR(st.st_mode))
        return;
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (is_in(path, system[i]))
            return;
    for (size_t i = 0; i < h->n; i++)
        if (is_in(path, h->path[i]))
            return;
    h->n++;
}

/* What holds keys and passwords: everybody's home. */
static void find_homes(struct homes *h) {
    const struct passwd *me = getpwuid(getuid());

    h->n = 0;
    add_home(h, "/root");
    add_home(h, "/home");
    add_home(h, me ? me->pw_dir : NULL);
    add_home(h, getenv("HOME"));
}

/* The private folder that hides a path, or NULL. */
static const char *hides(const struct homes *h, const char *path) {
    if (is_in(path, "/tmp"))
        return "/tmp";
    if (is_in(path, "/run"))
        return "/run";
    for (size_t i = 0; i < h->n; i++)
        if (is_in(path, h->path[i]))
            return h->path[i];
    return NULL;
}

/*
 * A program that a private folder hides is shown with its folder, where its own libraries and data
 * may lie; but alone where that would show a whole home or all of /tmp.
 */
static void add_hidden(struct words *w, const struct homes *h, const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    char dir[PATH_MAX], up[PATH_MAX];

    if (!slash || slash == path || is_in(path, SR_BOX_OURS) || !hides(h, path))
        return;
    snprintf(dir, sizeof dir, "%.*s", (int)(slash - path), path);
    snprintf(up, sizeof up, "%.*s", (int)(strrchr(dir, '/') - dir), dir);
    if (strcmp(dir, hides(h, path)) == 0 || strcmp(up, "/home") == 0)
        add_bind(w, "--ro-bind", path, path);
    else
        add_bind(w, "--ro-bind", dir, dir);
}

static void add_caps(struct words *w, const struct sr_target *t) {
    uint64_t all = sr_caps_harness(sr_caps_kept(t));
    char number[16];

    add_pair(w, "--cap-drop", "ALL");
    for (int cap = 0; cap < 64; cap++) {
        if (!(all >> cap & 1))
            continue;
        snprintf(number, sizeof number, "%d", cap);
        add_pair(w, "--cap-add", number);
    }
}

/*
 * All of /proc that belongs to no process and could be written. Settings in /proc/sys ask for user
 * 0 and not for capabilities, and bubblewrap leaves them open since the folder itself cannot be
 * written.
 */
static void add_proc(struct words *w) {
    DIR *proc = opendir("/proc");
    char path[32 + NAME_MAX];
    struct stat st;

    add_pair(w, "--proc", "/proc");
    for (struct dirent *e; proc && (e = readdir(proc));) {
        snprintf(path, sizeof path, "/proc/%s", e->d_name);
        if (e->d_name[0] == '.' || isdigit((unsigned char)e->d_name[0]) || lstat(path, &st))
            continue;
        if (S_ISDIR(st.st_mode) || (S_ISREG(st.st_mode) && st.st_mode & 0222))
            add_bind(w, "--ro-bind", path, path);
    }
    if (proc)
        closedir(proc);
}

static void add_private(struct words *w, const struct homes *h) {
    static const char *const fixed[] = {
        "bwrap",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-ipc",
        "--unshare-uts",
        "--as-pid-1",
        "--die-with-parent",
        "--new-session",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
    };

    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        add(w, fixed[i]);
    add_proc(w);
    add_tmpfs(w, "1777", "67108864", "/dev/shm");
    add_tmpfs(w, "1777", "268435456", "/tmp");
    add_tmpfs(w, "0755", "16777216", "/run");
    /* A mount of its own: a mount point can be neither renamed nor removed. */
    add_tmpfs(w, "0755", "65536", SR_BOX_OURS);
    add_tmpfs(w, "0755", "65536", SR_BOX_SSHD);
    for (size_t i = 0; i < h->n; i++)
        add_tmpfs(w, "0755", "65536", h->path[i]);
}

/* What the target wants to see at places of its own. */
static void add_target_binds(struct words *w, const struct sr_sandbox *s) {
    char from[PATH_MAX + NAME_MAX], to[PATH_MAX];

    if (s->fixtures) {
        add_bind(w, "--ro-bind", s->fixtures, SR_BOX_FIXTURES);
    } else { /* so that nobody else can be there */
        add_tmpfs(w, "0755", "65536", SR_BOX_FIXTURES);
        add_pair(w, "--remount-ro", SR_BOX_FIXTURES);
    }
    for (size_t i = 0; s->fixtures && s->target && i < s->target->n_binds; i++) {
        const struct sr_target_bind *b = &s->target->binds[i];

        snprintf(from, sizeof from, "%s/%s", s->fixtures, b->name);
        /* The set-up said so where one is left out. */
        if (access(from, F_OK) == 0 && sr_sandbox_can_bind(b->path))
            add_bind(w, "--ro-bind", from, realpath(b->path, to) ? to : b->path);
    }
}

static void add_box(struct words *w, const struct sr_sandbox *s, const char *command) {
    struct homes *h = calloc(1, sizeof *h);

    if (!h) {
        w->failed = true;
        return;
    }
    find_homes(h);
    add_private(w, h);
    add_caps(w, s->target);
    add_hidden(w, h, s->program);
    add_hidden(w, h, command);
    if (s->extra_ro)
        add_bind(w, "--ro-bind", s->extra_ro, s->extra_ro);
    add_bind(w, "--ro-bind", sr_paths_self(), SR_BOX_SELF);
    if (access(sr_paths_lib(), F_OK) == 0)
        add_bind(w, "--ro-bind", sr_paths_lib(), SR_BOX_LIB);
    if (s->campaign)
        add_bind(w, "--bind", s->campaign, SR_BOX_CAMPAIGN);
    if (s->out)
        add_bind(w, "--bind", s->out, SR_BOX_OUT);
    add_target_binds(w, s);
    add_pair(w, "--remount-ro", SR_BOX_OURS);
    add_pair(w, "--remount-ro", "/dev");
    for (size_t i = 0; i < h->n; i++)
        add_pair(w, "--remount-ro", h->path[i]);
    add_pair(w, "--chdir", "/tmp");
    add(w, "--");
    add_pair(w, SR_BOX_SELF, "init");
    free(h);
}

bool sr_sandbox_can_bind(const char *path) {
    struct homes *h = calloc(1, sizeof *h);
    bool can = access(path, F_OK) == 0;

    if (h && !can) {
        find_homes(h);
        can = hides(h, path);
    }
    free(h);
    return can;
}

int sr_sandbox_of_campaign(const char *dir, struct sr_sandbox_of *of) {
    char path[PATH_MAX], err[1024];

    memset(of, 0, sizeof *of);
    snprintf(of->fixtures, sizeof of->fixtures, "%s/%s", dir, SR_DIR_FIXTURES);
    if (access(of->fixtures, F_OK))
        of->fixtures[0] = 0;
    if (snprintf(path, sizeof path, "%s/%s", dir, SR_DIR_TARGET) < (int)sizeof path &&
        access(path, F_OK) == 0 && sr_target_read(path, &of->target, err, sizeof err)) {
        sr_error("%s", err);
        return -1;
    }
    if (of->target.setup && !of->fixtures[0]) {
        sr_error("%s/%s: is missing; this campaign's inputs cannot be run without it", dir,
                 SR_DIR_FIXTURES);
        return -1;
    }
    return 0;
}

char **sr_sandbox_command(const struct sr_sandbox *s, char *const argv[]) {
    struct words *w = calloc(1, sizeof *w);

    if (!w)
        return NULL;
    add_box(w, s, argv[0]);
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
    const struct sr_sandbox plain = {0};
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
