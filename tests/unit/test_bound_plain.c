/*
 * The table of plain instructions against Zydis, at every byte of real code, where instructions
 * begin and where they do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bound/instr.h"

static void compare(const uint8_t *bytes, size_t left, const ZydisDecoder *decoder) {
    ZydisDecodedInstruction z;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
    unsigned plain = sr_instr_plain(bytes, left);

    if (!plain)
        return;
    assert_true(ZYAN_SUCCESS(ZydisDecoderDecodeFull(decoder, bytes, left, &z, op)));
    assert_int_equal(z.length, plain);
    assert_true(z.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE);
    assert_int_not_equal(z.mnemonic, ZYDIS_MNEMONIC_NOP);
    assert_false(z.attributes & ZYDIS_ATTRIB_IS_RELATIVE);
}

static void compare_object(const char *path, size_t *plain, size_t *all) {
    struct sr_object_error err;
    struct sr_object *o = sr_object_open(path, NULL, &err);
    ZydisDecoder decoder;

    if (!o)
        return;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t i = 0; i < o->n_segments; i++)
        for (uint64_t at = 0; o->segments[i].exec && at < o->segments[i].file_bytes; at++) {
            compare(o->segments[i].bytes + at, (size_t)(o->segments[i].file_bytes - at), &decoder);
            *plain += sr_instr_plain(o->segments[i].bytes + at,
                                     (size_t)(o->segments[i].file_bytes - at)) != 0;
            ++*all;
        }
    sr_object_close(o);
}

static void same_as_zydis(void **state) {
    static const char *const paths[] = {"/usr/bin/diff", "/lib/x86_64-linux-gnu/libc.so.6",
                                        "/lib64/ld-linux-x86-64.so.2",
                                        "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"};
    size_t plain = 0, all = 0;

    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        compare_object(paths[i], &plain, &all);
    assert_true(all > 1000000);
    assert_true(plain > all / 8);
}

/* All two-byte beginnings, with prefixes and a tail that makes every operand form. */
static void same_for_all_opcodes(void **state) {
    static const uint8_t prefixes[][2] = {{0, 0}, {0x66, 0}, {0x48, 0}, {0x41, 0}, {0x66, 0x4c}};
    ZydisDecoder decoder;

    (void)state;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t k = 0; k < sizeof prefixes / sizeof *prefixes; k++)
        for (unsigned v = 0; v < 0x1000000; v += v < 0x0f0000 || v >= 0x100000 ? 0x101 : 1) {
            uint8_t bytes[20] = {0};
            size_t n = 0;

            for (size_t i = 0; i < 2 && prefixes[k][i]; i++)
                bytes[n++] = prefixes[k][i];
            bytes[n++] = (uint8_t)(v >> 16);
            bytes[n++] = (uint8_t)(v >> 8);
            bytes[n++] = (uint8_t)v;
            compare(bytes, sizeof bytes, &decoder);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_zydis),
        cmocka_unit_test(same_for_all_opcodes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
