/*
 * System-call numbers found in compiled code: small sources, built by both compilers at three
 * levels of optimisation, position independent and not, where it is known what must be found;
 * instructions that compilers seldom write; and the libraries that this test itself runs with, held
 * against what objdump shows.
 */
#include "bound/numbers.h"

#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cmocka.h>

static const char source[] =
    "#ifdef __clang__\n"
    "#define ALONE __attribute__((noinline, used))\n"
    "#else\n"
    "#define ALONE __attribute__((noinline, noclone, used))\n"
    "#endif\n"
    "static inline __attribute__((always_inline)) long sys(long n, long a) {\n"
    "    long r;\n"
    "    __asm__ volatile(\"syscall\" : \"=a\"(r) : \"a\"(n), \"D\"(a) : \"rcx\", \"r11\", "
    "\"memory\");\n"
    "    return r;\n"
    "}\n"
    "struct cmd { int a; int nr; long args[2]; };\n"
    "volatile long some;\n"
    "struct cmd *current; /* in between: pointers lead to a segment's ends */\n"
    "volatile long last;\n"
    "ALONE void other(void) { some++; last++; }\n"
    "ALONE long number(void) { return some; }\n"
    "ALONE long direct(void) { return sys(39, 0); }\n"
    "ALONE long zero(long a) { return sys(a ? 19 : 0, a); }\n"
    "ALONE long blocks(long a) {\n"
    "    long n = 39;\n"
    "    if (a > 1) other();\n"
    "    while (a-- > 3) some += a;\n"
    "    return sys(n, some);\n"
    "}\n"
    "ALONE long copied(long a) {\n"
    "    long n = 102, m = n, k;\n"
    "    if (a) other();\n"
    "    k = m;\n"
    "    sys(k, a);\n"
    "    other();\n"
    "    return sys(m, a);\n"
    "}\n"
    "ALONE long either(long a) { return sys(a > 5 ? 39 : 110, a); }\n"
    "ALONE long both(long a) {\n"
    "    long n;\n"
    "    if (a == 7) { n = 39; other(); } else { n = 1110; }\n"
    "    return sys(n, a);\n"
    "}\n"
    "ALONE long sum(int a) { return sys(39 + (a > 3), 0); }\n"
    "ALONE long choose(int a) {\n"
    "    long n;\n"
    "    switch (a) {\n"
    "    case 0: n = 39; break;\n"
    "    case 1: n = 110; other(); break;\n"
    "    case 2: n = 102; break;\n"
    "    case 3: n = 104; some = 2; break;\n"
    "    case 4: n = 107; break;\n"
    "    case 5: n = 108; break;\n"
    "    default: return 0;\n"
    "    }\n"
    "    return sys(n, 0);\n"
    "}\n"
    "ALONE long x32(void) { return sys(0x40000027, 0); }\n"
    "ALONE long wide(void) { return sys(0x100000027, 0); }\n"
    "ALONE long unknown(void) { return sys(number(), 0); }\n"
    "ALONE long wrapper(long a, long n) { return sys(n, a); }\n"
    "ALONE long called(void) { return wrapper(1, 39) + wrapper(2, 40); }\n"
    "ALONE long behind(struct cmd *c) { return sys(c->nr, c->a); }\n"
    "ALONE long filled(long a) {\n"
    "    struct cmd c;\n"
    "    c.a = (int)a;\n"
    "    c.nr = 105;\n"
    "    c.args[0] = a;\n"
    "    return behind(&c) + a;\n"
    "}\n"
    "ALONE long passed(struct cmd *c) { return behind(c) + 1; }\n"
    "ALONE long through(void) { return sys(current->nr, 0); }\n"
    "ALONE void set(struct cmd *c) { current = c; }\n"
    "void _start(void) { for (;;) other(); }\n";

