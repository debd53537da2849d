/*
 * The closure against the loader itself: the same files in the same order
 * (LD_TRACE_LOADED_OBJECTS), and every symbol bound to the same object (LD_DEBUG=bindings), for
 * programs of this machine and for small ones made here with gcc; then what the loader does not
 * show: modules, another root, musl's rules, messages.
 */
#include <errno.h>
#include <limits.h>
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

#include "bound/closure.h"

static char dir[] = "/tmp/sysreach-closure-XXXXXX";
static struct sr_object_error err;

/* A path in the folder; four may be in use at a time. */
__attribute__((format(printf, 1, 2))) static const char *in(const char *format, ...) {
    static char paths[4][PATH_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    int n = snprintf(path, PATH_MAX, "%s/", dir);
    va_list args;

    va_start(args, format);
    vsnprintf(path + n, (size_t)(PATH_MAX - n), format, args);
    va_end(args);
    return path;
}

/* A shell command in the folder. */
static void run(const char *command) {
    char *line;

    assert_true(asprintf(&line, "set -e; cd %s; cc='gcc -O1'; %s", dir, command) > 0);
    if (system(line) != 0) /* NOLINT(cert-env33-c,bugprone-command-processor) */
        fail_msg("failed: %s", command);
    free(line);
}

static struct sr_closure *open_with(const char *program, const char *root, const char *module) {
    struct sr_closure_request r = {program, root, &module, module != NULL};

    return sr_closure_open(&r, &err);
}

static struct sr_closure *open_closure(const char *program, const char *module) {
    struct sr_closure *c = open_with(program, NULL, module);

    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static struct sr_closure *open_in_root(const char *program, const char *root) {
    struct sr_closure *c = open_with(program, in("%s", root), NULL);

    if (!c && strstr(err.text, "openat2")) {
        print_message("skipped: %s\n", err.text);
        skip();
    }
    if (!c)
        fail_msg("%s", err.text);
    return c;
}

static size_t find_file(const struct sr_closure *c, const char *path) {
    struct stat st;

    if (stat(path, &st) == 0)
        for (size_t i = 0; i < c->n; i++)
            if (c->objects[i]->id_dev == st.st_dev && c->objects[i]->id_ino == st.st_ino)
                return i;
    return SIZE_MAX;
}

static size_t find_base(const struct sr_closure *c, const char *name) {
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(strrchr(c->objects[i]->path, '/') + 1, name) == 0)
            return i;
    fail_msg("%s is not there", name);
    return SIZE_MAX;
}

static bool same_version(const char *a, const char *b) {
    return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Index of a symbol; 0: none. */
static uint32_t find_symbol(const struct sr_object *o, const char *name, const char *version) {
    for (uint32_t i = 1; i < o->n_dynsym; i++)
        if (strcmp(o->dynsym[i].name, name) == 0 && same_version(o->dynsym[i].version, version))
            return i;
    return 0;
}

static bool is_copied(const struct sr_object *o, uint32_t symbol) {
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_COPY && o->relocs[i].symbol == symbol)
            return true;
    return false;
}

static size_t count_traced(const struct sr_closure *c, const char *program, FILE *f) {
    char line[PATH_MAX + 256];
    size_t n = 1;

    while (fgets(line, sizeof line, f)) {
        char *path = strchr(line, '/'), *arrow = strstr(line, "=> ");

        if (arrow)
            path = arrow + 3;
        if (!path || *path != '/')
            continue; /* the kernel's vDSO */
        path[strcspn(path, " \n")] = 0;
        if (n >= c->n || find_file(c, path) != n)
            fail_msg("%s: the loader's object %zu is %s", program, n, path);
        n++;
    }
    return n;
}

/* The files that the loader maps, in its order. */
static void compare_files(const struct sr_closure *c, const char *program) {
    char *command;
    size_t n;
    FILE *f;

    assert_true(asprintf(&command, "LD_TRACE_LOADED_OBJECTS=1 %s", program) > 0);
    f = popen(command, "r"); /* NOLINT(cert-env33-c,bugprone-command-processor) */
    assert_non_null(f);
    n = count_traced(c, program, f);
    assert_int_equal(pclose(f), 0);
    if (n != c->n_start)
        fail_msg("%s: the loader has %zu objects, the closure %zu", program, n, c->n_start);
    free(command);
}

/* Whether the loader's "binding file FROM to TO: … NAME [VERSION]" is ours too. */
static bool same_binding(struct sr_closure *c, size_t from, size_t to, const char *name,
                         const char *version) {
    uint32_t symbol = find_symbol(c->objects[from], name, version), own;
    struct sr_target t;

    if (!symbol) /* what the loader asks for on its own behalf, malloc for instance */
        return from == 0;
    if (sr_closure_bind(c, (uint32_t)from, symbol, false, &t) && t.object == to)
        return true;
    if (from == 0 && is_copied(c->objects[0], symbol))
        return sr_closure_bind(c, 0, symbol, true, &t) && t.object == to;
    /* The PLT entry of a program at a fixed address stands for the function. */
    own = to == 0 ? find_symbol(c->objects[0], name, version) : 0;
    return own && !c->objects[0]->dynsym[own].defined && c->objects[0]->dynsym[own].value;
}

static size_t check_line(struct sr_closure *c, const char *program, const char *line) {
    char from[PATH_MAX], to[PATH_MAX], name[4096], version[256];
    const char *text = strstr(line, "binding file ");
    size_t a, b;
    int n;

    if (!text)
        return 0;
    n = sscanf(text, "binding file %4095s [0] to %4095s [0]: %*s symbol `%4095[^']' [%255[^]]",
               from, to, name, version);
    if (n < 3)
        return 0;
    a = find_file(c, from);
    b = find_file(c, to);
    if (a == SIZE_MAX || b == SIZE_MAX) /* the vDSO, or loaded at run time */
        return 0;
    if (!same_binding(c, a, b, name, n > 3 ? version : NULL))
        fail_msg("%s: the loader binds %s", program, text);
    return 1;
}

/* Every binding that the loader reports; returns how many. */
static size_t compare_bindings(struct sr_closure *c, const char *program, const char *option) {
    char *command, *line = NULL;
    size_t room = 0, n = 0;
    FILE *f;

    /* A file for each process; the program's own is the first. */
    assert_true(asprintf(&command,
                         "LD_DEBUG=bindings LD_BIND_NOW=1 LD_DEBUG_OUTPUT=%s exec %s %s "
                         ">%s 2>&1 </dev/null",
                         in("bindings"), program, option, in("output")) > 0);
    run("rm -f bindings.*");
    (void)!system(command); /* NOLINT(cert-env33-c,bugprone-command-processor) */
    free(command);
    run("cat \"$(printf '%s\\n' bindings.* | sort -t. -k2n | head -1)\" >bindings");
    f = fopen(in("bindings"), "r");
    assert_non_null(f);
    while (getline(&line, &room, f) > 0)
        n += check_line(c, program, line);
    free(line);
    fclose(f);
    return n;
}

static void test_machine(void **state) {
    static const char *const programs[][2] = {
        {"/usr/bin/diff", "--version"},  {"/usr/bin/ssh", "-V"},
        {"/usr/sbin/sshd", "-V"},        {"/usr/bin/git", "--version"},
        {"/usr/bin/perl", "-v"},         {"/usr/bin/python3", "--version"},
        {"/usr/bin/openssl", "version"}, {"/usr/bin/bash", "--version"},
        {"/usr/bin/tar", "--version"},   {"/usr/bin/xz", "--version"},
        {"/usr/bin/curl", "--version"},  {"/usr/bin/gpg", "--version"},
        {"/usr/bin/bwrap", "--version"}, {"/usr/bin/strace", "--version"},
    };
    size_t objects = 0, bindings = 0, n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        struct sr_closure *c;

        if (access(programs[i][0], X_OK) != 0)
            continue;
        c = open_closure(programs[i][0], NULL);
        compare_files(c, programs[i][0]);
        bindings += compare_bindings(c, programs[i][0], programs[i][1]);
        objects += c->n;
        n++;
        sr_closure_close(c);
    }
    print_message("%zu programs, %zu objects, %zu bindings as the loader has them\n", n, objects,
                  bindings);
    assert_true(n >= 4 && bindings > 1000);
}

