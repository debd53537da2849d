/*
 * The scan of code: tiny objects, made at test time, that each hold one of the shapes that a
 * linear sweep gets wrong (code outside of .eh_frame, entries between instructions, data among
 * code, stubs, jump tables); and what objdump says about libc and diff.
 */
#include "bound/code.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/sysreach-code-XXXXXX";

/* An object and what was found in it. */
struct made {
    struct sr_object *o;
    struct sr_code *c;
};

static struct made scan_file(const char *path) {
    struct sr_object_error err;
    struct made m = {.o = sr_object_open(path, NULL, &err)};

    if (!m.o)
        fail_msg("%s", err.text);
    m.c = sr_code_scan(m.o);
    assert_non_null(m.c);
    return m;
}

/* Names that the scan must not take for entries are those of objects, as is the data. */
#define LABEL(name) ".type " name ", @object\n" name ": "

/* Compiles source (C, or assembly where flags say so) with gcc. */
static struct made make(const char *flags, const char *source) {
    char path[128], command[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/source", folder);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(source, f);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command, "cd %s && gcc -o out %s source", folder, flags);
    assert_int_equal(system(command), 0);
    snprintf(path, sizeof path, "%s/out", folder);
    return scan_file(path);
}

static void done(struct made *m) {
    sr_code_free(m->c);
    sr_object_close(m->o);
}

#define ASM       "-x assembler -nostdlib -shared -Wl,-Bsymbolic "
#define ASM_FIXED "-x assembler -nostdlib -no-pie -static "

static uint64_t symbol(const struct made *m, const char *name) {
    for (size_t i = 0; i < m->o->n_symtab; i++)
        if (m->o->symtab[i].defined && !strcmp(m->o->symtab[i].name, name))
            return m->o->symtab[i].value;
    for (size_t i = 0; i < m->o->n_dynsym; i++)
        if (m->o->dynsym[i].defined && !strcmp(m->o->dynsym[i].name, name))
            return m->o->dynsym[i].value;
    fail_msg("no symbol %s", name);
    return 0;
}

static const struct sr_function *function(const struct made *m, uint64_t addr) {
    int64_t f = sr_code_function(m->c, addr);

    return f < 0 ? NULL : &m->c->functions[f];
}

/* The reference of that kind and to that place among those of the function that holds `in`. */
static const struct sr_ref *find_ref(const struct made *m, uint64_t in, enum sr_ref_kind kind,
                                     uint64_t to) {
    const struct sr_function *f = function(m, in);

    assert_non_null(f);
    for (uint32_t i = 0; i < f->n_refs; i++) {
        const struct sr_ref *r = &m->c->refs[f->first_ref + i];

        if (r->kind == kind && r->to == to)
            return r;
    }
    return NULL;
}

static const struct sr_ref *ref(const struct made *m, const char *in, enum sr_ref_kind kind,
                                const char *to) {
    return find_ref(m, symbol(m, in), kind, symbol(m, to));
}

static const struct sr_entry_site *site(const struct made *m, const char *at) {
    for (size_t i = 0; i < m->c->n_sites; i++)
        if (m->c->sites[i].at == symbol(m, at))
            return &m->c->sites[i];
    return NULL;
}

/* What sr_code promises, whatever the object. */
static void check_order(const struct made *m) {
    const struct sr_code *c = m->c;
    uint32_t refs = 0;

    for (size_t i = 0; i < c->n_functions; i++) {
        const struct sr_function *f = &c->functions[i];

        assert_true(f->lo < f->hi);
        assert_true(i == 0 || c->functions[i - 1].hi <= f->lo);
        assert_true(f->n_refs == 0 || f->first_ref == refs);
        for (uint32_t k = 0; k < f->n_refs; k++) {
            const struct sr_ref *r = &c->refs[refs + k];

            assert_true(r->kind < SR_REF_KINDS);
            assert_true(r->from >= f->lo && r->from < f->hi);
            assert_true(k == 0 || r[-1].from <= r->from);
            assert_true(sr_code_is_start(c, r->from));
            assert_true((r->kind == SR_REF_READ) == (r->bytes >= 1 && r->bytes <= 64));
        }
        refs += f->n_refs;
    }
    assert_int_equal(refs, c->n_refs);
    for (size_t i = 0; i < c->n_sites; i++)
        assert_int_equal(sr_code_function(c, c->sites[i].at), c->sites[i].function);
}

static void test_falls_out_of_fde(void **state) {
    struct made m =
        make(ASM, ".globl f, g, h, i\n"
                  "f: .cfi_startproc\n"
                  "mov $56, %eax\n"
                  ".cfi_endproc\n" LABEL("enter") "syscall\n"
                                                  "test %eax, %eax\n"
                                                  "jz 1f\n"
                                                  "ret\n"
                                                  "1: call h\n"
                                                  "hlt\n"
                                                  "g: .cfi_startproc\n"
                                                  "nop\n"
                                                  ".cfi_endproc\n"
                                                  "h: .cfi_startproc\n"
                                                  "call g\n"
                                                  ".cfi_endproc\n" LABEL("i") ".cfi_startproc\n"
                                                                              "ret\n"
                                                                              ".cfi_endproc\n");

    (void)state;
    check_order(&m);
    assert_int_equal(m.c->n_functions, 4);
    assert_non_null(site(&m, "enter"));
    assert_int_equal(m.c->functions[site(&m, "enter")->function].lo, symbol(&m, "f"));
    assert_int_equal(function(&m, symbol(&m, "f"))->hi, symbol(&m, "g"));
    assert_true(function(&m, symbol(&m, "f"))->fde);
    assert_non_null(ref(&m, "f", SR_REF_CALL, "h"));
    assert_null(ref(&m, "f", SR_REF_FALL, "g"));
    assert_non_null(ref(&m, "g", SR_REF_FALL, "h"));
    /* A call at the end does not return. */
    assert_null(ref(&m, "h", SR_REF_FALL, "i"));
    done(&m);
}

static void test_fde_begins_early(void **state) {
    struct made m = make(ASM, ".globl f\n"
                              "f: .cfi_startproc\n"
                              "lea restore(%rip), %rax\n"
                              "ret\n"
                              ".cfi_endproc\n"
                              ".cfi_startproc\n"
                              ".byte 0xb8\n" /* swallows the instruction behind it */
                         LABEL("restore") "mov $15, %eax\n" LABEL("enter") "syscall\n"
                                                                           "ret\n"
                                                                           ".cfi_endproc\n");

    (void)state;
    check_order(&m);
    assert_non_null(ref(&m, "f", SR_REF_CODE, "restore"));
    assert_true(sr_code_is_start(m.c, symbol(&m, "restore")));
    assert_true(sr_code_is_start(m.c, symbol(&m, "restore") - 1));
    assert_non_null(site(&m, "enter"));
    assert_int_equal(m.c->n_functions, 2);
    done(&m);
}

static void test_data_among_code(void **state) {
    struct made m = make(
        ASM, ".globl f, g\n"
             "f: mov table(%rip), %rax\n"
             "jmp 1f\n" LABEL("table") ".fill 64, 1, 0x0f\n"
                                       ".byte 0x0f, 0x05, 0x0f, 0x05, 0x0f, 0x05, 0x0f, 0x05\n"
                                       "1: call inner\n"
                                       "ret\n"
                                       ".byte 0x0f, 0x05, 0x0f, 0x05, 0x0f, 0x05\n" LABEL(
                                           "inner") "jmp g\n"
                                                    ".byte 0x0f, 0x05, 0x0f, 0x05, 0x0f, 0x05\n"
                                                    "g: ret\n");

    (void)state;
    check_order(&m);
    assert_int_equal(m.c->n_sites, 0);
    assert_int_equal(m.c->undecoded, 0);
    assert_int_equal(m.c->n_functions, 3);
    assert_false(m.c->functions[0].fde);
    assert_non_null(ref(&m, "f", SR_REF_READ, "table"));
    assert_int_equal(ref(&m, "f", SR_REF_READ, "table")->bytes, 8);
    assert_non_null(ref(&m, "f", SR_REF_CALL, "inner"));
    assert_non_null(ref(&m, "inner", SR_REF_JUMP, "g"));
    done(&m);
}

static void test_lock_prefix(void **state) {
    struct made m = make(ASM, ".globl f\n"
                              "f: .cfi_startproc\n"
                              "cmpl $0, word(%rip)\n"
                              "je 1f\n"
                              "lock\n"
                              "1: incl word(%rip)\n"
                              "ret\n"
                              ".cfi_endproc\n"
                              ".data\n" LABEL("word") ".long 0\n");
    const struct sr_function *f = function(&m, symbol(&m, "f"));

    (void)state;
    check_order(&m);
    assert_int_equal(m.c->n_functions, 1);
    assert_int_equal(f->n_refs, 3);
    assert_int_equal(m.c->refs[2].from, m.c->refs[1].from + 1);
    assert_int_equal(m.c->refs[2].kind, SR_REF_READ);
    assert_int_equal(m.c->refs[2].bytes, 4);
    done(&m);
}

static void test_kernel_entries(void **state) {
    struct made m = make(ASM, ".globl f\n"
                              "f: .cfi_startproc\n" LABEL("a") "syscall\n" LABEL(
                                  "b") "int $0x80\n"
                                       "int $0x81\n" LABEL("c") "sysenter\n"
                                                                "ret\n"
                                                                ".cfi_endproc\n");

    (void)state;
    assert_int_equal(m.c->n_sites, 3);
    assert_int_equal(site(&m, "a")->kind, SR_ENTRY_SYSCALL);
    assert_int_equal(site(&m, "b")->kind, SR_ENTRY_INT80);
    assert_int_equal(site(&m, "c")->kind, SR_ENTRY_SYSENTER);
    done(&m);
}

static void test_access_sizes(void **state) {
    static const struct {
        const char *text;
        unsigned bytes;
    } cases[] = {{"mov w(%rip), %al", 1},
                 {"movzwl w(%rip), %eax", 2},
                 {"movslq w(%rip), %rax", 8},
                 {"push w(%rip)", 8},
                 {"cmpxchg16b w(%rip)", 16},
                 {"movdqa w(%rip), %xmm0", 16},
                 {"movsd w(%rip), %xmm0", 8},
                 {"vmovdqu w(%rip), %ymm1", 32},
                 {"vmovdqu64 w(%rip), %zmm1", 64},
                 {"fldt w(%rip)", 10},
                 {"vpaddb w(%rip), %ymm0, %ymm1", 32},
                 {"fxsave w(%rip)", 64}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char source[256];
        struct made m;

        snprintf(source, sizeof source, ".globl f\nf: %s\nret\n.data\n" LABEL("w") ".fill 512\n",
                 cases[i].text);
        m = make(ASM, source);
        assert_non_null(ref(&m, "f", SR_REF_READ, "w"));
        if (ref(&m, "f", SR_REF_READ, "w")->bytes != cases[i].bytes)
            fail_msg("%s: %u bytes", cases[i].text, ref(&m, "f", SR_REF_READ, "w")->bytes);
        done(&m);
    }
}

/* Is there a reference of this kind, in f, to a slot that the loader fills with getpid? */
static const struct sr_ref *to_getpid(const struct made *m, const char *in, enum sr_ref_kind kind) {
    const struct sr_function *f = function(m, symbol(m, in));

    for (uint32_t i = 0; i < f->n_refs; i++) {
        const struct sr_ref *r = &m->c->refs[f->first_ref + i];
        const struct sr_reloc *w = r->slot ? sr_object_reloc(m->o, r->to) : NULL;

        if (r->kind == kind && w && w->kind == SR_RELOC_SYMBOL &&
            !strcmp(m->o->dynsym[w->symbol].name, "getpid"))
            return r;
    }
    return NULL;
}

static void test_stubs(void **state) {
    static const char source[] = "int getpid(void);\n"
                                 "int f(void) { return getpid() + 1; }\n"
                                 "int g(void) { return getpid(); }\n"
                                 "void *h(void) { return (void *)getpid; }\n"
                                 "int main(void) { return f() + g() + (h() != 0); }\n";
    /* gcc names getpid's address in h, and with that .plt.got's stub, only where flags say so. */
    static const char *const flags[] = {
        "-fPIC -shared -Wl,-z,lazy",
        "-fPIC -shared -Wl,-z,now",
        "-fPIC -shared -fno-plt",
        "-fPIC -shared -fcf-protection -Wl,-z,lazy",
        "-fPIC -shared -fcf-protection -Wl,-z,lazy -Wl,-z,ibtplt",
        "-fPIC -shared -fcf-protection -Wl,-z,now",
        "-fPIE -pie -fcf-protection",
        "-fPIE -pie -Wl,-z,now",
        "-fno-pie -no-pie",
        "-fno-pie -no-pie -fcf-protection -Wl,-z,lazy",
        "-fPIC -shared -fuse-ld=gold",
    };

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        char all[128];
        struct made m;

        snprintf(all, sizeof all, "-O2 -fno-inline %s -x c", flags[i]);
        m = make(all, source);
        check_order(&m);
        if (!to_getpid(&m, "f", SR_REF_CALL))
            fail_msg("%s: no call", flags[i]);
        /* A function that is but this jump is a stub itself. */
        if (strstr(flags[i], "-fno-plt") == NULL && !to_getpid(&m, "g", SR_REF_JUMP))
            fail_msg("%s: no jump", flags[i]);
        /* The address of a function, in an object at a fixed address, may be the stub's. */
        if (strstr(flags[i], "-no-pie") && !to_getpid(&m, "h", SR_REF_CODE))
            fail_msg("%s: no address", flags[i]);
        for (size_t k = 0; k < m.c->n_functions; k++) {
            uint64_t slot;

            if (sr_code_stub(m.o, m.c->functions[k].lo, &slot) &&
                m.c->functions[k].lo != symbol(&m, "g"))
                fail_msg("%s: a stub is a function", flags[i]);
        }
        done(&m);
    }
}

