/*
 * Parser of /etc/ld.so.cache.
 *
 * Format "glibc-ld.so.cache1.1": a header of 48 bytes, entries of 24 bytes, strings, and after them
 * an extension directory whose section 1 lists the names of glibc-hwcaps subdirectories (offsets
 * of strings). Old ldconfigs put a table "ld.so-1.7.0" before it, which is skipped. Offsets of
 * strings count from the 1.1 header, the directory's from the file's begin.
 */
#include "ldcache.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC           "glibc-ld.so.cache1.1"
#define OLD_MAGIC       "ld.so-1.7.0"
#define EXTENSION_MAGIC 0xeaa42174U

enum {
    OLD_HEADER = 16,
    OLD_ENTRY = 12,
    HEADER = 48,
    ENTRY = 24,
    SECTION = 16,
    SECTION_HWCAPS = 1,
    LITTLE_ENDIAN_FLAG = 2,
    FLAGS_X86_64 = 0x303, /* ELF, libc6, 64 bits of x86-64 */
};

struct sr_ldcache {
    char *bytes;
    size_t len;
    size_t base; /* of the 1.1 header */
    uint32_t n;
    size_t hwcaps; /* offset of the array of the extension's names */
    uint32_t n_hwcaps;
};

static uint32_t get32(const struct sr_ldcache *c, size_t at) {
    uint32_t v;

    memcpy(&v, c->bytes + at, sizeof v);
    return v;
}

static bool within(const struct sr_ldcache *c, size_t at, uint64_t size) {
    return at <= c->len && size <= c->len - at;
}

/* NULL: no such string. The byte after the file is a NUL. */
static const char *string_at(const struct sr_ldcache *c, uint32_t offset) {
    return offset < c->len - c->base ? c->bytes + c->base + offset : NULL;
}

static void skip_old(struct sr_ldcache *c) {
    uint64_t end;

    if (!within(c, 0, OLD_HEADER) || memcmp(c->bytes, OLD_MAGIC, sizeof OLD_MAGIC - 1) != 0)
        return;
    end = OLD_HEADER + (uint64_t)OLD_ENTRY * get32(c, 12);
    c->base = (size_t)((end + 7) & ~7ULL);
}

/* A damaged extension is as none: entries that refer to it are then passed over. */
static void find_hwcaps(struct sr_ldcache *c) {
    size_t at = get32(c, c->base + 32);
    uint32_t count;

    if (!at || !within(c, at, 8) || get32(c, at) != EXTENSION_MAGIC)
        return;
    count = get32(c, at + 4);
    if (!within(c, at, 8 + (uint64_t)SECTION * count))
        return;
    at += 8;
    for (uint32_t i = 0; i < count; i++, at += SECTION) {
        uint32_t offset = get32(c, at + 8), size = get32(c, at + 12);

        if (get32(c, at) != SECTION_HWCAPS || !within(c, offset, size))
            continue;
        c->hwcaps = offset;
        c->n_hwcaps = size / 4;
        return;
    }
}

struct sr_ldcache *sr_ldcache_parse(char *bytes, size_t len) {
    struct sr_ldcache *c = calloc(1, sizeof *c);

    if (!c) {
        free(bytes);
        return NULL;
    }
    c->bytes = bytes;
    c->len = len;
    skip_old(c);
    if (!within(c, c->base, HEADER) || memcmp(bytes + c->base, MAGIC, sizeof MAGIC - 1) != 0 ||
        ((bytes[c->base + 28] & 3) != 0 && (bytes[c->base + 28] & 3) != LITTLE_ENDIAN_FLAG)) {
        sr_ldcache_free(c);
        return NULL;
    }
    c->n = get32(c, c->base + 20);
    if (!within(c, c->base + HEADER, (uint64_t)ENTRY * c->n)) {
        sr_ldcache_free(c);
        return NULL;
    }
    find_hwcaps(c);
    return c;
}

void sr_ldcache_free(struct sr_ldcache *c) {
    if (!c)
        return;
    free(c->bytes);
    free(c);
}

#define RANK_PLAIN  (SIZE_MAX - 1)
#define RANK_UNUSED SIZE_MAX

/* How good an entry is for this processor: 0 the best; RANK_UNUSED: not for it. */
static size_t rank_of(const struct sr_ldcache *c, size_t entry, const char *const *hwcaps) {
    uint32_t low = get32(c, entry + 16), high = get32(c, entry + 20);
    const char *name;

    if (!low && !high)
        return RANK_PLAIN;
    /* Bit 62 says that low is an index; bits 32 to 41 are an ISA level. All other values are of
     * the legacy subdirectories, which glibc has dropped. */
    if ((high & ~0x3ffU) != 1U << 30 || low >= c->n_hwcaps)
        return RANK_UNUSED;
    name = string_at(c, get32(c, c->hwcaps + 4 * (size_t)low));
    for (size_t i = 0; name && hwcaps[i]; i++)
        if (strcmp(name, hwcaps[i]) == 0)
            return i;
    return RANK_UNUSED;
}

const char *sr_ldcache_find(const struct sr_ldcache *c, const char *name,
                            const char *const *hwcaps) {
    size_t best = RANK_UNUSED, at = c->base + HEADER;
    const char *file = NULL;

    for (uint32_t i = 0; i < c->n; i++, at += ENTRY) {
        const char *key = string_at(c, get32(c, at + 4));
        const char *value = string_at(c, get32(c, at + 8));
        size_t rank;

        if (get32(c, at) != FLAGS_X86_64 || !key || !value || strcmp(key, name) != 0)
            continue;
        rank = rank_of(c, at, hwcaps);
        if (rank < best) {
            best = rank;
            file = value;
        }
    }
    return file;
}
