/*
 * The seccomp filter that hands every system call to the tracer.
 */
#ifndef SR_FILTER_H
#define SR_FILTER_H

#include <stdint.h>

/*
 * Installs it in the calling process; children and exec'd programs keep it. Calls made with the
 * instruction pointer in [lo, hi] (both 0: none) are let through unseen: the gate of sys.h.
 * Without privilege it sets no_new_privs first, which disables setuid helpers of the program.
 * Returns 0 or a negative errno. After that a call that is not exempted fails with ENOSYS unless a
 * ptracer with PTRACE_O_TRACESECCOMP is attached; see seccomp(2), SECCOMP_RET_TRACE.
 */
int sr_filter_install(uintptr_t lo, uintptr_t hi);

#endif
