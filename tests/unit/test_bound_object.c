/*
 * ELF objects: what is read of real ones against what readelf says, and bad ones of every kind.
 *
 * Programs of our own are made with the compiler: static, with and without section headers.
 */
#include "bound/object.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SOURCE                                                                                     \
    "volatile int n; static void one(void) { n++; } static void two(void) { n--; }\n"              \
    "void (*const table[])(void) = {one, two};\n"                                                  \
    "__attribute__((constructor)) static void first(void) { n = 1; }\n"                            \
    "__attribute__((destructor)) static void last(void) { n = 2; }\n"                              \
    "int main(int argc, char **argv) { (void)argv; table[argc & 1](); return 0; }\n"

static char folder[] = "/tmp/sr-object-XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char command[64];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static const char *in_folder(const char *name) {
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* The number that a shell command prints; $F is the file. */
static size_t count(const char *file, const char *command) {
    unsigned long n = 0;
    FILE *f;

    setenv("F", file, 1);
    setenv("LC_ALL", "C", 1);
    f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu", &n), 1);
    pclose(f);
    return n;
}

static size_t relocs_of(const struct sr_object *o, enum sr_reloc_kind kind) {
    size_t n = 0;

    for (size_t i = 0; i < o->n_relocs; i++)
        n += o->relocs[i].kind == kind;
    return n;
}

static struct sr_object *open_good(const char *file) {
    struct sr_object_error err = {0};
    struct sr_object *o = sr_object_open(file, NULL, &err);

    if (!o)
        fail_msg("%s", err.text);
    return o;
}

/* Builds SOURCE with options; false: this machine cannot. */
static bool build(const char *name, const char *options) {
    char command[512];
    FILE *f = fopen(in_folder("source.c"), "w");

    assert_non_null(f);
    assert_true(fputs(SOURCE, f) >= 0);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command, "cd %s && gcc -O1 %s -o %s source.c 2>log", folder, options,
             name);
    return system(command) == 0;
}