static const char switch_source[] = "void a(int), b(int), c(int);\n"
                                    "__attribute__((cold, noreturn)) void die(int);\n"
                                    "void f(int x, int y) {\n"
                                    "    switch (x) {\n"
                                    "    case 0: a(y); b(3); break;\n"
                                    "    case 1: b(y); a(x); break;\n"
                                    "    case 2: c(y); break;\n"
                                    "    case 3: a(y + 1); c(2); break;\n"
                                    "    case 4: b(y * 3); break;\n"
                                    "    case 5: die(y + x);\n"
                                    "    case 6: c(y * 5); break;\n"
                                    "    case 7: die(y - x);\n"
                                    "    }\n"
                                    "    a(9);\n"
                                    "}\n"
                                    "void a(int x) { __asm__ volatile(\"nop\" : : \"r\"(x)); }\n"
                                    "void b(int x) { __asm__ volatile(\"nop\" : : \"r\"(x)); }\n"
                                    "void c(int x) { __asm__ volatile(\"nop\" : : \"r\"(x)); }\n"
                                    "void die(int x) {\n"
                                    "    for (;;) __asm__ volatile(\"syscall\" : : \"a\"(x));\n"
                                    "}\n"
                                    "int main(int n, char **v) { f(n, v != 0); return 0; }\n";

