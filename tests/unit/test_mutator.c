/*
 * The mutator: the same seed gives the same outputs, outputs are canonical scenarios within the
 * size that AFL++ allows, and every kind of edit does come about.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "mutator/budget.h"
#include "mutator/mutator.h"
#include "sysreach/scenario.h"

#define ROUNDS 20000

static struct sr_scenario s;
static struct sr_arena arena;
static char text[SR_TEXT_MAX];

static const char rich[] =
    "arg -u\narg --width=3\narg a\narg d1/sub\nenv LC_ALL=C\nenv X=1\nstdin pipe\n|typed\n|more\n"
    "cwd d1\numask 77\nfile a mode=600 mtime=5 size=9\n|one\n|two\n*3|three\n+end\nfile d1/sub/f\n"
    "|one\n|2\nsymlink l a\nfifo p\n|x\nlimit core 0\nsignal HUP after 9\nsignal INT after 12\n"
    "time 900\n";
static const char second[] = "arg --other\narg b\nenv OTHER=1\nstdin file\n|spliced\nfile zz\n"
                             "|line of zz\nlimit fsize 12345\ntime 300\n";

static size_t mutate(void *m, const char *buf, size_t size, const char *add, size_t max,
                     uint8_t **out) {
    /* AFL++'s buffers are its own and may be written to; exact ones let a sanitizer see the end. */
    static uint8_t *copy, *copy_add;
    size_t add_size = add ? strlen(add) : 0;

    free(copy);
    free(copy_add);
    copy = malloc(size ? size : 1);
    copy_add = add ? malloc(add_size) : NULL;
    memcpy(copy, buf, size);
    if (add)
        memcpy(copy_add, add, add_size);
    return afl_custom_fuzz(m, copy, size, out, copy_add, add_size, max);
}

static void *start(const char *target, unsigned seed) {
    if (target)
        setenv("SYSREACH_TARGET", target, 1);
    else
        unsetenv("SYSREACH_TARGET");
    void *m = afl_custom_init(NULL, seed);
    assert_non_null(m);
    return m;
}