static uint8_t *slurp(const char *file, size_t *size) {
    FILE *f = fopen(file, "rb");
    struct stat st;
    uint8_t *bytes;

    assert_non_null(f);
    assert_int_equal(fstat(fileno(f), &st), 0);
    *size = (size_t)st.st_size;
    bytes = malloc(*size);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

static void check_against_readelf(const char *file) {
    struct sr_object *o = open_good(file);

    assert_int_equal(o->n_needed, count(file, "readelf -dW $F | grep -c '(NEEDED)'"));
    assert_int_equal(o->n_dynsym, count(file, "readelf --dyn-syms -W $F | grep -cE '^ +[0-9]+: '"));
    assert_int_equal(relocs_of(o, SR_RELOC_COPY),
                     count(file, "readelf -rW $F | grep -c R_X86_64_COPY"));
    assert_int_equal(relocs_of(o, SR_RELOC_IRELATIVE),
                     count(file, "readelf -rW $F | grep -c R_X86_64_IRELATIVE"));
    assert_int_equal(
        relocs_of(o, SR_RELOC_SYMBOL),
        count(file, "readelf -rW $F | grep -cE 'R_X86_64_(64|GLOB_DAT|JUMP_SLO\\w*) '"));
    assert_int_equal(o->n_fdes,
                     count(file, "readelf --debug-dump=frames $F 2>&1 | grep -c ' FDE cie='"));
    assert_int_equal(o->entry, count(file, "echo $(($(readelf -hW $F | sed -n 's/.*Entry point "
                                           "address: *//p')))"));
    for (size_t i = 1; i < o->n_relocs; i++)
        assert_true(o->relocs[i - 1].where < o->relocs[i].where);
    for (size_t i = 1; i < o->n_fdes; i++)
        assert_true(o->fdes[i - 1].hi <= o->fdes[i].lo);
    sr_object_close(o);
}

static void real_objects(void **state) {
    (void)state;
    check_against_readelf("/usr/bin/diff");
    check_against_readelf("/lib/x86_64-linux-gnu/libc.so.6");
    check_against_readelf("/lib64/ld-linux-x86-64.so.2");
}

static void a_program(void **state) {
    struct sr_object *o = open_good("/usr/bin/diff");
    size_t wanted = 0, left;

    (void)state;
    assert_true(o->dynamic && !o->fixed);
    assert_string_equal(o->interp, "/lib64/ld-linux-x86-64.so.2");
    assert_string_equal(o->needed[o->n_needed - 1], "libc.so.6");
    assert_null(o->soname);
    for (size_t i = 0; i < o->n_dynsym; i++)
        wanted += !o->dynsym[i].defined && o->dynsym[i].version &&
                  strncmp(o->dynsym[i].version, "GLIBC_", 6) == 0;
    assert_true(wanted > 10);
    assert_true(sr_object_is_code(o, o->entry) && !sr_object_is_data(o, o->entry));
    assert_non_null(sr_object_at(o, o->entry, &left));
    assert_true(left > 0);
    assert_null(sr_object_at(o, UINT64_MAX, &left));
    assert_true(o->n_inits >= 2);
    sr_object_close(o);
}

static void a_library(void **state) {
    struct sr_object *o = open_good("/lib/x86_64-linux-gnu/libc.so.6");
    const char *memcpy_version = "";
    uint64_t off, getenv_value = 0;
    unsigned memcpy_type = 0;
    size_t hidden = 0;

    (void)state;
    assert_string_equal(o->soname, "libc.so.6");
    for (size_t i = 0; i < o->n_dynsym; i++) {
        const struct sr_symbol *s = &o->dynsym[i];

        hidden += s->hidden;
        if (strcmp(s->name, "getenv") == 0)
            getenv_value = s->value;
        if (strcmp(s->name, "memcpy") == 0 && !s->hidden) {
            memcpy_version = s->version;
            memcpy_type = s->type;
        }
    }
    assert_string_equal(memcpy_version, "GLIBC_2.14");
    assert_int_equal(memcpy_type, STT_GNU_IFUNC);
    assert_true(hidden > 0);
    assert_string_equal(sr_object_name_at(o, getenv_value + 3, &off), "getenv");
    assert_int_equal(off, 3);
    assert_true(o->tls_lo < o->tls_hi);
    sr_object_close(o);
}

/* Whether a word with the address of the symbol is there, and it is among the initialisers. */
static bool word_holds(const struct sr_object *o, uint64_t value) {
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE && o->relocs[i].target == value)
            return true;
    return false;
}

static uint64_t local_symbol(const struct sr_object *o, const char *name) {
    for (size_t i = 0; i < o->n_symtab; i++)
        if (strcmp(o->symtab[i].name, name) == 0)
            return o->symtab[i].value;
    return 0;
}

static bool is_init(const struct sr_object *o, uint64_t value) {
    for (size_t i = 0; i < o->n_inits; i++)
        if (o->inits[i] == value)
            return true;
    return false;
}

static void check_built(const char *name, const char *options, bool fixed, bool dynamic) {
    struct sr_object *o;
    uint64_t off;

    if (!build(name, options))
        skip();
    o = open_good(in_folder(name));
    assert_int_equal(o->fixed, fixed);
    assert_int_equal(o->dynamic, dynamic);
    assert_true(word_holds(o, local_symbol(o, "one")) && word_holds(o, local_symbol(o, "two")));
    assert_true(is_init(o, local_symbol(o, "first")) && is_init(o, local_symbol(o, "last")));
    assert_string_equal(sr_object_name_at(o, local_symbol(o, "main") + 1, &off), "main");
    if (!dynamic)
        assert_int_equal(relocs_of(o, SR_RELOC_IRELATIVE),
                         count(in_folder(name), "readelf -rW $F | grep -c R_X86_64_IRELATIVE"));
    sr_object_close(o);
}

static void static_program(void **state) {
    (void)state;
    check_built("static", "-static", true, false);
}

static void static_pie(void **state) {
    (void)state;
    check_built("static-pie", "-static-pie", false, false);
}

