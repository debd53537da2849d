/*
 * Messages to the person at the terminal. Apart from main.c, so that tests can link it.
 */
#include <stdarg.h>
#include <stdio.h>

#include "commands.h"

void sr_error(const char *format, ...) {
    va_list args;

    va_start(args, format);
    flockfile(stderr);
    fputs("sysreach: ", stderr);
    vfprintf(stderr, format, args);
    putc('\n', stderr);
    funlockfile(stderr);
    va_end(args);
}
