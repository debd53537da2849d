/*
 * Programs for tests/integration/peers.sh, one for each argument: what stands at either end of a
 * connection, or types at a terminal.
 *
 * A recorded run shows no output, so what happened is told by running mark-NAME, which then is one
 * of the images of the run.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t told;

static void on_term(int signo) {
    (void)signo;
    told = 1;
}

static void mark(const char *name) {
    char *argv[] = {(char[]){"mark"}, NULL};
    pid_t pid = fork();

    if (pid == 0) {
        execvp(name, argv);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static int listen_at(int port) {
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    /* As servers do: runs share a network, where the last one's connections linger for a minute. */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, 8))
        exit(1);
    return fd;
}

/* Answers each line with another until it is told to end. */
static void serve(int port, bool obeys) {
    struct sigaction sa = {.sa_handler = on_term};
    struct pollfd ready = {listen_at(port), POLLIN, 0};
    char line[64];

    if (!obeys)
        sa.sa_handler = SIG_IGN;
    sigaction(SIGTERM, &sa, NULL);
    while (!told) {
        int fd = poll(&ready, 1, -1) == 1 ? accept(ready.fd, NULL, NULL) : -1;

        if (fd < 0)
            continue;
        if (read(fd, line, sizeof line) > 0 && write(fd, "yes\n", 4) == 4)
            mark("mark-served");
        close(fd);
    }
    mark("mark-told");
}

static void serve_in_background(int port) {
    pid_t pid = fork();

    if (pid > 0)
        _exit(0);
    setsid();
    usleep(50000); /* a client must not come before it listens */
    serve(port, true);
}

static bool reads(const char *what, const char *prompt) {
    char line[64] = "";
    ssize_t n;

    if (write(STDOUT_FILENO, prompt, strlen(prompt)) < 0)
        return false;
    n = read(STDIN_FILENO, line, sizeof line - 1);
    return n > 0 && strcmp(line, what) == 0;
}

/* The second line is a password: what was typed before the prompt is thrown away. */
static void ask(void) {
    struct termios before, quiet;
    bool ok = reads("one\n", "first: ");

    usleep(30000);
    if (tcgetattr(STDIN_FILENO, &before))
        return mark("mark-no-terminal");
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    ok = reads("two\n", "password: ") && ok;
    usleep(30000);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    ok = reads("three\n", "third: ") && ok;
    mark(ok ? "mark-in-order" : "mark-in-disorder");
}

static void look_at_stdin(void) {
    struct sockaddr_storage at = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof at;
    char line[64];

    if (getsockname(STDIN_FILENO, (struct sockaddr *)&at, &len))
        return mark("mark-no-connection");
    mark(at.ss_family == AF_INET || at.ss_family == AF_INET6 ? "mark-connection" : "mark-other");
    if (read(STDIN_FILENO, line, sizeof line) > 0 && write(STDOUT_FILENO, "yes\n", 4) == 4)
        mark("mark-heard");
}

static void talk_unix(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    char line[64];

    strncpy(at.sun_path, path, sizeof at.sun_path - 1);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) || write(fd, "x\n", 2) != 2 ||
        read(fd, line, sizeof line) != 2)
        return mark("mark-nobody");
    mark("mark-answered");
}

/* So many processes that come and go, then a connection: the recorder's table is full at some. */
static void crowd(int n) {
    const struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char line[64];

    for (; n > 0; n--) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
    }
    if (!connect(fd, (const struct sockaddr *)&at, sizeof at) && read(fd, line, sizeof line) > 0)
        mark("mark-answered");
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "", *more = argc > 2 ? argv[2] : "";

    if (strcmp(what, "daemon") == 0)
        serve_in_background(atoi(more));
    else if (strcmp(what, "server") == 0)
        serve(atoi(more), true);
    else if (strcmp(what, "stubborn") == 0)
        serve(atoi(more), false);
    else if (strcmp(what, "ask") == 0)
        ask();
    else if (strcmp(what, "inet") == 0)
        look_at_stdin();
    else if (strcmp(what, "unix") == 0)
        talk_unix(more);
    else if (strcmp(what, "crowd") == 0)
        crowd(atoi(more));
    else
        return 2;
    return 0;
}
