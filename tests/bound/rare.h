/*
 * What the programs with a libc share: calls that neither libc nor ld.so has an instruction for,
 * so that a bound holds them only because of the program's own code.
 */
#ifndef SR_TESTS_BOUND_RARE_H
#define SR_TESTS_BOUND_RARE_H

#include <sys/syscall.h>

#define KEEP __attribute__((noinline, used))

/* With -1 for argument none of them does anything. */
#define RARE(number)                                                                               \
    ({                                                                                             \
        long result_;                                                                              \
        __asm__ volatile("syscall"                                                                 \
                         : "=a"(result_)                                                           \
                         : "0"((long)(number)), "D"(-1L), "S"(-1L), "d"(-1L)                       \
                         : "rcx", "r11", "memory");                                                \
        (int)result_;                                                                              \
    })

#endif