static void test_jump_tables(void **state) {
    static const char *const flags[] = {"-fPIC -shared", "-fPIE -pie", "-fno-pie -no-pie",
                                        "-fPIC -no-pie -static",
                                        "-fPIC -shared -Wl,-z,noseparate-code"};

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        char all[128];
        struct made m;
        size_t leaving = 0;
        const struct sr_function *f;

        snprintf(all, sizeof all, "-O2 -fno-inline %s -x c", flags[i]);
        m = make(all, switch_source);
        check_order(&m);
        f = function(&m, symbol(&m, "f"));
        assert_true(f->indirect_jump);
        assert_false(f->indirect_call);
        for (uint32_t k = 0; k < f->n_refs; k++) {
            const struct sr_ref *r = &m.c->refs[f->first_ref + k];

            leaving += r->kind == SR_REF_JUMP && r->to >= symbol(&m, "f.cold") &&
                       r->to < function(&m, symbol(&m, "f.cold"))->hi;
        }
        if (leaving != 2)
            fail_msg("%s: %zu ways into the cold part", flags[i], leaving);
        done(&m);
    }
}

/* Without .eh_frame and without symbols: only following finds the code. */
static void test_no_frames(void **state) {
    static const char *const flags[] = {"-fPIE -static-pie", "-fPIC -static",
                                        "-fno-pie -no-pie -static"};

    (void)state;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        char all[256];
        struct made m;

        snprintf(all, sizeof all,
                 "-O2 -fno-inline -nostdlib -Wl,-e,main -fno-asynchronous-unwind-tables "
                 "-Wl,--build-id=none -s %s -x c",
                 flags[i]);
        m = make(all, switch_source);
        check_order(&m);
        if (m.o->n_fdes != 0 || m.c->n_sites != 1)
            fail_msg("%s: %zu sites", flags[i], m.c->n_sites);
        assert_true(m.c->n_functions >= 4);
        done(&m);
    }
}

