/*
 * Target files: what each line means, that every mistake is named with its line, and that the files
 * that we ship are read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sysreach/scenario.h"
#include "target.h"

static char path[] = "/tmp/sysreach-test-XXXXXX";
static char err[1024];

static int read_bytes(const char *text, size_t len, struct sr_target *t) {
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    err[0] = 0;
    return sr_target_read(path, t, err, sizeof err);
}

static int read_text(const char *text, struct sr_target *t) {
    return read_bytes(text, strlen(text), t);
}

static void test_everything(void **state) {
    (void)state;
    struct sr_target t;

    assert_int_equal(read_text("# comment\n\nprogram /usr/bin/x y\npackage p\nbuilt src/x\n"
                               "build autoreconf -f\nbuild true\ndepends a b\ndepends c\n"
                               "seeds ../seeds\nreference old old.set\ngrace 150\n"
                               "base env A=1\nbase stdin pipe\nbase |x\n"
                               "option -u\noption -U <num>  <file>\noption --c=<a|b\\x20|>x\n"
                               "value mine  two \\x3c \noption -<mine>\nenv TZ </x|UTC>\n",
                               &t),
                     0);
    assert_string_equal(t.program, "/usr/bin/x y");
    assert_string_equal(t.package, "p");
    assert_string_equal(t.built, "src/x");
    assert_int_equal(t.build.n, 2);
    assert_string_equal(t.build.v[0], "autoreconf -f");
    assert_null(t.build.v[2]);
    assert_int_equal(t.depends.n, 3);
    assert_string_equal(t.depends.v[2], "c");
    assert_string_equal(t.seeds, "/tmp/../seeds");
    assert_string_equal(t.reference_name, "old");
    assert_string_equal(t.reference, "/tmp/old.set");
    assert_int_equal(t.grace_ms, 150);
    assert_string_equal(t.base, "env A=1\nstdin pipe\n|x\n");

    assert_int_equal(t.n_options, 4);
    assert_int_equal(t.options[1].n, 3);
    assert_int_equal(t.options[1].words[1].pieces[0].kind, sr_target_kind(&t, "num"));
    assert_int_equal(t.options[1].words[2].pieces[0].kind, sr_target_kind(&t, "file"));
    assert_int_equal(t.options[2].n, 1);
    assert_int_equal(t.options[2].words[0].n, 2);
    assert_string_equal(t.options[2].words[0].pieces[0].text, "--c=");
    assert_string_equal(t.options[2].words[0].pieces[1].text, "x");
    assert_int_equal(t.options[2].words[0].pieces[1].kind, -1);
    const struct sr_kind *k = &t.kinds[t.options[2].words[0].pieces[0].kind];
    assert_int_equal(k->values.n, 3);
    assert_string_equal(k->values.v[1], "b ");
    assert_string_equal(k->values.v[2], "");
    k = &t.kinds[sr_target_kind(&t, "mine")];
    assert_int_equal(k->make, SR_MAKE_LISTED);
    assert_string_equal(k->values.v[0], " two < ");
    assert_int_equal(t.n_envs, 1);
    assert_string_equal(t.envs[0].name, "TZ");
    sr_target_free(&t);
}

/* What a target with counterparts and a configuration language has besides. */
static void test_sessions(void **state) {
    (void)state;
    struct sr_target t;

    assert_int_equal(
        read_text("program ssh\nneeds openssh-server  tmux\ncapability CAP_KILL CAP_BPF\n"
                  "setup x.sh\ngrammar sub/g\nbind passwd /etc/passwd\n"
                  "role sshd listener calls=listen !execs\nrole sshd user child-of=monitor\n"
                  "session sshd -i\nbudget 50 20 30\nquick q-* r*.scn\n"
                  "base before true\nbase client x\nbase serve tcp:22 cat\n"
                  "line *_config Port <num>\nline a Match  user <a b|c>\t\\x20\n"
                  "line *_config Port <num>\nbind a.b /x\nsection Match Host\nsection X\n",
                  &t),
        0);
    assert_int_equal(t.needs.n, 2);
    assert_string_equal(t.needs.v[1], "tmux");
    assert_int_equal(t.capabilities.n, 2);
    assert_string_equal(t.capabilities.v[1], "CAP_BPF");
    assert_int_equal(sr_target_capability("CAP_BPF"), 39);
    assert_int_equal(sr_target_capability("KILL"), -1);
    assert_string_equal(t.setup, "/tmp/x.sh");
    assert_string_equal(t.grammar, "/tmp/sub/g");
    assert_int_equal(t.n_binds, 2);
    assert_string_equal(t.binds[0].name, "passwd");
    assert_string_equal(t.binds[0].path, "/etc/passwd");
    assert_int_equal(t.n_roles, 2);
    assert_string_equal(t.roles[0].image, "sshd");
    assert_string_equal(t.roles[0].name, "listener");
    assert_int_equal(t.roles[0].conditions.n, 2);
    assert_string_equal(t.roles[0].conditions.v[1], "!execs");
    assert_int_equal(t.roles[1].line, 8);
    assert_int_equal(t.session.n, 2);
    assert_string_equal(t.session.v[1], "-i");
    assert_int_equal(t.budget[SR_DEPTH_ALONE], 50);
    assert_int_equal(t.budget[SR_DEPTH_SESSION], 30);
    assert_string_equal(t.quick, "q-* r*.scn");
    assert_string_equal(t.base, "before true\nclient x\nserve tcp:22 cat\n");

    assert_int_equal(t.sections.n, 3);
    assert_string_equal(t.sections.v[1], "Host");
    assert_int_equal(t.n_lines, 3);
    assert_string_equal(t.lines[0].glob, "*_config");
    assert_string_equal(t.lines[0].text.pieces[0].text, "Port ");
    assert_int_equal(t.lines[0].text.pieces[0].kind, sr_target_kind(&t, "num"));
    assert_string_equal(t.lines[1].text.pieces[0].text, "Match  user ");
    assert_string_equal(t.kinds[t.lines[1].text.pieces[0].kind].values.v[0], "a b");
    assert_string_equal(t.lines[1].text.pieces[1].text, "\t ");
    sr_target_free(&t);
}

