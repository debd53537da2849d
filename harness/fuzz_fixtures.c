/*
 * What a target's scripts make once for a campaign: fixtures (keys, accounts, configuration; shown
 * in the sandbox) and lines of grammar that fit the installed version.
 *
 * The scripts run outside of the sandbox, as the user who starts the campaign, with PATH as their
 * whole environment. What they say on stderr lies in DIR/log.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "commands.h"
#include "fuzz.h"
#include "layout.h"
#include "sandbox.h"

#define SETUP_LOG   SR_DIR_LOG "/setup.txt"
#define GRAMMAR_LOG SR_DIR_LOG "/grammar.txt"
#define TAIL_BYTES  2048

static _Noreturn void become_script(const char *script, const char *arg, int out, int log) {
    char *argv[] = {(char[]){"/bin/sh"}, (char *)(uintptr_t)script, (char *)(uintptr_t)arg, NULL};
    char *envp[] = {(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                    NULL};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

    umask(022);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(126);
    execve(argv[0], argv, envp);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void show_tail(const char *path) {
    char tail[TAIL_BYTES + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t n =
        size > 0 ? pread(fd, tail, TAIL_BYTES, size > TAIL_BYTES ? size - TAIL_BYTES : 0) : 0;

    if (n > 0) {
        tail[n] = 0;
        fprintf(stderr, "%s%s", tail, tail[n - 1] == '\n' ? "" : "\n");
    }
    if (fd >= 0)
        close(fd);
}

/* The packages in one line; malloc'ed. */
static char *package_list(const struct sr_target *t) {
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    if (t->package)
        fprintf(f, " %s", t->package);
    for (size_t i = 0; i < t->needs.n; i++)
        fprintf(f, " %s", t->needs.v[i]);
    return fclose(f) ? NULL : text;
}

/* Output to the file out; NULL: to the log as well. 0, or -1 with the reason printed. */
static int run_script(struct sr_fuzz *f, const struct sr_target *t, const char *script,
                      const char *arg, const char *log, const char *out) {
    char path[PATH_MAX], *packages;
    int log_fd, out_fd, status = -1;
    pid_t pid;

    if (access(script, R_OK)) {
        sr_error("%s: %s; the target file names it", script, strerror(errno));
        return -1;
    }
    sr_campaign_path(&f->c, log, path);
    log_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    out_fd = out ? open(out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : log_fd;
    pid = log_fd >= 0 && out_fd >= 0 ? fork() : -1;
    if (pid == 0)
        become_script(script, arg, out_fd, log_fd);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid < 0)
        sr_error("cannot run %s: %s", script, strerror(errno));
    if (out && out_fd >= 0)
        close(out_fd);
    if (log_fd >= 0)
        close(log_fd);
    if (pid > 0 && status) {
        packages = package_list(t);
        show_tail(path);
        sr_error("%s failed with status %d, see above; packages that it may need:%s", script,
                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
                 packages && *packages ? packages : " none are named");
        free(packages);
    }
    return pid > 0 && !status ? 0 : -1;
}

/* Whether dpkg knows that it is not installed. */
static bool is_missing(const char *package) {
    int status = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC), ends[2];
    char said[64] = "";
    ssize_t n = 0;
    pid_t pid = -1;

    if (null < 0 || pipe2(ends, O_CLOEXEC)) {
        if (null >= 0)
            close(null);
        return false;
    }
    pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
        execlp("dpkg-query", "dpkg-query", "-W", "-f", "${db:Status-Status}", package, NULL);
        _exit(127);
    }
    close(ends[1]);
    close(null);
    n = read(ends[0], said, sizeof said - 1);
    said[n > 0 ? n : 0] = 0;
    close(ends[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) == 127)
        return false;
    return strcmp(said, "installed") != 0;
}

static void check_needs(const struct sr_target *t) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = t->needs.n ? open_memstream(&text, &len) : NULL;

    for (size_t i = 0; f && i < t->needs.n; i++)
        if (is_missing(t->needs.v[i]))
            fprintf(f, " %s", t->needs.v[i]);
    if (f && fclose(f) == 0 && *text)
        sr_error("packages that the target's scenarios use are not installed; what needs them "
                 "will reach less: apt-get install%s",
                 text);
    free(text);
}

/* What cannot be had in the sandbox is said once, here. 0, or -1: something has to be there. */
static int check_box(struct sr_fuzz *f, const struct sr_target *t) {
    const char *cap = sr_caps_missing(t);
    char path[PATH_MAX + NAME_MAX];

    if (cap)
        sr_error("%s: cannot be given to the program here; it runs without", cap);
    for (size_t i = 0; i < t->n_binds; i++) {
        const struct sr_target_bind *b = &t->binds[i];

        snprintf(path, sizeof path, "%s/%s/%s", f->c.dir, SR_DIR_FIXTURES, b->name);
        if (access(path, F_OK)) {
            sr_error("%s: the target binds it to %s, but its set-up script has not made it", path,
                     b->path);
            return -1;
        }
        if (!sr_sandbox_can_bind(b->path))
            sr_error("%s: is not there, so %s cannot be shown at this place in the sandbox; make "
                     "an empty file there, or go on without",
                     b->path, b->name);
    }
    return 0;
}

/* Appends what the script printed to the campaign's copy of the target file, if it can be read. */
static int take_grammar(struct sr_fuzz *f, const char *printed) {
    char path[PATH_MAX], next[PATH_MAX], err[1024], *own, *more, *both = NULL;
    size_t own_len = 0, more_len = 0;
    struct sr_target t;
    int len = -1, failed = -EINVAL;

    sr_campaign_path(&f->c, SR_DIR_TARGET, path);
    sr_campaign_path(&f->c, SR_DIR_TARGET ".next", next);
    own = sr_file_read(path, SR_TARGET_BYTES_MAX, &own_len);
    more = sr_file_read(printed, SR_TARGET_BYTES_MAX, &more_len);
    if (own && more)
        len = asprintf(&both, "%s\n%s", own, more);
    if (len >= 0)
        failed = sr_file_write(next, both, (size_t)len);
    if (!failed) {
        failed = sr_target_read(next, &t, err, sizeof err);
        if (failed)
            sr_error("what the target's grammar script printed is wrong: %s", err);
        else if (rename(next, path))
            failed = -errno;
        sr_target_free(&t);
    } else {
        sr_error("%s: the target's grammar cannot be added; it may be longer than %u KiB", path,
                 SR_TARGET_BYTES_MAX / 1024);
    }
    unlink(printed);
    if (len >= 0)
        free(both);
    free(own);
    free(more);
    return failed ? -1 : 0;
}

int sr_fuzz_fixtures(struct sr_fuzz *f, const struct sr_target *t) {
    char dir[PATH_MAX], printed[PATH_MAX];

    check_needs(t);
    if (t->setup) {
        sr_campaign_path(&f->c, SR_DIR_FIXTURES, dir);
        if (mkdir(dir, 0755) || chmod(dir, 0755)) {
            sr_error("%s: %s", dir, strerror(errno));
            return SR_EXIT_ENV;
        }
        if (run_script(f, t, t->setup, dir, SETUP_LOG, NULL))
            return SR_EXIT_ENV;
    }
    if (check_box(f, t))
        return SR_EXIT_ENV;
    if (t->grammar) {
        sr_campaign_path(&f->c, SR_DIR_TARGET ".grammar", printed);
        if (run_script(f, t, t->grammar, f->c.program, GRAMMAR_LOG, printed) ||
            take_grammar(f, printed))
            return SR_EXIT_ENV;
    }
    return SR_EXIT_OK;
}
