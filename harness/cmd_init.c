/*
 * sysreach init: the first process of a sandbox. Not for people; --help does not list it.
 *
 * It starts the command, takes in whatever processes lose their parent, and ends as the command
 * does, and with it everything in the sandbox. bubblewrap has such a process too, but drops its
 * capabilities: a program under test could trace it, and see the sandbox through its eyes.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"

int sr_cmd_init(int argc, char **argv) {
    pid_t pid, got;
    int status;

    if (argc < 2 || getpid() != 1) {
        sr_error("init is the first process of a sandbox and runs nowhere else");
        return SR_EXIT_USAGE;
    }
    pid = fork();
    if (pid == 0) {
        execvp(argv[1], argv + 1);
        sr_error("%s: %s", argv[1], strerror(errno));
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (pid > 0 && (got = wait(&status)) != pid)
        if (got < 0 && errno != EINTR)
            return SR_EXIT_ENV;
    if (pid < 0)
        return SR_EXIT_ENV;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