/* A program that runs, compared with the loader. */
static struct sr_closure *open_compared(const char *name) {
    char program[PATH_MAX];
    struct sr_closure *c;

    snprintf(program, sizeof program, "%s/%s", dir, name);
    c = open_closure(program, NULL);
    compare_files(c, program);
    assert_true(compare_bindings(c, program, "") > 0);
    return c;
}

static struct sr_target bind(struct sr_closure *c, const char *from, const char *name,
                             const char *version) {
    size_t object = find_base(c, from);
    uint32_t symbol = find_symbol(c->objects[object], name, version);
    struct sr_target t = {.object = UINT32_MAX};

    assert_true(symbol != 0);
    if (!sr_closure_bind(c, (uint32_t)object, symbol, false, &t))
        t.object = UINT32_MAX;
    return t;
}

static void test_paths(void **state) {
    struct sr_closure *c;

    (void)state;
    run("mkdir -p deep/lib; cd deep; echo 'int b(void) { return 1; }' >b.c;"
        "echo 'int b(void); int a(void) { return b(); }' >a.c;"
        "echo 'int a(void); int main(void) { return a() != 1; }' >p.c;"
        "$cc -shared -fPIC -Wl,-soname,libb.so.1 -o lib/libb.so.1.0 b.c;"
        "ln -s libb.so.1.0 lib/libb.so.1; ln -s libb.so.1 lib/libb.so;"
        "$cc -shared -fPIC -Wl,-soname,liba.so -o lib/liba.so a.c -Llib -lb;"
        "link=\"p.c -Llib -la -Wl,-rpath-link,lib\";"
        "$cc -o new $link -Wl,--enable-new-dtags,-rpath,'$ORIGIN/lib';"
        "$cc -o old $link -Wl,--disable-new-dtags,-rpath,'/nowhere:${ORIGIN}/lib/';"
        "$cc -o both $link -Wl,--no-as-needed,lib/libb.so,lib/libb.so.1.0 "
        "-Wl,--enable-new-dtags,-rpath,'$ORIGIN/lib'; ln -s deep/old ../deep-old");
    /* RPATH counts for what libraries need too; $ORIGIN is where the file is, not its link. */
    c = open_compared("deep-old");
    assert_string_equal(c->objects[2]->soname ? c->objects[2]->soname : "", "libc.so.6");
    sr_closure_close(c);
    /* RUNPATH does not. */
    assert_null(open_with(in("deep/new"), NULL, NULL));
    assert_non_null(strstr(err.text, "deep/new needs libb.so.1 (needed by liba.so), which was not "
                                     "found in "));
    assert_non_null(strstr(err.text, "install its package, or give --root"));
    assert_true(err.environment);
    /* Unless somebody else has it: by its name, whoever asks. */
    c = open_compared("deep/both");
    find_base(c, "libb.so.1");
    sr_closure_close(c);
    run("mv deep/lib/liba.so deep/lib/away");
    assert_null(open_with(in("deep/new"), NULL, NULL));
    assert_non_null(strstr(err.text, "deep/new needs liba.so, which was not found in RUNPATH "
                                     "$ORIGIN/lib, "));
    assert_null(open_with(in("no-such-program"), NULL, NULL));
    assert_non_null(strstr(err.text, "no-such-program: No such file or directory"));
}

