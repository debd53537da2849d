/*
 * What the tiny programs share: looking at their arguments and at the file they are given.
 *
 * Each program makes one system call that it would not make otherwise, behind one condition. The
 * table TABLE says which. None of the helpers here makes a call that is hidden somewhere.
 */
#ifndef HIDDEN_H
#define HIDDEN_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One of the arguments is -LETTER. */
static inline bool hidden_option(char **argv, char letter) {
    for (char **a = argv + 1; *a; a++)
        if ((*a)[0] == '-' && (*a)[1] == letter && !(*a)[2])
            return true;
    return false;
}

/* The first argument that is no option; the scenarios call their file "in". */
static inline const char *hidden_file(char **argv) {
    for (char **a = argv + 1; *a; a++)
        if ((*a)[0] != '-')
            return *a;
    return "in";
}

/* The first n - 1 bytes of a file, NUL-terminated; empty if there is none. */
static inline void hidden_read(const char *path, char *buf, size_t n) {
    ssize_t got = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK);

    if (fd >= 0) {
        got = read(fd, buf, n - 1);
        close(fd);
    }
    buf[got > 0 ? got : 0] = 0;
}

/* Waits for a child; the status does not matter. */
static inline void hidden_wait(pid_t pid) {
    int status;

    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        continue;
}

#endif