static const char *make_file(char *path, int *fd, const char *lines) {
    if (!*fd) {
        *fd = mkstemp(path);
        assert_true(*fd >= 0);
        assert_int_equal(write(*fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    }
    return path;
}

static const char *make_target(void) {
    static char path[] = "/tmp/sysreach-test-XXXXXX";
    static const char lines[] = "program /bin/true\noption --color=<red|green>\noption -U <num>\n"
                                "option --from <path> --word=<word>\nvalue word special word\n"
                                "env MYVAR <on|off>\n";
    static int fd;

    return make_file(path, &fd, lines);
}

/* One with a configuration language and with others beside the program. */
static const char *make_session_target(void) {
    static char path[] = "/tmp/sysreach-test-XXXXXX";
    static const char lines[] =
        "program /bin/true\nline @(*_config|x.conf) Port <1|22|333>\n"
        "line @(*_config|x.conf) Level <low|high>\nline @(*_config|x.conf) Match user <root>\n"
        "line new.conf Fresh <a|b>\nvalue root root\nsection Match\nsession server\n"
        "value before before-command\nvalue client client-command \\x41\n"
        "value serve tcp:25 serve-tcp x\nvalue serve unix:sock serve-unix\nvalue serve none\n"
        "value peer-option -oA=b\nbudget 20 30 50\n";
    static int fd;

    return make_file(path, &fd, lines);
}

static void read_scenario(const void *p, size_t len) {
    arena.used = 0;
    sr_scenario_init(&s);
    sr_scenario_parse(&s, &arena, p, len);
}

static void test_deterministic(void **state) {
    (void)state;
    void *a = start(make_target(), 7), *b = start(make_target(), 7), *c = start(make_target(), 8);
    unsigned other = 0;

    for (int i = 0; i < 3000; i++) {
        uint8_t *out;
        size_t n = mutate(a, rich, sizeof rich - 1, second, SR_TEXT_MAX, &out);
        memcpy(text, out, n);
        assert_int_equal(mutate(b, rich, sizeof rich - 1, second, SR_TEXT_MAX, &out), n);
        assert_memory_equal(text, out, n);
        size_t k = mutate(c, rich, sizeof rich - 1, second, SR_TEXT_MAX, &out);
        other += k != n || memcmp(text, out, n) != 0;
    }
    assert_true(other > 2900);
    afl_custom_deinit(a);
    afl_custom_deinit(b);
    afl_custom_deinit(c);
}

static void assert_canonical(const uint8_t *out, size_t n) {
    bool complete = n >= 6 && !memcmp(out, "reset\n", 6);

    read_scenario(out, n);
    assert_int_equal(sr_scenario_print(&s, complete, text, sizeof text), n);
    assert_memory_equal(text, out, n);
}

static void test_canonical(void **state) {
    (void)state;
    void *m = start(make_target(), 1);
    unsigned made = 0, same = 0;

    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *out;
        size_t n = mutate(m, rich, sizeof rich - 1, i % 2 ? second : NULL, SR_TEXT_MAX, &out);
        assert_canonical(out, n);
        made += n != 0;
        same += n == sizeof rich - 1 && !memcmp(out, rich, n);
    }
    assert_true(made > ROUNDS * 99 / 100);
    assert_true(same < ROUNDS / 20);
    afl_custom_deinit(m);
}

static void test_reset_stays(void **state) {
    (void)state;
    void *m = start(NULL, 1);
    uint8_t *out;

    for (int i = 0; i < 100; i++) {
        static const char in[] = "reset\narg a\nfile a\n|x\n";
        assert_true(mutate(m, in, sizeof in - 1, NULL, SR_TEXT_MAX, &out) >= 6);
        assert_memory_equal(out, "reset\n", 6);
    }
    for (int i = 0; i < 100; i++) {
        size_t n = mutate(m, rich, sizeof rich - 1, NULL, SR_TEXT_MAX, &out);
        assert_true(n < 6 || memcmp(out, "reset\n", 6) != 0);
    }
    afl_custom_deinit(m);
}

/* Each of these appears, and none of them does in the inputs. */
static void test_every_edit(void **state) {
    (void)state;
    static const char *const wanted[] = {"arg --color=red\n",
                                         "arg --color=green\n",
                                         "arg -U\narg 2\n",
                                         "arg --from\narg ",
                                         "arg --word=special word\n",
                                         "env MYVAR=on\n",
                                         "env TZ=",
                                         "arg --other\n",
                                         "line of zz\n",
                                         "|spliced\n",
                                         "limit fsize 12345\n",
                                         "env OTHER=1\n",
                                         "argv0 ",
                                         "stdin file\n",
                                         "stdin pty\n",
                                         "stdin closed\n",
                                         "stdin full\n",
                                         "stdout file\n",
                                         "stdout pty\n",
                                         "stdout full\n",
                                         "stdout closed\n",
                                         "stderr null\n",
                                         "umask 777\n",
                                         "limit nofile ",
                                         "limit as 33554432\n",
                                         "signal CHLD after ",
                                         "dir ",
                                         "fifo d1/",
                                         " mode=0 ",
                                         " mode=0\n",
                                         " size=4096",
                                         " mtime=-1",
                                         "symlink l l\n",
                                         "symlink l nowhere\n",
                                         "*1000|",
                                         "\\x00",
                                         "arg -u\narg -u\n",
                                         "arg a\narg -u\n",
                                         "arg --width=2147483647\n",
                                         "file a mode=600 mtime=5 size=9\nfile",
                                         "file a mode=600 mtime=5 size=9\n|one\n|2\n",
                                         "|one\n|one\n|two\n",
                                         "|two\n|one\n",
                                         "|three\n|two\n*2|three\n",
                                         "file n129\n",
                                         "file d1/n129\n"};
    enum { WANTED = sizeof wanted / sizeof *wanted };
    unsigned seen[WANTED] = {0};
    void *m = start(make_target(), 3);

    for (int i = 0; i < ROUNDS * 48; i++) {
        uint8_t *out;
        size_t n = mutate(m, rich, sizeof rich - 1, second, SR_TEXT_MAX, &out);
        for (size_t k = 0; k < WANTED; k++)
            seen[k] += memmem(out, n, wanted[k], strlen(wanted[k])) != NULL;
    }
    for (size_t k = 0; k < WANTED; k++)
        if (!seen[k])
            fail_msg("never made: %s", wanted[k]);
    afl_custom_deinit(m);
}

/* From nothing, fed with its own outputs: it must grow something. */
static void test_from_nothing(void **state) {
    (void)state;
    void *m = start(make_target(), 5);
    static char current[SR_TEXT_MAX];
    size_t len = 0;
    bool args = false, nodes = false, content = false;

    for (int i = 0; i < ROUNDS; i++) {
        uint8_t *out;
        size_t n = mutate(m, current, len, NULL, 4000, &out);
        assert_true(n <= 4000);
        assert_canonical(out, n);
        if (!n)
            continue;
        memcpy(current, out, n);
        len = i % 200 ? n : 0;
        args |= s.n_args > 3;
        nodes |= s.n_nodes > 3;
        content |= s.n_nodes && sr_content_size(&s, s.nodes[0].content) > 10;
    }
    assert_true(args && nodes && content);
    afl_custom_deinit(m);
}

static void test_any_bytes(void **state) {
    (void)state;
    void *m = start(NULL, 11);
    uint32_t r = 1;

    for (int i = 0; i < ROUNDS; i++) {
        char in[sizeof rich + 64];
        size_t n = sizeof rich - 1;
        uint8_t *out;
        memcpy(in, rich, n);
        for (int k = 0; k < 10; k++) {
            r = r * 1103515245 + 12345;
            in[(r >> 8) % n] = (char)(r >> 24);
        }
        n = (r >> 4) % (n + 1);
        assert_canonical(out, mutate(m, in, n, i % 3 ? second : NULL, SR_TEXT_MAX, &out));
    }
    afl_custom_deinit(m);
}

static void test_max_size(void **state) {
    (void)state;
    void *m = start(NULL, 2);
    unsigned made = 0;

    for (size_t max = 0; max < 500; max++)
        for (int i = 0; i < 20; i++) {
            uint8_t *out = NULL;
            size_t n = mutate(m, rich, sizeof rich - 1, second, max, &out);
            assert_true(n <= max);
            assert_non_null(out);
            made += n != 0;
        }
    assert_true(made > 1000);
    afl_custom_deinit(m);
}

static void test_bad_target(void **state) {
    (void)state;
    uint8_t *out;
    int err = dup(2);

    assert_non_null(
        freopen("/dev/null", "w", stderr)); /* the message is meant for afl-fuzz's log */
    void *m = start("/nonexistent/target", 1);
    fflush(stderr);
    dup2(err, 2);
    close(err);
    assert_true(mutate(m, rich, sizeof rich - 1, NULL, SR_TEXT_MAX, &out) > 0);
    afl_custom_deinit(m);
}

static const char with_config[] =
    "file d/my_config\n|Port 5\n|Level low\n|# text\n|Match user root\n"
    "|Port 6\nfile other\n|line\n";

/* Lines of a known file stay such lines, those that begin a section stay or come behind others. */
static void test_lines(void **state) {
    (void)state;
    static const char *const wanted[] = {
        "|Port 333\n",
        "|Port 22\n",
        "|Level high\n",
        "|Port 5,1\n",
        "|Port 5 22\n",
        "|Match user root\n|Port 6\n|Match user root\n",
        "|Port 5\n|Port 5\n",
        "|Level low\n|Port 5\n",
        "file new.conf\n|Fresh ",
        "file d/my_config\n|Level low\n|# text\n",
        "|Level low\n|Match user root\n",
    };
    enum { WANTED = sizeof wanted / sizeof *wanted };
    unsigned seen[WANTED] = {0}, files = 0, sound = 0;
    void *m = start(make_session_target(), 9);

    for (int i = 0; i < ROUNDS * 4; i++) {
        uint8_t *out;
        size_t n = mutate(m, with_config, sizeof with_config - 1, NULL, SR_TEXT_MAX, &out);
        assert_canonical(out, n);
        for (size_t k = 0; k < WANTED; k++)
            seen[k] += memmem(out, n, wanted[k], strlen(wanted[k])) != NULL;
        for (uint32_t k = 0; k < s.n_nodes; k++) {
            if (strcmp(s.nodes[k].name.p, "d/my_config") != 0 || s.nodes[k].content.n != 1)
                continue;
            char copy[4096], *rest = copy;
            bool right = true;
            struct sr_str whole = s.segments[s.nodes[k].content.first].text;
            snprintf(copy, sizeof copy, "%.*s", (int)whole.len, whole.p);
            for (char *line; (line = strsep(&rest, "\n"));) {
                unsigned port;
                int end = 0;
                right &= !*line || *line == '#' || !strcmp(line, "Match user root") ||
                         (!strncmp(line, "Level ", 6) && strspn(line + 6, "lowhig, ") > 2) ||
                         (sscanf(line, "Port %u%n", &port, &end) == 1 && strlen(line) < 12);
            }
            files++;
            sound += right;
        }
    }
    for (size_t k = 0; k < WANTED; k++)
        if (!seen[k])
            fail_msg("never made: %s", wanted[k]);
    assert_true(files > ROUNDS);
    if (sound < files / 10 * 9)
        fail_msg("%u of %u files have only right lines", sound, files);
    afl_custom_deinit(m);
}

static void test_peers(void **state) {
    (void)state;
    static const char in[] = "arg x\nstdin inet\nbefore old 1 2\nclient /usr/sbin/server -i 7 end\n"
                             "serve tcp:22 server cat\n";
    static const char typed[] = "stdin pty pace=40\n|x\n";
    static const char *const wanted[] = {"before before-command\n",
                                         "client client-command A\n",
                                         "serve tcp:25 serve-tcp x\n",
                                         "serve tcp:22 serve-tcp x\n",
                                         "serve unix:sock serve-unix\n",
                                         "/usr/sbin/server -oA=b -i 7 end\n",
                                         "serve tcp:22 server -oA=b cat\n",
                                         "before old  2\n",
                                         "before old 1 1 2\n",
                                         "before old 2 2\n",
                                         "before old 65536 2\n",
                                         "stdin inet\nserve tcp:22"};
    enum { WANTED = sizeof wanted / sizeof *wanted };
    unsigned seen[WANTED] = {0}, inet = 0, paces = 0;
    void *m = start(make_session_target(), 2);

    for (int i = 0; i < ROUNDS * 8; i++) {
        uint8_t *out;
        size_t n = mutate(m, in, sizeof in - 1, NULL, SR_TEXT_MAX, &out);
        assert_canonical(out, n);
        assert_null(memmem(out, n, "serve none", 10));
        for (size_t k = 0; k < WANTED; k++)
            seen[k] += memmem(out, n, wanted[k], strlen(wanted[k])) != NULL;
        inet += memmem(out, n, "stdin inet\n", 11) != NULL;
        n = mutate(m, typed, sizeof typed - 1, NULL, SR_TEXT_MAX, &out);
        assert_canonical(out, n);
        assert_null(memmem(out, n, "inet", 4));
        paces += memmem(out, n, "pace=10\n", 8) != NULL;
    }
    for (size_t k = 0; k < WANTED; k++)
        if (!seen[k])
            fail_msg("never made: %s", wanted[k]);
    assert_true(inet > ROUNDS * 7);
    assert_true(paces);
    afl_custom_deinit(m);
}

/* A queue of entries that take different times: shares come out as asked. */
static void test_budget(void **state) {
    (void)state;
    static const uint64_t cost[SR_DEPTHS] = {3, 20, 170};
    struct sr_budget b = {.share = {20, 30, 50}};
    uint64_t spent[SR_DEPTHS] = {0}, now = 1000, total = 0;

    for (unsigned i = 0; i < 30000; i++) {
        enum sr_depth d = (enum sr_depth)(i % 7 < 5 ? 0 : i % 7 - 4); /* most are short */
        if (!sr_budget_take(&b, d, now))
            continue;
        now += cost[d];
        spent[d] += cost[d];
        total += cost[d];
    }
    for (int d = 0; d < SR_DEPTHS; d++)
        if (spent[d] * 100 < (b.share[d] - 3) * total || spent[d] * 100 > (b.share[d] + 3) * total)
            fail_msg("depth %d: %llu of %llu", d, (unsigned long long)spent[d],
                     (unsigned long long)total);

    /* A depth without entries gives its share away; the time before the first entry is nobody's. */
    struct sr_budget two = {.share = {20, 30, 50}};
    memset(spent, 0, sizeof spent);
    for (unsigned i = 0; i < 30000; i++) {
        enum sr_depth d = (enum sr_depth)(i % 2);
        if (sr_budget_take(&two, d, now)) {
            now += cost[d];
            spent[d] += cost[d];
        }
    }
    assert_true(spent[0] * 100 > 37 * (spent[0] + spent[1]));
    assert_true(spent[0] * 100 < 43 * (spent[0] + spent[1]));

    /* One depth alone is never kept waiting, without shares nobody is. */
    struct sr_budget one = {.share = {100, 0, 0}}, none = {.share = {0}};
    for (unsigned i = 0; i < 100; i++) {
        assert_true(sr_budget_take(&one, SR_DEPTH_SESSION, UINT64_C(10) * i));
        assert_true(sr_budget_take(&none, (enum sr_depth)(i % 3), i));
    }
    /* Somebody who is due but never comes does not stop the others for ever. */
    struct sr_budget odd = {.share = {50, 0, 50}};
    unsigned taken = 0;
    assert_true(sr_budget_take(&odd, SR_DEPTH_SESSION, 0));
    assert_true(sr_budget_take(&odd, SR_DEPTH_ALONE, 0));
    for (unsigned i = 1; i < 100000; i++)
        taken += sr_budget_take(&odd, SR_DEPTH_ALONE, i);
    assert_true(taken > 2 && taken < 100);
}

/* What AFL++ calls: depths come from the entries' files, read once. */
static void test_queue(void **state) {
    (void)state;
    char dir[] = "/tmp/sysreach-test-XXXXXX", path[64];
    void *m = start(make_session_target(), 1);
    FILE *f;

    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/id:000003,orig:x", dir);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("client server -i\n", f);
    fclose(f);
    for (int i = 0; i < 10; i++)
        assert_int_equal(afl_custom_queue_get(m, (const uint8_t *)path), 1);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(afl_custom_queue_get(m, (const uint8_t *)path), 1);
    assert_int_equal(afl_custom_queue_get(m, (const uint8_t *)"/nowhere/x"), 1);
    assert_int_equal(rmdir(dir), 0);
    afl_custom_deinit(m);
}

static int clean_up(void **state) {
    (void)state;
    free(arena.base);
    return unlink(make_target()) | unlink(make_session_target());
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deterministic), cmocka_unit_test(test_canonical),
        cmocka_unit_test(test_reset_stays),   cmocka_unit_test(test_every_edit),
        cmocka_unit_test(test_from_nothing),  cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_lines),         cmocka_unit_test(test_peers),
        cmocka_unit_test(test_budget),        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_max_size),      cmocka_unit_test(test_bad_target),
    };

    arena = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    return cmocka_run_group_tests(tests, NULL, clean_up);
}