static void test_versions(void **state) {
    struct sr_closure *c;
    struct sr_target t, old, new;

    (void)state;
    run("mkdir -p v; cd v; printf 'V1 { global: f; local: *; };\\nV2 { global: f; } V1;\\n' >map;"
        "printf '__asm__(\".symver f1,f@V1\\\\n.symver f2,f@@V2\");"
        "int f1(void) { return 1; } int f2(void) { return 2; }\\n' >v.c;"
        "printf '__asm__(\".symver g,f@V1\"); int g(void); int old(void) { return g(); }' >o.c;"
        "printf 'int f(void); int any(void) { return f(); }' >n.c;"
        "printf 'int f(void), old(void), any(void);"
        "int main(void) { return f() != 2 || old() != 1 || any() != 1; }' >p.c;"
        "$cc -shared -fPIC -Wl,--version-script,map -o libv.so v.c;"
        "$cc -shared -fPIC -o libo.so o.c libv.so; $cc -shared -fPIC -o libn.so n.c;"
        "$cc -o p p.c -L. -lo -ln -lv -Wl,-rpath,'$ORIGIN'; ./p");
    c = open_compared("v/p");
    new = bind(c, "p", "f", "V2");
    old = bind(c, "libo.so", "f", "V1");
    t = bind(c, "libn.so", "f", NULL);
    assert_int_equal(new.object, find_base(c, "libv.so"));
    assert_int_equal(old.object, new.object);
    assert_true(new.value != old.value);
    assert_string_equal(c->objects[new.object]->dynsym[new.symbol].version, "V2");
    assert_true(c->objects[old.object]->dynsym[old.symbol].hidden);
    assert_true(t.value == old.value); /* without a version: the first one */
    sr_closure_close(c);
}