static void fixed_program(void **state) {
    (void)state;
    check_built("fixed", "-no-pie", true, true);
}

static void packed_relocations(void **state) {
    (void)state;
    check_built("relr", "-Wl,-z,pack-relative-relocs", false, true);
}

/* The bytes of a built program, without its section headers. */
static uint8_t *without_sections(const char *name, size_t *size) {
    uint8_t *bytes = slurp(in_folder(name), size);
    Elf64_Ehdr eh;

    memcpy(&eh, bytes, sizeof eh);
    *size = eh.e_shoff;
    eh.e_shoff = 0;
    /* Without its size as well: the last words of the header would look like an address. */
    eh.e_shentsize = eh.e_shnum = eh.e_shstrndx = 0;
    memcpy(bytes, &eh, sizeof eh);
    return bytes;
}

static void check_same_without_sections(const char *name, const char *options) {
    struct sr_object_error err = {0};
    struct sr_object *with, *without;
    uint8_t *bytes;
    size_t size;

    if (!build(name, options))
        skip();
    with = open_good(in_folder(name));
    bytes = without_sections(name, &size);
    without = sr_object_parse(name, bytes, size, &err);
    assert_non_null(without);
    assert_int_equal(without->n_needed, with->n_needed);
    assert_int_equal(without->n_dynsym, with->n_dynsym);
    assert_int_equal(without->n_relocs, with->n_relocs);
    for (size_t i = 0; i < with->n_relocs; i++)
        assert_memory_equal(&without->relocs[i], &with->relocs[i], sizeof *with->relocs);
    if (with->dynamic) {
        assert_int_equal(without->n_fdes, with->n_fdes);
        assert_int_equal(without->n_inits, with->n_inits);
    }
    assert_int_equal(without->n_symtab, 0);
    sr_object_close(without);
    sr_object_close(with);
    free(bytes);
}

static void no_section_headers(void **state) {
    (void)state;
    check_same_without_sections("sections-pie", "");
    check_same_without_sections("sections-fixed", "-no-pie");
    check_same_without_sections("sections-static", "-static");
}

static void refuse(const void *bytes, size_t size, const char *word) {
    struct sr_object_error err = {0};

    assert_null(sr_object_parse("input", bytes, size, &err));
    if (!strstr(err.text, word) || !strchr(err.text, ';') || err.environment)
        fail_msg("not '%s': %s", word, err.text);
}

static void not_for_us(void **state) {
    Elf64_Ehdr good = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                                   EV_CURRENT},
                       .e_type = ET_DYN,
                       .e_machine = EM_X86_64},
               eh = good;

    (void)state;
    refuse("", 0, "empty");
    refuse("#!/bin/sh -e\n", 13, "interpreter: /bin/sh");
    refuse("text", 4, "no ELF file");
    refuse(&good, 20, "truncated");
    refuse(&good, sizeof good, "no program headers");
    eh.e_type = ET_REL;
    refuse(&eh, sizeof eh, "not linked");
    eh.e_type = ET_CORE;
    refuse(&eh, sizeof eh, "core dump");
    eh = good;
    eh.e_machine = EM_AARCH64;
    refuse(&eh, sizeof eh, "AArch64");
    eh = good;
    eh.e_ident[EI_CLASS] = ELFCLASS32;
    refuse(&eh, sizeof eh, "32-bit");
    eh = good;
    eh.e_ident[EI_DATA] = ELFDATA2MSB;
    refuse(&eh, sizeof eh, "big-endian");
    eh = good;
    eh.e_phnum = 1;
    eh.e_phentsize = sizeof(Elf64_Phdr);
    eh.e_phoff = UINT64_MAX - 8;
    refuse(&eh, sizeof eh, "truncated");
}

