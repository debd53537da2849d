/*
 * sysreach init: the first process of a sandbox. Not for people; --help does not list it.
 *
 * It starts the command, takes in whatever processes lose their parent, and ends as the command
 * does, and with it everything in the sandbox. bubblewrap has such a process too, but drops its
 * capabilities: a program under test could trace it, and see the sandbox through its eyes.
 *
 * For an ordinary user the network namespace is made here: bubblewrap's belongs to a user namespace
 * above the sandbox's, where the harness's CAP_NET_BIND_SERVICE counts for nothing and no scenario
 * could be served on a low port.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"

static int bring_up(const char *name) {
    struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

    if (fd < 0)
        return -1;
    strncpy(r.ifr_name, name, sizeof r.ifr_name - 1);
    err = ioctl(fd, SIOCSIFFLAGS, &r);
    close(fd);
    return err;
}

static int own_network(void) {
    if (geteuid() == 0)
        return 0;
    if (unshare(CLONE_NEWNET) || bring_up("lo"))
        return -1;
    /* Nothing that is started from here needs it any more. */
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_ADMIN, 0, 0);
}

int sr_cmd_init(int argc, char **argv) {
    pid_t pid, got;
    int status;

    if (argc < 2 || getpid() != 1) {
        sr_error("init is the first process of a sandbox and runs nowhere else");
        return SR_EXIT_USAGE;
    }
    if (own_network()) {
        sr_error("the sandbox's loopback network cannot be set up: %s", strerror(errno));
        return SR_EXIT_ENV;
    }
    /* The keyring of the caller's session stays outside. */
    syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
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