static void test_scope(void **state) {
    struct sr_target t;
    struct sr_closure *c;
    size_t at = 0, n = 0, lib;

    (void)state;
    run("mkdir -p s; cd s; printf 'int data = 7; int own(void) { return 1; }"
        "__attribute__((visibility(\"protected\"))) int guarded(void) { return 1; }"
        "extern int missing(void) __attribute__((weak));"
        "int call(void) { return own() + guarded() + (missing ? missing() : 0) + data; }' >l.c;"
        "sed 's/call/call2/; s/int data = 7/extern int data/' l.c >y.c;"
        "printf 'extern int data; int call(void), call2(void); int own(void) { return 10; }"
        "int guarded(void) { return 10; } int main(void) {"
        "return data != 7 || call() != 18 || call2() != 9; }' >p.c;"
        "$cc -shared -fPIC -o libl.so l.c; $cc -shared -fPIC -Wl,-Bsymbolic -o liby.so y.c libl.so;"
        "$cc -fno-pie -no-pie -o p p.c -L. -ll -ly -Wl,-rpath,'$ORIGIN'; ./p");
    c = open_compared("s/p");
    lib = find_base(c, "libl.so");
    assert_int_equal(bind(c, "libl.so", "own", NULL).object, 0);
    assert_int_equal(bind(c, "libl.so", "guarded", NULL).object, lib);
    assert_int_equal(bind(c, "liby.so", "own", NULL).object, find_base(c, "liby.so"));
    assert_int_equal(bind(c, "libl.so", "missing", NULL).object, UINT32_MAX);
    /* The COPY relocation: all use the program's, whose bytes are the library's. */
    assert_int_equal(bind(c, "libl.so", "data", NULL).object, 0);
    assert_true(sr_closure_bind(c, 0, find_symbol(c->objects[0], "data", NULL), true, &t));
    assert_int_equal(t.object, lib);
    while (sr_closure_exports(c, "own", &at, &t))
        n++;
    assert_int_equal(n, 3);
    assert_false(sr_closure_bind(c, (uint32_t)c->n, 1, false, &t));
    assert_false(sr_closure_bind(c, 0, UINT32_MAX, false, &t));
    assert_false(sr_closure_bind(c, 0, 0, false, &t));
    sr_closure_close(c);
}

static void test_modules(void **state) {
    struct sr_closure *c;
    size_t module, dep;

    (void)state;
    run("mkdir -p m/lib; cd m; printf 'int both(void) { return 2; } int deep(void) { return 3; }"
        "int later(void) { return 4; }' >d.c; printf 'int both(void), deep(void), host(void);"
        "int mod(void) { return both() + deep() + host(); }' >m.c;"
        "printf 'int both(void) { return 1; } int host(void) { return 1; }"
        "int later(void) __attribute__((weak)); int main(void) { return later != 0; }' >p.c;"
        "$cc -shared -fPIC -o lib/libd.so -Wl,-soname,libd.so d.c;"
        "$cc -shared -fPIC -o mod.so m.c -Llib -ld -Wl,--enable-new-dtags,-rpath,'$ORIGIN/lib';"
        "$cc -fPIC -rdynamic -o p p.c; ln -s mod.so mod2.so");
    c = open_closure(in("m/p"), in("m/mod.so"));
    module = find_base(c, "mod.so");
    dep = find_base(c, "libd.so");
    assert_int_equal(module, c->n_start);
    assert_int_equal(dep, module + 1);
    assert_true(c->module[module] && !c->module[dep] && !c->module[0]);
    assert_int_equal(bind(c, "mod.so", "both", NULL).object, 0);
    assert_int_equal(bind(c, "mod.so", "host", NULL).object, 0);
    assert_int_equal(bind(c, "mod.so", "deep", NULL).object, dep);
    assert_int_equal(bind(c, "libd.so", "deep", NULL).object, dep);
    assert_int_equal(bind(c, "p", "later", NULL).object, UINT32_MAX);
    sr_closure_close(c);

    c = sr_closure_open(
        &(struct sr_closure_request){
            in("m/p"), "",
            (const char *const[]){in("m/mod2.so"), in("m/mod.so"), in("m/lib/libd.so")}, 3},
        &err);
    assert_non_null(c);
    assert_int_equal(c->n, c->n_start + 2);
    assert_true(c->module[c->n - 1] && c->module[c->n - 2]);
    module = c->n_start;
    sr_closure_close(c);
    /* What is there from the start stays where it is. */
    c = open_closure(in("m/p"), "/lib64/ld-linux-x86-64.so.2");
    assert_int_equal(c->n, module);
    assert_true(c->module[c->interp] && c->n == c->n_start);
    sr_closure_close(c);

    assert_null(open_with(in("m/p"), NULL, in("m/none.so")));
    assert_non_null(strstr(err.text, "m/none.so: No such file"));
    run("echo no ELF >m/text.so");
    assert_null(open_with(in("m/p"), NULL, in("m/text.so")));
    assert_non_null(strstr(err.text, "m/text.so"));
}

