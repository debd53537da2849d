/*
 * A set of system calls, and the calls that it holds.
 *
 * A call is a number and the entry it came through: on x86-64 the same process can enter the kernel
 * as x86-64, as x32 and as i386 (int 0x80), and number 1 is write, write and exit respectively. So
 * the entry (abi) is part of the call and sets never mix them.
 * A set is plain memory without pointers: it can lie in a shared mapping and be merged by OR.
 * Everything here is inline and makes no call of its own, so the hook library can use it.
 */
#ifndef SYSREACH_SET_H
#define SYSREACH_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum sr_abi { SR_ABI_X86_64, SR_ABI_X32, SR_ABI_I386, SR_ABIS };

struct sr_call {
    uint32_t abi; /* enum sr_abi */
    int32_t nr;   /* without x32's bit 30 */
};

/* Bit 30 of the number marks an x32 call; arch/x86/include/uapi/asm/unistd.h. */
#define SR_X32_BIT 0x40000000u

/* Numbers below this live in the bitmap; the few above (syscall(-1), syscall(99999)) in odd[]. */
#define SR_SET_NRS   1024
#define SR_SET_WORDS (SR_SET_NRS / 64)
#define SR_SET_ODD   16

struct sr_set {
    uint64_t bits[SR_ABIS][SR_SET_WORDS];
    uint64_t odd[SR_SET_ODD]; /* 0 or SR_ODD_USED | abi << 32 | number */
    uint64_t lost;            /* not 0: odd[] was full once, so the set is not complete */
};

#define SR_ODD_USED (UINT64_C(1) << 63)

static inline uint64_t sr_odd_key(struct sr_call c) {
    return SR_ODD_USED | (uint64_t)c.abi << 32 | (uint32_t)c.nr;
}

static inline bool sr_call_equal(struct sr_call a, struct sr_call b) {
    return a.abi == b.abi && a.nr == b.nr;
}

/* The call for a number as seccomp sees it. is_i386: the entry's audit architecture is i386. */
static inline struct sr_call sr_call_from_entry(bool is_i386, uint64_t raw) {
    uint32_t nr = (uint32_t)raw;

    if (is_i386)
        return (struct sr_call){SR_ABI_I386, (int32_t)nr};
    if (nr >= SR_X32_BIT && nr < SR_X32_BIT + SR_SET_NRS)
        return (struct sr_call){SR_ABI_X32, (int32_t)(nr - SR_X32_BIT)};
    return (struct sr_call){SR_ABI_X86_64, (int32_t)nr};
}

static inline bool sr_set_has(const struct sr_set *s, struct sr_call c) {
    if (c.abi >= SR_ABIS)
        return false;
    if (c.nr >= 0 && c.nr < SR_SET_NRS) {
        uint64_t w = __atomic_load_n(&s->bits[c.abi][c.nr / 64], __ATOMIC_RELAXED);
        return w >> (c.nr % 64) & 1;
    }
    for (int i = 0; i < SR_SET_ODD; i++)
        if (__atomic_load_n(&s->odd[i], __ATOMIC_RELAXED) == sr_odd_key(c))
            return true;
    return false;
}

/*
 * Adds a call; returns true when it was not there before. Atomic: of several processes that add the
 * same call to a shared set at the same time, exactly one is told true.
 */
static inline bool sr_set_add(struct sr_set *s, struct sr_call c) {
    if (c.abi >= SR_ABIS)
        return false;
    if (c.nr >= 0 && c.nr < SR_SET_NRS) {
        uint64_t bit = UINT64_C(1) << (c.nr % 64);
        return !(__atomic_fetch_or(&s->bits[c.abi][c.nr / 64], bit, __ATOMIC_ACQ_REL) & bit);
    }
    for (int i = 0; i < SR_SET_ODD; i++) {
        uint64_t free_slot = 0;
        if (__atomic_compare_exchange_n(&s->odd[i], &free_slot, sr_odd_key(c), false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            return true;
        if (free_slot == sr_odd_key(c))
            return false;
    }
    __atomic_store_n(&s->lost, 1, __ATOMIC_RELAXED);
    return false;
}

/*
 * Iteration in the order abi, number, odd ones last:
 *     for (unsigned at = 0; sr_set_next(s, &at, &call);) ...
 * at is opaque; start with 0. The set may gain calls meanwhile.
 */
static inline bool sr_set_next(const struct sr_set *s, unsigned *at, struct sr_call *call) {
    for (; *at < SR_ABIS * SR_SET_NRS; ++*at) {
        unsigned abi = *at / SR_SET_NRS, nr = *at % SR_SET_NRS;
        uint64_t w = __atomic_load_n(&s->bits[abi][nr / 64], __ATOMIC_RELAXED) >> (nr % 64);
        if (!w) {
            *at |= 63;
            continue;
        }
        if (w & 1) {
            *call = (struct sr_call){abi, (int32_t)nr};
            ++*at;
            return true;
        }
    }
    for (; *at < SR_ABIS * SR_SET_NRS + SR_SET_ODD; ++*at) {
        uint64_t k = __atomic_load_n(&s->odd[*at - SR_ABIS * SR_SET_NRS], __ATOMIC_RELAXED);
        if (!(k & SR_ODD_USED))
            continue;
        *call = (struct sr_call){(uint32_t)(k >> 32) & 3, (int32_t)(uint32_t)k};
        ++*at;
        if (call->abi < SR_ABIS)
            return true;
    }
    return false;
}

static inline void sr_set_clear(struct sr_set *s) {
    memset(s, 0, sizeof *s);
}

static inline unsigned sr_set_count(const struct sr_set *s) {
    struct sr_call c;
    unsigned n = 0;

    for (unsigned at = 0; sr_set_next(s, &at, &c);)
        n++;
    return n;
}

/* into |= from; atomic for each call. */
static inline void sr_set_merge(struct sr_set *into, const struct sr_set *from) {
    struct sr_call c;

    for (unsigned at = 0; sr_set_next(from, &at, &c);)
        sr_set_add(into, c);
    if (from->lost)
        into->lost = 1;
}

/* a minus b */
static inline struct sr_set sr_set_minus(const struct sr_set *a, const struct sr_set *b) {
    struct sr_set out;
    struct sr_call c;

    sr_set_clear(&out);
    for (unsigned at = 0; sr_set_next(a, &at, &c);)
        if (!sr_set_has(b, c))
            sr_set_add(&out, c);
    out.lost = a->lost | b->lost;
    return out;
}

static inline struct sr_set sr_set_intersect(const struct sr_set *a, const struct sr_set *b) {
    struct sr_set out;
    struct sr_call c;

    sr_set_clear(&out);
    for (unsigned at = 0; sr_set_next(a, &at, &c);)
        if (sr_set_has(b, c))
            sr_set_add(&out, c);
    out.lost = a->lost | b->lost;
    return out;
}

/* Same calls, in whatever order odd[] holds them. */
static inline bool sr_set_equal(const struct sr_set *a, const struct sr_set *b) {
    struct sr_call c;

    for (unsigned at = 0; sr_set_next(a, &at, &c);)
        if (!sr_set_has(b, c))
            return false;
    for (unsigned at = 0; sr_set_next(b, &at, &c);)
        if (!sr_set_has(a, c))
            return false;
    return true;
}

#endif
