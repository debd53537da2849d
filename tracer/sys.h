/*
 * System calls without libc: one gate that every call of the tracer goes through.
 *
 * In the hook library the seccomp filter traps every call but those made by the gate's own
 * instruction, so what the harness does in the target's process is never recorded and needs no
 * tracer. sr_sys returns a negative errno instead of setting errno (which lives in the target's
 * memory). Elsewhere the gate is an ordinary system call.
 */
#ifndef SR_SYS_H
#define SR_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

typedef long sr_gate_fn(long nr, long a, long b, long c, long d, long e, long f);

/* Where the gate is now; sr_gate_move changes it. */
extern sr_gate_fn *sr_gate;

#define SR_SYS_N(nr, a, b, c, d, e, f, ...)                                                        \
    sr_gate((long)(nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define sr_sys(...) SR_SYS_N(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

/* Zeroed memory of our own, MAP_PRIVATE or MAP_SHARED with other flags; NULL: there is none. */
static inline void *sr_map(size_t bytes, int flags) {
    long p = sr_sys(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* The gate's signal trampoline where it was linked, for those who do not move it. */
extern const char sr_gate_restorer[] __attribute__((visibility("hidden")));

/*
 * Copies the gate to a page of its own at a fixed address that neither the kernel nor ld.so gives
 * out, so that no other image's code can stand there by chance. *lo and *hi: the addresses that a
 * filter has to exempt (instruction pointer after the call, both inclusive).
 * *restorer: a signal trampoline in it. Returns 0 or a negative errno.
 */
int sr_gate_move(uintptr_t *lo, uintptr_t *hi, void (**restorer)(void));

#endif