static void bad_segments(void **state) {
    struct {
        Elf64_Ehdr eh;
        Elf64_Phdr ph[2];
    } f = {
        .eh = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
               .e_type = ET_DYN,
               .e_machine = EM_X86_64,
               .e_phoff = sizeof f.eh,
               .e_phentsize = sizeof(Elf64_Phdr),
               .e_phnum = 2},
        .ph = {{.p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = 64, .p_memsz = 64},
               {.p_type = PT_LOAD, .p_vaddr = 64, .p_filesz = 64, .p_memsz = 128}}};
    struct sr_object_error err;
    struct sr_object *o = sr_object_parse("good", (uint8_t *)&f, sizeof f, &err);
    size_t left;

    (void)state;
    assert_non_null(o);
    assert_non_null(sr_object_at(o, 127, &left));
    assert_int_equal(left, 1);
    assert_null(sr_object_at(o, 128, &left)); /* zeros after the file's part */
    assert_true(sr_object_is_data(o, 191) && !sr_object_is_data(o, 192));
    sr_object_close(o);
    f.ph[1].p_vaddr = 63;
    refuse(&f, sizeof f, "two segments");
    f.ph[1].p_vaddr = UINT64_MAX - 8;
    refuse(&f, sizeof f, "impossible size");
    f.ph[1].p_vaddr = (UINT64_C(1) << 47) - 64;
    refuse(&f, sizeof f, "impossible size");
    f.ph[1].p_vaddr = 64;
    f.ph[1].p_offset = UINT64_MAX - 8;
    refuse(&f, sizeof f, "truncated");
}

static void bad_files(void **state) {
    struct sr_object_error err;

    (void)state;
    assert_null(sr_object_open(in_folder("nothing"), NULL, &err));
    assert_true(err.environment);
    assert_non_null(strstr(err.text, "No such file"));
    assert_null(sr_object_open(folder, NULL, &err));
    assert_non_null(strstr(err.text, "directory"));
    assert_int_equal(mkfifo(in_folder("fifo"), 0600), 0);
    assert_null(sr_object_open(in_folder("fifo"), NULL, &err));
    assert_non_null(strstr(err.text, "no regular file"));
    assert_null(sr_object_open("/dev/null", NULL, &err));
    assert_non_null(strstr(err.text, "no regular file"));
}

/* Whatever comes of it, no sanitizer finds anything. The copy has the very size. */
static void try_bytes(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    struct sr_object_error err = {0};
    struct sr_object *o;

    assert_non_null(copy);
    memcpy(copy, bytes, size);
    o = sr_object_parse("bad", copy, size, &err);
    assert_true(o || strchr(err.text, ';'));
    sr_object_close(o);
    free(copy);
}

static void cut_and_changed(void **state) {
    uint32_t random = 1;
    uint8_t *bytes;
    size_t size;

    (void)state;
    if (!build("small", "-Wl,-z,noseparate-code"))
        skip();
    bytes = slurp(in_folder("small"), &size);
    for (size_t n = 0; n < size; n += 64)
        try_bytes(bytes, n);
    for (int i = 0; i < 3000; i++) {
        /* Mostly headers and tables, which stand first. */
        uint32_t range = i % 2 ? 0x800 : (uint32_t)size, at;
        uint8_t before[4];

        random = random * 1664525 + 1013904223;
        at = (random >> 8) % (range - 4);
        memcpy(before, bytes + at, 4);
        random = random * 1664525 + 1013904223;
        memcpy(bytes + at, &random, 1 + random % 4);
        try_bytes(bytes, size);
        if (i % 8) /* the others stay */
            memcpy(bytes + at, before, 4);
        if (i % 512 == 511) {
            free(bytes);
            bytes = slurp(in_folder("small"), &size);
        }
    }
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_objects),       cmocka_unit_test(a_program),
        cmocka_unit_test(a_library),          cmocka_unit_test(static_program),
        cmocka_unit_test(static_pie),         cmocka_unit_test(fixed_program),
        cmocka_unit_test(packed_relocations), cmocka_unit_test(no_section_headers),
        cmocka_unit_test(not_for_us),         cmocka_unit_test(bad_segments),
        cmocka_unit_test(bad_files),          cmocka_unit_test(cut_and_changed),
    };

    return cmocka_run_group_tests_name("bound_object", tests, make_folder, remove_folder);
}
