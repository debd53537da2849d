/*
 * Feedback for AFL++: which call was made from where.
 *
 * A call site is (image, call, place of the instruction, two callers in the program's own code).
 * The callers are found without frame pointers: the first words on the stack that point just behind
 * a call instruction of the program. Addresses count relative to the program, so that a site keeps
 * its map entry over restarts and instances; entries are slots of a table in the union. Only
 * presence is told (1), not how often: loops over more data are not news.
 */
#include <string.h>
#include <sys/uio.h>

#include "hook.h"
#include "sys.h"

#define WINDOW_WORDS 256 /* 2 KiB of stack */
#define CALLERS      2

/* The shapes of call: e8 rel32, and ff /2 with register or memory operands of 2, 3, 6 or 7 bytes.
 */
static bool behind_call(const struct sr_code *code, uintptr_t at) {
    const unsigned char *p = (const unsigned char *)at;
    static const unsigned char lengths[] = {2, 3, 6, 7};

    if (at < code->lo + 7 || at >= code->hi)
        return false;
    if (p[-5] == 0xe8)
        return true;
    for (size_t i = 0; i < sizeof lengths; i++)
        if (p[-lengths[i]] == 0xff && (p[1 - lengths[i]] & 0x38) == 0x10)
            return true;
    return false;
}

static uint64_t mix(uint64_t h, uint64_t v) {
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t callers(const struct sr_hook *h, const struct sr_stop *stop, uint64_t hash) {
    /* Not on our stack: the next child would inherit it below main, and find old callers there. */
    static uint64_t words[WINDOW_WORDS];
    struct iovec here = {words, sizeof words}, there = {(void *)stop->sp, sizeof words};
    long n = sr_sys(SYS_process_vm_readv, stop->tid, &here, 1, &there, 1, 0);
    int found = 0;

    for (long i = 0; i < n / 8 && found < CALLERS; i++)
        if (words[i] >= h->code.lo && words[i] < h->code.hi && behind_call(&h->code, words[i])) {
            hash = mix(hash, words[i] - h->code.lo);
            found++;
        }
    return hash;
}

void sr_hook_site(struct sr_hook *h, const struct sr_stop *stop) {
    uint64_t hash = mix(stop->image + 1, (uint64_t)stop->call.abi << 32 | (uint32_t)stop->call.nr);
    bool is_new;
    int slot;

    hash = mix(hash, stop->ip & 0xfff); /* survives address randomisation */
    if (stop->own_text)
        hash = callers(h, stop, hash);
    slot = sr_union_site(h->u, hash, &is_new);
    if (slot < 0)
        return;
    h->site_is_new |= is_new;
    if (h->map)
        h->map[slot] = 1;
}