static void test_defaults(void **state) {
    (void)state;
    struct sr_target t;

    assert_int_equal(read_text("program x", &t), 0);
    assert_string_equal(t.base, "");
    assert_null(t.seeds);
    assert_null(t.reference);
    assert_int_equal(t.grace_ms, SR_GRACE_DEFAULT_MS);
    assert_int_equal(t.n_options + t.n_envs, 0);
    assert_string_equal(t.name, strrchr(path, '/') + 1);
    assert_true(sr_target_kind(&t, "path") >= 0);
    assert_int_equal(sr_target_kind(&t, "nonsense"), -1);
    sr_target_free(&t);
    sr_target_free(&t); /* as it leaves it */
}

static void test_mistakes(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } mistakes[] = {
        {"", "no program"},
        {"program x\nnonsense y\n", "line 2: \"nonsense\" is no word"},
        {"program x\n program y\n", "line 2:"},
        {"program x\nprogram y\n", "line 2: a second line"},
        {"program\n", "line 1: nothing follows"},
        {"program x\ngrace 5s\n", "line 2: \"5s\" is no time"},
        {"program x\ngrace 60001\n", "line 2: \"60001\" is no time"},
        {"program x\ngrace -1\n", "line 2:"},
        {"program x\ngrace 1\ngrace 2\n", "line 3: a second line"},
        {"program x\noption\n", "line 2: no option"},
        {"program x\noption -a <num\n", "line 2: a place"},
        {"program x\noption -a <>\n", "line 2: a place"},
        {"program x\n\noption -a=<nosuch>\n", "line 3: no values of <nosuch>"},
        {"program x\nenv A\n", "line 2: no variable"},
        {"program x\nenv A=1 x\n", "line 2: no variable"},
        {"program x\nvalue\n", "line 2: no kind"},
        {"program x\nbase evn A=1\n", "line 2: \"evn A=1\" is no scenario line"},
        {"program x\nbase reset\n", "line 2: \"reset\" is no"},
        {"program x\nbase\n", "line 2: \"\" is no"},
        {"program x\nreference name\n", "line 2: no name and file"},
        {"program x\ncapability CAP_NOTHING\n", "line 2: \"CAP_NOTHING\" is no capability"},
        {"program x\ncapability KILL\n", "line 2: \"KILL\" is no"},
        {"program x\nsetup a\nsetup a\n", "line 3: a second line"},
        {"program x\nsetup\n", "line 2: nothing follows"},
        {"program x\nbind a\n", "line 2: not a name and a path"},
        {"program x\nbind a /b c\n", "line 2: not a name and a path"},
        {"program x\nbind a/b /b\n", "line 2: \"a/b\" is no name"},
        {"program x\nbind .. /b\n", "line 2: \"..\" is no name"},
        {"program x\nbind a b\n", "line 2: \"b\" is no absolute path"},
        {"program x\nrole x y\n", "line 2: no image, name and condition"},
        {"program x\nrole x y \n", "line 2: no"},
        {"program x\nrole /x y z\n", "line 2: \"/x y\""},
        {"program x\nrole x y a;b\n", "line 2: \"a;b\" is no condition"},
        {"program x\nbudget 50 50\n", "line 2: not three shares"},
        {"program x\nbudget 50 x 50\n", "line 2: not three shares"},
        {"program x\nbudget -50 100 50\n", "line 2: not three shares"},
        {"program x\nbudget 50 20 20\n", "line 2: the three shares"},
        {"program x\nbudget 50 20 30 0\n", "line 2: the three shares"},
        {"program x\nbudget 0 0 100\nbudget 0 0 100\n", "line 3: a second line"},
        {"program x\nquick\n", "line 2: nothing follows"},
        {"program x\nline a\n", "line 2: no name pattern"},
        {"program x\nline a b <\n", "line 2: a place"},
        {"program x\nline a b <nosuch>\n", "line 2: no values of <nosuch>"},
    };
    struct sr_target t;

    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        assert_int_equal(read_text(mistakes[i].text, &t), -1);
        if (!strstr(err, mistakes[i].message) || strncmp(err, path, strlen(path)) != 0)
            fail_msg("\"%s\" gives \"%s\"", mistakes[i].text, err);
        assert_null(t.program);
        assert_null(t.kinds);
    }
    assert_int_equal(read_bytes("program x\0y\n", 12, &t), -1);
    assert_non_null(strstr(err, "NUL"));
    assert_int_equal(sr_target_read("/nonexistent", &t, err, sizeof err), -1);
    assert_non_null(strstr(err, "/nonexistent: No such file"));
    assert_int_equal(sr_target_read("/", &t, err, sizeof err), -1);
    assert_non_null(strstr(err, "/: Is a directory"));

    size_t len = SR_TARGET_BYTES_MAX + 1;
    char *big = malloc(len);
    memset(big, '#', len);
    assert_int_equal(read_bytes(big, len, &t), -1);
    assert_non_null(strstr(err, "File too large"));
    free(big);
}

/* Run from the top of the tree, as the Makefile does. */
static void test_diff(void **state) {
    (void)state;
    struct sr_target t;
    FILE *reference;

    if (sr_target_read("harness/targets/diff", &t, err, sizeof err))
        fail_msg("%s", err);
    assert_string_equal(t.name, "diff");
    assert_string_equal(t.package, "diffutils");
    assert_string_equal(t.reference, "harness/targets/diff.reference.set");
    assert_true(t.n_options > 100);
    reference = fopen(t.reference, "r");
    assert_non_null(reference);
    fclose(reference);
    sr_target_free(&t);
}

static int clean_up(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_defaults),   cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_diff),
    };
    int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    close(fd);
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