static const char assembly[] =
    "#define F(name) .globl name; .type name, @function; name: .cfi_startproc\n"
    "#define E(name) .cfi_endproc; .size name, . - name\n"
    ".text\n"
    "F(pushed)\n push $39\n pop %rax\n syscall\n ret\n E(pushed)\n"
    "F(low)\n xor %eax, %eax\n mov $39, %al\n syscall\n ret\n E(low)\n"
    "F(swapped)\n mov $39, %ecx\n xchg %rcx, %rax\n syscall\n ret\n E(swapped)\n"
    "F(borrow)\n cmp $1, %edi\n sbb %eax, %eax\n and $71, %eax\n add $39, %eax\n syscall\n ret\n"
    "E(borrow)\n"
    "F(moved)\n mov $20, %edx\n lea 19(%rdx), %eax\n syscall\n ret\n E(moved)\n"
    "F(flag)\n xor %eax, %eax\n test %edi, %edi\n sete %al\n lea 39(%rax,%rax,2), %eax\n syscall\n"
    "ret\n E(flag)\n"
    "F(negated)\n mov $-39, %eax\n neg %eax\n syscall\n ret\n E(negated)\n"
    "F(shifted)\n mov $156, %eax\n shr $2, %eax\n syscall\n ret\n E(shifted)\n"
    "F(looped)\n mov $1, %eax\n 1: inc %eax\n dec %edi\n jne 1b\n syscall\n ret\n E(looped)\n"
    "F(lost)\n mov $39, %ecx\n call pushed\n mov %ecx, %eax\n syscall\n ret\n E(lost)\n"
    "F(kept)\n push %rbx\n mov $39, %ebx\n call pushed\n mov %ebx, %eax\n syscall\n pop %rbx\n "
    "ret\n"
    "E(kept)\n"
    "F(away)\n mov $39, %eax\n test %edi, %edi\n jne away.cold\n ret\n E(away)\n"
    "F(taken)\n sub $24, %rsp\n movl $39, 8(%rsp)\n mov %rsp, %rdi\n call pushed\n"
    "mov 8(%rsp), %eax\n syscall\n add $24, %rsp\n ret\n E(taken)\n"
    "F(pointer)\n sub $24, %rsp\n lea 8(%rsp), %rcx\n movl $39, (%rcx)\n mov 8(%rsp), %eax\n"
    "syscall\n add $24, %rsp\n ret\n E(pointer)\n"
    "F(list)\n cmp $2, %edi\n ja 1f\n mov %edi, %edi\n lea numbers(%rip), %rax\n"
    "mov (%rax,%rdi,4), %eax\n syscall\n 1: ret\n E(list)\n"
    "F(unbounded)\n lea numbers(%rip), %rax\n mov (%rax,%rdi,4), %eax\n syscall\n ret\n"
    "E(unbounded)\n"
    "F(compat)\n mov $20, %eax\n int $0x80\n ret\n E(compat)\n"
    "F(never)\n 1: jmp 1b\n E(never)\n"
    "F(stops)\n mov $39, %r9d\n test %edi, %edi\n jne 2f\n call never\n nop\n"
    "2: mov %r9d, %eax\n syscall\n ret\n E(stops)\n"
    ".section .text.unlikely,\"ax\"\n"
    ".type away.cold, @function\n away.cold: .cfi_startproc\n syscall\n ret\n .cfi_endproc\n"
    ".globl _start\n _start: ret\n"
    ".section .rodata\n .balign 4\n numbers: .long 39, 40, 41, 42\n"
    ".section .note.GNU-stack,\"\",@progbits\n";

struct loaded {
    struct sr_object *object;
    struct sr_code *code;
    struct sr_numbers *numbers;
};

static char dir[64];

static void load(const char *path, struct loaded *l) {
    struct sr_object_error err;

    l->object = sr_object_open(path, NULL, &err);
    if (!l->object)
        fail_msg("%s", err.text);
    l->code = sr_code_scan(l->object);
    assert_non_null(l->code);
    l->numbers = sr_numbers_new(l->code);
    assert_non_null(l->numbers);
}

static void unload(struct loaded *l) {
    sr_numbers_free(l->numbers);
    sr_code_free(l->code);
    sr_object_close(l->object);
}

