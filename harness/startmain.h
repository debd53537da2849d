/*
 * Where a freshly exec'd process will enter main.
 *
 * The end of start-up. The address is what the program's _start loads into %rdi before it calls
 * __libc_start_main (System V ABI; crt1.o of glibc and musl); no symbols are needed.
 */
#ifndef SR_STARTMAIN_H
#define SR_STARTMAIN_H

#include <stdint.h>
#include <sys/types.h>

/* The tracee stands at its exec stop. Returns the address, or 0 where _start has another shape. */
uint64_t sr_startmain_find(pid_t pid);

#endif