static void test_fixed(void **state) {
    struct made m =
        make(ASM_FIXED,
             ".globl _start, f, g, word, table, h\n"
             ".type _start, @function; .type f, @function\n"
             ".type g, @function; .type h, @function\n"
             "_start: .cfi_startproc\n"
             "mov $f, %edi\n"
             "mov $word, %esi\n"
             "mov word2, %eax\n"
             "call *slot\n"
             "mov %fs:0x28, %rax\n"
             "movq $g, 8(%rsp)\n"
             "jmp *table(,%rax,8)\n"
             ".cfi_endproc\n"
             "f: .cfi_startproc\n"
             "movzbl bytes(%rdi), %eax\n"
             "movabs $word, %rcx\n"
             "push $h\n"
             "ret\n"
             ".cfi_endproc\n"
             "g: ret\n"
             "h: ret\n" LABEL(
                 "i") "ret\n"
                      ".data\n" LABEL("word") ".quad 0\n" LABEL("word2") ".quad 0\n" LABEL(
                          "slot") ".quad i\n" LABEL("bytes") ".quad 0\n"
                                                             ".section .rodata\n"
                                                             ".balign 8\n" LABEL(
                                                                 "table") ".quad g, f, 0, h\n");

    (void)state;
    check_order(&m);
    assert_true(m.o->fixed);
    assert_non_null(ref(&m, "_start", SR_REF_CODE, "f"));
    assert_non_null(ref(&m, "_start", SR_REF_DATA, "word"));
    assert_non_null(ref(&m, "_start", SR_REF_READ, "word2"));
    assert_int_equal(ref(&m, "_start", SR_REF_READ, "word2")->bytes, 4);
    assert_true(ref(&m, "_start", SR_REF_CALL, "slot")->slot);
    assert_non_null(ref(&m, "_start", SR_REF_CODE, "g"));
    assert_non_null(ref(&m, "_start", SR_REF_DATA, "table"));
    assert_non_null(ref(&m, "_start", SR_REF_JUMP, "g"));
    assert_non_null(ref(&m, "_start", SR_REF_JUMP, "f"));
    assert_null(ref(&m, "_start", SR_REF_JUMP, "h"));
    assert_true(function(&m, symbol(&m, "_start"))->indirect_jump);
    assert_false(function(&m, symbol(&m, "_start"))->indirect_call);
    assert_non_null(ref(&m, "f", SR_REF_DATA, "bytes"));
    assert_non_null(ref(&m, "f", SR_REF_DATA, "word"));
    assert_non_null(ref(&m, "f", SR_REF_CODE, "h"));
    assert_true(sr_code_is_start(m.c, symbol(&m, "i")));
    done(&m);
}