static bool has_compiler(const char *cc) {
    char command[64];

    snprintf(command, sizeof command, "%s --version >/dev/null 2>&1", cc);
    return system(command) == 0;
}

static void build(const char *cc, const char *flags, const char *text, const char *suffix,
                  struct loaded *l) {
    char file[128], out[128], command[512];
    FILE *f;

    snprintf(file, sizeof file, "%s/code.%s", dir, suffix);
    snprintf(out, sizeof out, "%s/program", dir);
    f = fopen(file, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    snprintf(command, sizeof command, "%s %s -w -nostdlib -o %s %s", cc, flags, out, file);
    assert_int_equal(system(command), 0);
    load(out, l);
}

static uint64_t symbol(const struct loaded *l, const char *name) {
    for (size_t i = 0; i < l->object->n_symtab; i++)
        if (!strcmp(l->object->symtab[i].name, name))
            return l->object->symtab[i].value;
    fail_msg("no symbol %s", name);
    return 0;
}

static void print(const char *name, const struct sr_origins *r) {
    static const char *const kinds[] = {"const",      "arg",    "arg mem",
                                        "global mem", "global", "unknown"};

    for (size_t i = 0; i < r->n; i++)
        print_message("  %s: %s %lld reg %u offset %lld at %#llx %s\n", name, kinds[r->o[i].kind],
                      (long long)r->o[i].value, r->o[i].reg, (long long)r->o[i].offset,
                      (unsigned long long)r->o[i].at, r->o[i].why ? r->o[i].why : "");
}

/* All and only these constants; ended by -1. */
static void expect(const char *name, const struct sr_origins *r, va_list values) {
    bool found[SR_ORIGINS_MAX] = {false}, ok = !r->overflow;
    long long v;

    while ((v = va_arg(values, int)) != -1) {
        bool seen = false;

        for (size_t i = 0; i < r->n; i++)
            if (r->o[i].kind == SR_ORIGIN_CONST && (int32_t)r->o[i].value == v)
                seen = found[i] = true;
        if (!seen)
            print_message("  %s: %lld is missing\n", name, v);
        ok = ok && seen;
    }
    for (size_t i = 0; i < r->n; i++)
        ok = ok && found[i];
    if (!ok)
        print(name, r);
    assert_true(ok);
}

/* The origins at every site in the function of that name, in one. */
static void ask(const struct loaded *l, const char *name, struct sr_origins *all) {
    uint64_t lo = symbol(l, name), off;
    size_t sites = 0;

    *all = (struct sr_origins){.n = 0};
    for (size_t i = 0; i < l->code->n_sites; i++) {
        uint64_t at = l->code->sites[i].at;
        const char *in = sr_object_name_at(l->object, at, &off);
        struct sr_origins r;

        if (!in || at - off != lo)
            continue;
        sites++;
        sr_numbers_register(l->numbers, at, SR_REG_RAX, &r);
        assert_true(r.n > 0);
        all->overflow |= r.overflow;
        for (size_t k = 0; k < r.n && all->n < SR_ORIGINS_MAX; k++)
            all->o[all->n++] = r.o[k];
    }
    assert_true(sites > 0);
}

static void consts(const struct loaded *l, const char *name, ...) {
    struct sr_origins r;
    va_list values;

    ask(l, name, &r);
    va_start(values, name);
    expect(name, &r, values);
    va_end(values);
}

static void one(const struct loaded *l, const char *name, unsigned kind, struct sr_origins *r) {
    ask(l, name, r);
    if (r->n != 1 || r->o[0].kind != kind)
        print(name, r);
    assert_int_equal(r->n, 1);
    assert_int_equal(r->o[0].kind, kind);
}

/* For each direct call from one function to another: what it hands over. */
static size_t handed(const struct loaded *l, const char *from, const char *to, int64_t offset,
                     struct sr_origins *r) {
    int64_t f = sr_code_function(l->code, symbol(l, from));
    size_t n = 0;

    assert_true(f >= 0);
    for (uint32_t i = 0; i < l->code->functions[f].n_refs; i++) {
        const struct sr_ref *ref = &l->code->refs[l->code->functions[f].first_ref + i];

        if ((ref->kind != SR_REF_CALL && ref->kind != SR_REF_JUMP) || ref->to != symbol(l, to))
            continue;
        if (offset < 0)
            sr_numbers_register(l->numbers, ref->from, sr_numbers_arg_register(1), &r[n++]);
        else
            sr_numbers_pointee(l->numbers, ref->from, sr_numbers_arg_register(0), offset, &r[n++]);
        if (n == 2)
            break;
    }
    return n;
}

static void check_callers(const struct loaded *l) {
    struct sr_origins r[2], global;

    one(l, "wrapper", SR_ORIGIN_ARG, r);
    assert_int_equal(r[0].o[0].reg, 1);
    assert_int_equal(l->code->functions[r[0].o[0].function].lo, symbol(l, "wrapper"));
    assert_int_equal(handed(l, "called", "wrapper", -1, r), 2);
    assert_int_equal(r[0].o[0].value + r[1].o[0].value, 39 + 40);

    one(l, "behind", SR_ORIGIN_ARG_MEM, r);
    assert_int_equal(r[0].o[0].reg, 0);
    assert_int_equal(r[0].o[0].offset, 4);
    assert_int_equal(handed(l, "filled", "behind", 4, r), 1);
    assert_int_equal(r[0].n, 1);
    assert_int_equal(r[0].o[0].kind, SR_ORIGIN_CONST);
    assert_int_equal((int32_t)r[0].o[0].value, 105);
    assert_int_equal(handed(l, "passed", "behind", 4, r), 1);
    assert_int_equal(r[0].o[0].kind, SR_ORIGIN_ARG_MEM);
    assert_int_equal(r[0].o[0].offset, 4);

    one(l, "through", SR_ORIGIN_GLOBAL_MEM, r);
    assert_int_equal(r[0].o[0].address, symbol(l, "current"));
    assert_int_equal(r[0].o[0].offset, 4);
    sr_numbers_global(l->numbers, symbol(l, "current"), &global);
    assert_int_equal(global.n, 2);
    assert_int_equal(global.o[0].kind, SR_ORIGIN_CONST);
    assert_int_equal(global.o[0].value, 0);
    assert_int_equal(global.o[1].kind, SR_ORIGIN_ARG);
    assert_int_equal(l->code->functions[global.o[1].function].lo, symbol(l, "set"));
}

static void check_source(const char *cc, const char *flags) {
    struct loaded l;
    struct sr_origins r;

    print_message("%s %s\n", cc, flags);
    build(cc, flags, source, "c", &l);
    consts(&l, "direct", 39, -1);
    consts(&l, "zero", 0, 19, -1);
    consts(&l, "blocks", 39, -1);
    consts(&l, "copied", 102, -1);
    consts(&l, "either", 39, 110, -1);
    consts(&l, "both", 39, 1110, -1);
    consts(&l, "sum", 39, 40, -1);
    consts(&l, "choose", 39, 102, 104, 107, 108, 110, -1);
    consts(&l, "x32", 0x40000027, -1);
    one(&l, "wide", SR_ORIGIN_CONST, &r);
    assert_int_equal(r.o[0].value, 0x100000027);
    one(&l, "unknown", SR_ORIGIN_UNKNOWN, &r);
    assert_string_equal(r.o[0].why, "returned by a call");
    check_callers(&l);
    unload(&l);
}

static void test_compiled(void **state) {
    static const char *const compilers[] = {"gcc", "clang"};
    static const char *const kinds[] = {"-fPIE -pie", "-fno-pie -no-pie"};
    char flags[64];

    (void)state;
    for (size_t c = 0; c < 2; c++) {
        if (!has_compiler(compilers[c])) {
            print_message("%s is not installed: not tried with it\n", compilers[c]);
            continue;
        }
        for (unsigned k = 0; k < 2; k++)
            for (unsigned level = 0; level <= 3; level++) {
                snprintf(flags, sizeof flags, "-O%u %s", level, kinds[k]);
                check_source(compilers[c], flags);
            }
    }
}

static void test_assembly(void **state) {
    struct loaded l;
    struct sr_origins r;

    (void)state;
    build("gcc", "-pie", assembly, "S", &l);
    consts(&l, "pushed", 39, -1);
    consts(&l, "low", 39, -1);
    consts(&l, "swapped", 39, -1);
    consts(&l, "borrow", 39, 110, -1);
    consts(&l, "moved", 39, -1);
    consts(&l, "flag", 39, 42, -1);
    consts(&l, "negated", 39, -1);
    consts(&l, "shifted", 39, -1);
    consts(&l, "kept", 39, -1);
    consts(&l, "away.cold", 39, -1);
    consts(&l, "pointer", 39, -1);
    consts(&l, "list", 39, 40, 41, -1);
    consts(&l, "compat", 20, -1);
    consts(&l, "stops", 39, -1);
    one(&l, "lost", SR_ORIGIN_UNKNOWN, &r);
    one(&l, "taken", SR_ORIGIN_UNKNOWN, &r);
    one(&l, "unbounded", SR_ORIGIN_UNKNOWN, &r);
    ask(&l, "looped", &r);
    assert_int_equal(r.o[0].kind, SR_ORIGIN_CONST);
    assert_true(r.overflow || r.o[r.n - 1].kind == SR_ORIGIN_UNKNOWN);
    unload(&l);
}

/* Straight lines as objdump shows them: mov $N,%eax … syscall. Each must be among what is found. */
static void compare(const char *path, const struct loaded *l) {
    char line[512], command[512];
    long number = -1;
    size_t compared = 0;
    FILE *f;

    snprintf(command, sizeof command, "objdump -d --no-show-raw-insn %s", path);
    f = popen(command, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        const char *text = strchr(line, '\t');
        struct sr_origins r;
        bool seen = false;

        text = text ? text + 1 : "ret"; /* a label */
        if (!strncmp(text, "mov    $0x", 10) && strstr(text, ",%eax")) {
            number = strtol(text + 8, NULL, 16);
        } else if (!strncmp(text, "xor    %eax,%eax", 16)) {
            number = 0;
        } else if (!strncmp(text, "syscall", 7) && number >= 0) {
            sr_numbers_register(l->numbers, strtoull(line, NULL, 16), SR_REG_RAX, &r);
            for (size_t i = 0; i < r.n; i++)
                seen |= r.o[i].kind == SR_ORIGIN_CONST && r.o[i].value == number;
            if (!seen)
                print(line, &r);
            assert_true(seen);
            compared++;
            number = -1; /* what it returned */
        } else if (*text == 'j' || !strncmp(text, "call", 4) || !strncmp(text, "ret", 3) ||
                   strstr(text, ",%eax") || strstr(text, ",%rax") || strstr(text, ",%al")) {
            number = -1;
        }
    }
    pclose(f);
    print_message("  %zu compared with objdump\n", compared);
}

/* Prints what there is; returns how many sites have an origin of each kind. */
static void sweep(const char *path, size_t counts[SR_ORIGIN_UNKNOWN + 1]) {
    struct loaded l;
    struct sr_origins r;
    uint64_t off;

    load(path, &l);
    memset(counts, 0, (SR_ORIGIN_UNKNOWN + 1) * sizeof *counts);
    for (size_t i = 0; i < l.code->n_sites; i++) {
        bool has[SR_ORIGIN_UNKNOWN + 1] = {false};
        const char *name = sr_object_name_at(l.object, l.code->sites[i].at, &off);

        sr_numbers_register(l.numbers, l.code->sites[i].at, SR_REG_RAX, &r);
        for (size_t k = 0; k < r.n; k++)
            has[r.o[k].kind] = true;
        has[SR_ORIGIN_UNKNOWN] |= r.overflow || !r.n;
        for (unsigned k = 0; k <= SR_ORIGIN_UNKNOWN; k++)
            counts[k] += has[k];
        if (r.n != 1 || r.o[0].kind != SR_ORIGIN_CONST)
            print(name ? name : "?", &r);
    }
    print_message("%s: %zu sites: const %zu, arg %zu, arg mem %zu, global mem %zu, global %zu, "
                  "unknown %zu\n",
                  path, l.code->n_sites, counts[0], counts[1], counts[2], counts[3], counts[4],
                  counts[5]);
    compare(path, &l);
    unload(&l);
}

static const char *path_of(const void *address) {
    Dl_info info;

    assert_true(dladdr(address, &info) != 0);
    return info.dli_fname;
}

/* glibc has three sites whose number comes from elsewhere: in syscall(), in the function that
 * changes all threads' ids (behind its argument), and in the signal handler that does so for it
 * (behind a global pointer). */
static void test_libc(void **state) {
    size_t n[SR_ORIGIN_UNKNOWN + 1];

    (void)state;
    sweep(path_of((const void *)getpid), n);
    assert_true(n[SR_ORIGIN_CONST] > 300);
    assert_true(n[SR_ORIGIN_ARG] == 1 && n[SR_ORIGIN_ARG_MEM] <= 1 && n[SR_ORIGIN_GLOBAL_MEM] <= 1);
    assert_int_equal(n[SR_ORIGIN_GLOBAL] + n[SR_ORIGIN_UNKNOWN], 0);
    /* The loader's base is its ELF header. */
    sweep(path_of((const void *)getauxval(AT_BASE)), n);
    assert_true(n[SR_ORIGIN_CONST] > 20);
    for (unsigned k = SR_ORIGIN_ARG; k <= SR_ORIGIN_UNKNOWN; k++)
        assert_int_equal(n[k], 0);
}

/* The ids' numbers: setuid and the like store them for the function that does it in all threads. */
static void test_setxid(void **state) {
    static const int32_t expected[] = {105, 106, 113, 114, 116, 117, 119};
    struct loaded l;
    struct sr_origins r, stores, words;
    bool seen[7] = {false};

    (void)state;
    load(path_of((const void *)getpid), &l);
    for (size_t i = 0; i < l.code->n_sites; i++) {
        uint64_t callee = 0;

        sr_numbers_register(l.numbers, l.code->sites[i].at, SR_REG_RAX, &r);
        if (r.n != 1 || r.o[0].kind != SR_ORIGIN_GLOBAL_MEM)
            continue;
        sr_numbers_global(l.numbers, r.o[0].address, &stores);
        for (size_t k = 0; k < stores.n; k++)
            if (stores.o[k].kind == SR_ORIGIN_ARG)
                callee = l.code->functions[stores.o[k].function].lo;
        for (size_t k = 0; k < l.code->n_refs; k++) {
            if (l.code->refs[k].kind != SR_REF_CALL || l.code->refs[k].to != callee)
                continue;
            sr_numbers_pointee(l.numbers, l.code->refs[k].from, SR_REG_RDI, r.o[0].offset, &words);
            assert_int_equal(words.n, 1);
            assert_int_equal(words.o[0].kind, SR_ORIGIN_CONST);
            for (size_t e = 0; e < 7; e++)
                seen[e] |= words.o[0].value == expected[e];
        }
        for (size_t e = 0; e < 7; e++)
            assert_true(seen[e]);
    }
    unload(&l);
}

/* Libraries that make no calls of their own here, or many functions: nothing to assert but the end.
 */
static void test_others(void **state) {
    static const char *const names[] = {"libcap.so.2", "libcrypto.so.3"};
    size_t n[SR_ORIGIN_UNKNOWN + 1];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        void *h = dlopen(names[i], RTLD_LAZY);
        struct link_map *map;

        if (!h || dlinfo(h, RTLD_DI_LINKMAP, &map))
            continue;
        sweep(map->l_name, n);
        assert_int_equal(n[SR_ORIGIN_UNKNOWN], 0);
        dlclose(h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compiled), cmocka_unit_test(test_assembly),
        cmocka_unit_test(test_libc),     cmocka_unit_test(test_setxid),
        cmocka_unit_test(test_others),
    };
    char command[96];
    int failed;

    snprintf(dir, sizeof dir, "/tmp/sysreach-numbers-XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command) || failed;
}
