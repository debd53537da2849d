/*
 * The parser of /etc/ld.so.cache: which entry wins, and damaged files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bound/ldcache.h"

enum { N_OLD = 1, OLD_BYTES = 32, N = 6, NAMED = 1U << 30 };

struct file_entry {
    uint32_t flags, key, value, unused, low, high;
};

/* NOLINTBEGIN(bugprone-string-literal-with-embedded-nul): that is how the file has them */
static const char strings[] =
    "\0liba.so\0/plain/liba.so\0/v3/liba.so\0/v2/liba.so\0/32/liba.so\0x86-64-v3\0x86-64-v2\0"
    "libb.so\0/plain/libb.so";
/* NOLINTEND(bugprone-string-literal-with-embedded-nul) */

static uint32_t string_offset(const char *s) {
    size_t base = 48 + N * sizeof(struct file_entry);

    for (size_t i = 1; i < sizeof strings; i += strlen(strings + i) + 1)
        if (strcmp(strings + i, s) == 0)
            return (uint32_t)(base + i);
    fail_msg("no string %s", s);
    return 0;
}

static void put(char *at, uint32_t v) {
    memcpy(at, &v, sizeof v);
}

/* A cache as ldconfig writes it, optionally behind a table of the old format. */
static char *make_cache(bool old, size_t *len) {
    const struct file_entry entries[N] = {
        {0x303, string_offset("liba.so"), string_offset("/v2/liba.so"), 0, 1, NAMED},
        {0x303, string_offset("liba.so"), string_offset("/v3/liba.so"), 0, 0, NAMED},
        {0x003, string_offset("liba.so"), string_offset("/32/liba.so"), 0, 0, 0},
        {0x303, string_offset("liba.so"), string_offset("/plain/liba.so"), 0, 0, 0},
        {0x303, string_offset("libb.so"), string_offset("/32/liba.so"), 0, 0, 1U << 20},
        {0x303, string_offset("libb.so"), string_offset("/plain/libb.so"), 0, 0, 0},
    };
    size_t base = old ? OLD_BYTES : 0, text = base + 48 + sizeof entries;
    size_t extension = (text + sizeof strings + 3) & ~(size_t)3;
    char *b;

    *len = extension + 8 + 16 + 8;
    b = calloc(1, *len + 1);
    assert_non_null(b);
    if (old) {
        memcpy(b, "ld.so-1.7.0", 11);
        put(b + 12, N_OLD);
    }
    memcpy(b + base, "glibc-ld.so.cache1.1", sizeof "glibc-ld.so.cache1.1");
    put(b + base + 20, N);
    put(b + base + 24, sizeof strings);
    b[base + 28] = 2;
    put(b + base + 32, (uint32_t)extension);
    memcpy(b + base + 48, entries, sizeof entries);
    memcpy(b + text, strings, sizeof strings);
    put(b + extension, 0xeaa42174U);
    put(b + extension + 4, 1);
    put(b + extension + 8, 1);
    put(b + extension + 16, (uint32_t)extension + 24);
    put(b + extension + 20, 8);
    put(b + extension + 24, string_offset("x86-64-v3"));
    put(b + extension + 28, string_offset("x86-64-v2"));
    return b;
}

static const char *const none[] = {NULL};
static const char *const v2[] = {"x86-64-v2", NULL};
static const char *const v3[] = {"x86-64-v3", "x86-64-v2", NULL};

static void test_find(void **state) {
    (void)state;
    for (int old = 0; old < 2; old++) {
        size_t len;
        char *bytes = make_cache(old, &len);
        struct sr_ldcache *c = sr_ldcache_parse(bytes, len);

        assert_non_null(c);
        assert_string_equal(sr_ldcache_find(c, "liba.so", none), "/plain/liba.so");
        assert_string_equal(sr_ldcache_find(c, "liba.so", v2), "/v2/liba.so");
        assert_string_equal(sr_ldcache_find(c, "liba.so", v3), "/v3/liba.so");
        assert_string_equal(sr_ldcache_find(c, "libb.so", v3), "/plain/libb.so");
        assert_null(sr_ldcache_find(c, "libc.so", v3));
        sr_ldcache_free(c);
    }
}

static void try_bytes(const char *bytes, size_t len) {
    char *copy = malloc(len + 1); /* exactly: a read behind it is seen by the sanitizer */
    struct sr_ldcache *c;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    copy[len] = 0;
    c = sr_ldcache_parse(copy, len);
    for (int i = 0; c && i < 2; i++) {
        const char *found = sr_ldcache_find(c, i ? "liba.so" : "libc.so.6", v3);

        if (found)
            assert_true(strlen(found) <= len);
    }
    sr_ldcache_free(c);
}

/* Every bit, every length, and every word with the values that break sums. */
static void test_damaged(void **state) {
    const uint32_t words[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0};

    (void)state;
    for (int old = 0; old < 2; old++) {
        size_t len;
        char *bytes = make_cache(old, &len);

        for (size_t n = 0; n < len; n++)
            try_bytes(bytes, n);
        for (size_t i = 0; i < len * 8; i++) {
            bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
            try_bytes(bytes, len);
            bytes[i / 8] = (char)(bytes[i / 8] ^ 1 << i % 8);
        }
        for (size_t i = 0; i + 4 <= len; i += 4) {
            for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
                char saved[4];

                memcpy(saved, bytes + i, 4);
                put(bytes + i, words[k]);
                try_bytes(bytes, len);
                memcpy(bytes + i, saved, 4);
            }
        }
        free(bytes);
    }
}

/* The machine's own, with bytes changed here and there. */
static void test_damaged_own(void **state) {
    FILE *f = fopen("/etc/ld.so.cache", "rb");
    static char bytes[1 << 20];
    uint32_t seed = 1;
    size_t len;

    (void)state;
    if (!f) {
        print_message("skipped: there is no /etc/ld.so.cache; ldconfig makes it\n");
        skip();
    }
    len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (int i = 0; i < 2000 && len > 0; i++) {
        size_t at;
        char saved;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 4) % (i % 2 ? len : len < 4096 ? len : 4096);
        saved = bytes[at];
        bytes[at] = (char)(seed >> 24);
        try_bytes(bytes, len);
        bytes[at] = saved;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_damaged_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