/* Instructions of file that begin with word, says objdump; visit gets each with its address. */
static size_t objdump(const char *file, const char *word,
                      void (*visit)(const struct made *, uint64_t, const char *),
                      const struct made *m) {
    char command[256], line[512];
    size_t n = 0;
    FILE *f;

    snprintf(command, sizeof command, "objdump -d --no-show-raw-insn %s", file);
    f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        char *tab = strstr(line, ":\t");

        if (!tab || strncmp(tab + 2, word, strlen(word)) != 0)
            continue;
        n++;
        visit(m, strtoull(line, NULL, 16), tab + 2);
    }
    assert_int_equal(pclose(f), 0);
    return n;
}

static void expect_site(const struct made *m, uint64_t at, const char *text) {
    size_t i = 0;

    (void)text;
    while (i < m->c->n_sites && m->c->sites[i].at != at)
        i++;
    assert_true(i < m->c->n_sites);
}

/* "call   4030 <getenv@plt>" */
static void expect_call(const struct made *m, uint64_t at, const char *text) {
    char *end;
    uint64_t to = strtoull(text + strlen("call "), &end, 16), slot = to;
    bool stub;

    if (strncmp(end, " <", 2) != 0)
        return;
    stub = sr_code_stub(m->o, to, &slot);
    assert_non_null(function(m, at));
    assert_non_null(find_ref(m, at, SR_REF_CALL, slot));
    assert_int_equal(find_ref(m, at, SR_REF_CALL, slot)->slot, stub);
    assert_true(stub || sr_code_is_start(m->c, to));
}

static void test_libc(void **state) {
    const char *file = "/lib/x86_64-linux-gnu/libc.so.6";
    struct made m;
    size_t n;

    (void)state;
    if (access(file, R_OK) != 0)
        skip();
    m = scan_file(file);
    check_order(&m);
    n = objdump(file, "syscall", expect_site, &m);
    assert_true(n > 400);
    assert_int_equal(m.c->n_sites, n);
    done(&m);
}

static void test_diff(void **state) {
    const char *file = "/usr/bin/diff";
    struct made m;

    (void)state;
    if (access(file, R_OK) != 0)
        skip();
    m = scan_file(file);
    check_order(&m);
    assert_true(objdump(file, "call ", expect_call, &m) > 500);
    done(&m);
}

static int set_up(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_falls_out_of_fde),
        cmocka_unit_test(test_fde_begins_early),
        cmocka_unit_test(test_data_among_code),
        cmocka_unit_test(test_lock_prefix),
        cmocka_unit_test(test_kernel_entries),
        cmocka_unit_test(test_access_sizes),
        cmocka_unit_test(test_stubs),
        cmocka_unit_test(test_jump_tables),
        cmocka_unit_test(test_no_frames),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_libc),
        cmocka_unit_test(test_diff),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
