/* Wrappers that are called through a struct of pointers, always with constants (libcap). */
#include "free.h"

struct caller {
    long (*one)(long number, long a);
    long (*two)(long number, long a, long b);
};

KEEP static long call_one(long number, long a) {
    return CALL1(number, a);
}

KEEP static long call_two(long number, long a, long b) {
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"(number), "D"(a), "S"(b)
                     : "rcx", "r11", "memory");
    return result;
}

static struct caller plain = {call_one, call_two};

KEEP static long get(struct caller *c) {
    return c->one(SYS_getpgid, 0);
}

KEEP static long set(struct caller *c) {
    return c->two(SYS_setpgid, 0, 0);
}

int run(int argc, char **argv) {
    (void)argc;
    (void)argv;
    struct caller *volatile c = &plain;

    return get(c) + set(c) < 0;
}