static void test_static(void **state) {
    struct sr_closure *c;

    (void)state;
    run("echo 'int main(void) { return 0; }' >one.c; $cc -static -o one one.c");
    c = open_closure(in("one"), NULL);
    assert_int_equal(c->n, 1);
    assert_int_equal(c->n_start, 1);
    assert_true(c->interp == SIZE_MAX);
    sr_closure_close(c);
}

/* The tree has its own C library behind links that must not leave it. */
static void test_root(void **state) {
    struct sr_closure *c;
    struct stat st;

    (void)state;
    run("mkdir -p tree/bin tree/etc tree/real tree/lib tree/lib64; echo 'int main(void){return 0;}'"
        ">r.c; $cc -o tree/bin/r r.c; ld=$(readlink -f /lib64/ld-linux-x86-64.so.2);"
        "cp $ld tree/real/ld.so; cp ${ld%/*}/libc.so.6 tree/real/libc.so.6;"
        "ln -s /real/ld.so tree/lib64/ld-linux-x86-64.so.2;"
        "ln -s ../../../../../../../../real/libc.so.6 tree/lib/libc.so.6; ln -s /bin tree/tools");
    c = open_in_root("/tools/r", "tree");
    assert_int_equal(c->n, 3);
    assert_int_equal(c->interp, 2);
    assert_string_equal(c->objects[0]->path, "/tools/r");
    assert_string_equal(c->objects[1]->path, "/lib/libc.so.6");
    assert_string_equal(c->objects[1]->file, in("tree/real/libc.so.6"));
    assert_string_equal(c->objects[2]->path, "/lib64/ld-linux-x86-64.so.2");
    assert_int_equal(stat(in("tree/real/libc.so.6"), &st), 0);
    assert_true(c->objects[1]->id_ino == st.st_ino);
    sr_closure_close(c);
    run("rm tree/lib/libc.so.6; ln -s /lib/x86_64-linux-gnu/libc.so.6 tree/lib/libc.so.6");
    assert_null(open_with("/bin/r", in("tree"), NULL)); /* the link means nothing in the tree */
    assert_non_null(strstr(err.text, "/bin/r needs libc.so.6, which was not found in "));
    assert_null(open_with("/bin/r", in("no-tree"), NULL));
    assert_non_null(strstr(err.text, "no-tree: No such file"));
}

/* musl: its C library is its loader, DT_SONAME is no name, and its folders are its own. A 32-bit
 * file on the way is passed over. */
static void test_musl(void **state) {
    struct sr_closure *c;

    (void)state;
    run("mkdir -p musl/lib musl/opt musl/etc musl/first; cd musl;"
        "echo 'int puts(const char *s) { return !s; }' >c.c;"
        "echo 'int puts(const char *); int x(void) { return puts(\"\"); }' >x.c;"
        "echo 'int x(void); void _start(void) { x(); for (;;) ; }' >p.c; cc=\"$cc -nostdlib\";"
        "$cc -shared -fPIC -fno-builtin -Wl,-soname,libc.musl-x86_64.so.1 "
        "-o lib/ld-musl-x86_64.so.1 c.c;"
        "$cc -shared -fPIC -fno-builtin -o opt/libx.so x.c lib/ld-musl-x86_64.so.1;"
        "$cc -o p p.c -Lopt -lx -Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1 "
        "-Wl,--allow-shlib-undefined; printf '/first\\n/opt\\n' >etc/ld-musl-x86_64.path;"
        "head -c 64 opt/libx.so >first/libx.so;"
        "printf '\\001' | dd of=first/libx.so bs=1 seek=4 conv=notrunc 2>/dev/null");
    c = open_in_root("/p", "musl");
    assert_int_equal(c->n, 3);
    assert_string_equal(c->objects[1]->path, "/opt/libx.so");
    assert_int_equal(c->interp, 2);
    assert_int_equal(bind(c, "libx.so", "puts", NULL).object, 2);
    sr_closure_close(c);
}

static int make_dir(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state) {
    (void)state;
    run("rm -rf \"$PWD\"");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine),  cmocka_unit_test(test_paths),
        cmocka_unit_test(test_versions), cmocka_unit_test(test_scope),
        cmocka_unit_test(test_modules),  cmocka_unit_test(test_static),
        cmocka_unit_test(test_root),     cmocka_unit_test(test_musl),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
