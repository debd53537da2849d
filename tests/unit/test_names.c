/*
 * Names of calls and build-ids.
 *
 * Numbers that are written here come from the kernel's tables (asm/unistd_64.h and friends), and
 * the build-id from the program's own memory: neither comes from the library under test.
 */
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "buildid.h"
#include "names.h"

static char folder[] = "/tmp/sysreach-test-names.XXXXXX";

static const char *in_folder(const char *name) {
    static char path[4096];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *put_file(const char *name, const void *bytes, size_t len) {
    const char *path = in_folder(name);
    FILE *f = fopen(path, "we");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

static struct sr_call call(const char *name) {
    struct sr_call c = {0, 0};

    if (!sr_call_parse(name, strlen(name), &c))
        fail_msg("%s is no call", name);
    return c;
}

static void test_names(void **state) {
    static const struct {
        const char *name;
        uint32_t abi;
        int32_t nr;
    } facts[] = {
        {"read", SR_ABI_X86_64, 0},
        {"openat", SR_ABI_X86_64, SYS_openat},
        {"exit_group", SR_ABI_X86_64, SYS_exit_group},
        {"x32:openat", SR_ABI_X32, 257},
        {"x32:rt_sigaction", SR_ABI_X32, 512},
        {"i386:exit", SR_ABI_I386, 1},
        {"i386:open", SR_ABI_I386, 5},
        {"i386:socketcall", SR_ABI_I386, 102},
        {"i386:socket", SR_ABI_I386, 359},
        {"i386:shmat", SR_ABI_I386, 397},
        {"i386:openat", SR_ABI_I386, 295},
        {"#-1", SR_ABI_X86_64, -1},
        {"#99999", SR_ABI_X86_64, 99999},
        {"i386:#999", SR_ABI_I386, 999},
        {"#-10001", SR_ABI_X86_64, -10001},
    };
    char buf[SR_CALL_NAME_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        struct sr_call c = call(facts[i].name);

        assert_int_equal(c.abi, facts[i].abi);
        assert_int_equal(c.nr, facts[i].nr);
        assert_string_equal(sr_call_name(c, buf), facts[i].name);
    }
    assert_true(sr_call_equal(call("257"), call("openat")));
    assert_true(sr_call_equal(call("#257"), call("openat")));
    assert_true(sr_call_equal(call("1073742081"), call("x32:openat")));
    assert_true(sr_call_equal(call("i386:295"), call("i386:openat")));
    assert_string_equal(sr_call_number(call("i386:openat"), buf), "i386:295");
    assert_string_equal(sr_call_number(call("openat"), buf), "257");
}

static void test_names_refused(void **state) {
    static const char *const wrong[] = {
        "",          "#",     "-",       "foo", "socketcall",  "openat ",       "open at",
        "Openat",    "opena", "openatx", "0x1", "i386:",       "x32:foo",       "x64:read",
        "#1a",       "#--1",  "+1",      "1.0", "99999999999", "i386:x32:read", "#i386:1",
        "4294967295"};
    struct sr_call c;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (sr_call_parse(wrong[i], strlen(wrong[i]), &c))
            fail_msg("'%s' is a call", wrong[i]);
    assert_false(sr_call_parse("read\0", 5, &c));
    assert_true(sr_call_parse("readv", 4, &c));
    assert_int_equal(c.nr, SYS_read);
}

static void test_names_round_trip(void **state) {
    char buf[SR_CALL_NAME_BYTES];

    (void)state;
    for (uint32_t abi = 0; abi < SR_ABIS; abi++) {
        unsigned known = 0;

        for (int32_t nr = -20000; nr < 3000; nr++) {
            struct sr_call c = {abi, nr};

            known += sr_call_known(c);
            assert_true(sr_call_equal(call(sr_call_name(c, buf)), c));
            assert_int_equal(sr_call_known(c), strchr(buf, '#') == NULL);
            assert_true(sr_call_equal(call(sr_call_number(c, buf)), c));
        }
        assert_int_equal(known, sr_call_table_count(abi));
        assert_true(known > 300);
    }
}

/* In byte order, whatever the locale. */
static void test_order(void **state) {
    struct sr_set set;
    struct sr_names names;

    (void)state;
    sr_set_clear(&set);
    for (int32_t nr = -1; nr < SR_SET_NRS; nr++)
        for (uint32_t abi = 0; abi < SR_ABIS; abi++)
            sr_set_add(&set, (struct sr_call){abi, nr});
    sr_names_of(&set, &names);
    assert_int_equal(names.n, SR_ABIS * (SR_SET_NRS + 1));
    for (size_t i = 1; i < names.n; i++)
        assert_true(strcmp(names.name[i - 1], names.name[i]) < 0);
}

/* The build-id that the kernel mapped for this very program. */
static int own_build_id(struct dl_phdr_info *info, size_t size, void *out) {
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const char *p = (const char *)(uintptr_t)(info->dlpi_addr + ph->p_vaddr),
                   *end = p + ph->p_memsz;

        while (ph->p_type == PT_NOTE && p + sizeof(ElfW(Nhdr)) <= end) {
            const ElfW(Nhdr) *note = (const void *)p;
            const unsigned char *bits = (const void *)(p + sizeof *note + 4);

            if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4) {
                for (size_t k = 0; k < note->n_descsz; k++)
                    sprintf((char *)out + 2 * k, "%02x", bits[k]);
                return 1;
            }
            p += sizeof *note + ((note->n_namesz + 3u) & ~3u) + ((note->n_descsz + 3u) & ~3u);
        }
    }
    return 1; /* the first object is the program; look no further */
}

static void test_build_id(void **state) {
    char expected[SR_BUILD_ID_BYTES] = "", got[SR_BUILD_ID_BYTES];
    static char elf[1u << 16];
    FILE *self = fopen("/proc/self/exe", "re");
    size_t len;
    unsigned seed = 1;

    (void)state;
    dl_iterate_phdr(own_build_id, expected);
    assert_true(strlen(expected) >= 16);
    assert_true(sr_build_id("/proc/self/exe", got));
    assert_string_equal(got, expected);

    assert_false(sr_build_id("/nonexistent", got));
    assert_string_equal(got, "");
    assert_false(sr_build_id("/", got));
    assert_false(sr_build_id("/dev/zero", got));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_false(sr_build_id(in_folder("fifo"), got));
    assert_false(sr_build_id(put_file("text", "hello", 5), got));

    /* Cut and damaged copies: whatever comes back, it comes back. */
    assert_non_null(self);
    len = fread(elf, 1, sizeof elf, self);
    fclose(self);
    for (size_t cut = 0; cut < 700; cut += 7)
        sr_build_id(put_file("cut", elf, cut), got);
    for (int i = 0; i < 300; i++) {
        size_t at = (size_t)rand_r(&seed) % 900;
        char old = elf[at];

        elf[at] = (char)rand_r(&seed);
        sr_build_id(put_file("damaged", elf, len), got);
        assert_true(strlen(got) < SR_BUILD_ID_BYTES);
        elf[at] = old;
    }
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    static const char *const files[] = {"fifo", "text", "cut", "damaged"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(in_folder(files[i]));
    return rmdir(folder); /* fails if something was left behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_names_refused),
        cmocka_unit_test(test_names_round_trip),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_build_id),
    };

    return cmocka_run_group_tests_name("names", tests, make_folder, remove_folder);
}
