/*
 * Runs build-instrumented.sh and takes the path of the result from its standard output.
 *
 * The script stays in our process group, so Ctrl-C ends it too; it removes its work folder itself.
 */
#include "instrument.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"

/* The folder for results; false where neither variable says one. */
static bool cache_folder(char *buf, size_t size) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = -1;

    if (cache && cache[0] == '/') /* the XDG rules: a relative one is to be ignored */
        n = snprintf(buf, size, "%s/sysreach", cache);
    else if (home && home[0] == '/')
        n = snprintf(buf, size, "%s/.cache/sysreach", home);
    return n > 0 && (size_t)n < size;
}

/* Starts argv[0] with its standard output in a pipe; its end to read from, or a negative errno. */
static int start(char *const argv[], pid_t *pid) {
    posix_spawn_file_actions_t actions;
    int ends[2], rc;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        if (rc == 0)
            rc = posix_spawn(pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(ends[1]);
    if (rc != 0) {
        close(ends[0]);
        return -rc;
    }
    return ends[0];
}

/* All that fd gives, as far as it fits, a NUL after it; without the last newline. */
static void read_line(int fd, char *buf, size_t size) {
    size_t got = 0;
    char part[512];
    ssize_t n;

    while ((n = read(fd, part, sizeof part)) > 0 || (n < 0 && errno == EINTR)) {
        size_t fits = n < 0 ? 0 : (size_t)n;

        if (fits > size - 1 - got)
            fits = size - 1 - got;
        memcpy(buf + got, part, fits);
        got += fits;
    }
    buf[got] = '\0';
    if (got > 0 && buf[got - 1] == '\n')
        buf[got - 1] = '\0';
}

int sr_instrument_build(const char *script, const char *program, const char *package,
                        const char *built, const char *depends, const char *lines, char *path_out,
                        size_t size) {
    char cache[PATH_MAX], line[PATH_MAX] = "";
    char *argv[] = {(char *)script,
                    (char *)"-d",
                    (char *)(depends ? depends : ""),
                    (char *)"-b",
                    (char *)(lines ? lines : ""),
                    (char *)"--",
                    (char *)package,
                    (char *)program,
                    (char *)built,
                    cache,
                    NULL};
    int fd, status = 0;
    pid_t pid = -1;

    if (!cache_folder(cache, sizeof cache)) {
        sr_error("instrumented build: no folder for its result; set HOME or XDG_CACHE_HOME");
        return SR_EXIT_ENV;
    }
    fd = start(argv, &pid);
    if (fd < 0) {
        sr_error("instrumented build: cannot run %s: %s; is sysreach installed as a whole?", script,
                 strerror(-fd));
        return SR_EXIT_ENV;
    }
    read_line(fd, line, sizeof line);
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == SR_EXIT_USAGE)
        return SR_EXIT_USAGE;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return SR_EXIT_ENV; /* the script has said why */
    if (line[0] != '/' || strlen(line) >= size || access(line, X_OK) != 0) {
        sr_error("instrumented build: %s gave no program; remove %s and try again", script, cache);
        return SR_EXIT_ENV;
    }
    memcpy(path_out, line, strlen(line) + 1);
    return SR_EXIT_OK;
}
