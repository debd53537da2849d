/*
 * The scenario format: what each directive means, that bounds hold, and that canonical text reads
 * back to the same scenario for every input (random and mutated texts; tests/fuzz goes further).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sysreach/scenario.h"

/* A scenario with memory of its own. */
struct held {
    struct sr_scenario s;
    struct sr_arena arena;
};

static struct held held[3];
static char text_a[SR_TEXT_MAX + 4096], text_b[SR_TEXT_MAX + 4096], big[SR_TEXT_MAX + 4096];

static void begin(struct held *h) {
    h->arena.used = 0;
    sr_scenario_init(&h->s);
}

static struct sr_scenario *read_bytes(struct held *h, const char *text, size_t len) {
    begin(h);
    sr_scenario_parse(&h->s, &h->arena, text, len);
    return &h->s;
}

static struct sr_scenario *read_text(const char *text) {
    return read_bytes(&held[0], text, strlen(text));
}

static void assert_prints(const char *text, const char *canonical) {
    size_t n = sr_scenario_print(read_text(text), false, text_a, sizeof text_a - 1);

    text_a[n] = 0;
    assert_string_equal(text_a, canonical);
}

/* parse(print(x)) == x, print(parse(print(x))) == print(x) */
static void assert_stable(const char *bytes, size_t len) {
    struct sr_scenario *a = read_bytes(&held[0], bytes, len);
    size_t n = sr_scenario_print(a, true, text_a, sizeof text_a);

    assert_true(n <= SR_TEXT_MAX);
    struct sr_scenario *b = read_bytes(&held[1], text_a, n);
    size_t m = sr_scenario_print(b, true, text_b, sizeof text_b);
    assert_true(sr_scenario_equal(a, b));
    assert_int_equal(n, m);
    assert_memory_equal(text_a, text_b, n);
}

static void assert_str(struct sr_str s, const char *want) {
    assert_non_null(s.p);
    assert_string_equal(s.p, want);
    assert_int_equal(s.len, strlen(want));
}

static void test_empty(void **state) {
    (void)state;
    struct sr_scenario *s = read_text("");

    assert_int_equal(s->n_args + s->n_envs + s->n_nodes + s->n_segments + s->n_signals, 0);
    assert_int_equal(s->stdio[0], SR_STDIO_NULL);
    assert_int_equal(s->stdio[1], SR_STDIO_PIPE);
    assert_int_equal(s->stdio[2], SR_STDIO_PIPE);
    assert_null(s->argv0.p);
    assert_null(s->cwd.p);
    assert_int_equal(s->umask, 022);
    assert_int_equal(s->time_ms, SR_TIME_DEFAULT_MS);
    assert_prints("", "");
    assert_int_equal(sr_scenario_print(s, true, text_a, sizeof text_a), strlen("reset\n"));
}

static void test_arguments(void **state) {
    (void)state;
    struct sr_scenario *s = read_text("argv0 -x y\narg \narg\narg  two words \narg a\\x00b\narg "
                                      "\\n\\t\\r\\e\\\\\\x4g\\q\\\n argx\narge x");

    assert_int_equal(s->n_args, 5);
    assert_str(s->argv0, "-x y");
    assert_str(s->args[0], "");
    assert_str(s->args[1], "");
    assert_str(s->args[2], " two words ");
    assert_str(s->args[3], "a");
    assert_str(s->args[4], "\n\t\r\033\\\\x4g\\q\\");
    assert_prints("arg \xc3\xa4\\x7f\n", "arg \\xc3\\xa4\\x7f\n");
}

static void test_environment(void **state) {
    (void)state;
    struct sr_scenario *s =
        read_text("env A=1\nenv B=\nenv A=2=3\nenv noequals\nenv =x\nenv LD_PRELOAD=x\nenv LD=1\n"
                  "env MALLOC_ARENA_MAX=1\nenv GLIBC_TUNABLES=x\nenv GLIBC_TUNABLES2=x\n");

    assert_int_equal(s->n_envs, 4);
    assert_str(s->envs[0], "A=2=3");
    assert_str(s->envs[1], "B=");
    assert_str(s->envs[2], "LD=1");
    assert_str(s->envs[3], "GLIBC_TUNABLES2=x");
}

static void test_content(void **state) {
    (void)state;
    assert_prints("|nowhere\nstdin pipe\n|a\n+b\n+c\n|\n|d\\ne\n", "stdin pipe\n|a\n|bc\n|d\n|e\n");
    assert_prints("file f\n*3|x\n*2+y\\nz\n*0|no\n*|no\n*2no\n*1|one\n+\n",
                  "file f\n*3|x\n*2+y\\nz\n|one\n");
    /* another stdin line begins anew; kinds without content drop it */
    assert_prints("stdin pty\n|a\nstdin file\n|b\n", "stdin file\n|b\n");
    assert_prints("stdin closed\n|a\n", "stdin closed\n");
    assert_prints("stdin pipe\n|a\nstdin nonsense\n|b\n", "stdin pipe\n|a\n");
    /* a file line without effect takes its content with it, a directory's does not */
    assert_prints("file a\n|1\nfile a\n|2\nfile ..\n|3\n", "file a\n|1\n");
    assert_prints("file a\n|1\ndir d\n|2\n", "file a\n|1\n|2\ndir d\n");
    /* pieces that something was stored between are one text all the same */
    assert_prints("file a\n+1\narg x\n+2\narg y\n|3\n", "arg x\narg y\nfile a\n|123\n");
    assert_int_equal(held[0].s.n_segments, 3);
    assert_int_equal(sr_content_size(&held[0].s, held[0].s.nodes[0].content), 4);
    assert_int_equal(read_text("file a\n|1\n|2\n*1|3\n")->n_segments, 1);
}

static void test_nodes(void **state) {
    (void)state;
    assert_prints("file /a/../b/./c//d mode=100640 mtime=-1 size=2k junk mode=9 size=\n",
                  "file a/b/c/d mode=640 mtime=-1 size=2048\n");
    assert_prints("dir d mode=700 size=4\nfifo p mode=7777\n|x\n",
                  "dir d mode=700\nfifo p mode=7777\n|x\n");
    assert_prints("symlink l ../../etc mtime=5 mode=1\nsymlink l2\nsymlink l3 \\x00\n",
                  "symlink l ../../etc mtime=5\n");
    assert_prints("file a\\x20b\\tc\nfile a\\x20b\\tc\nfile \\x00\nfile . \nfile\n",
                  "file a\\x20b\\tc\n");
    assert_prints("file 1/2/3/4/5/6/7/8\nfile 1/2/3/4/5/6/7/8/9\n", "file 1/2/3/4/5/6/7/8\n");
    assert_prints("file a size=99999999999999999999999\n", "file a size=16777216\n");
    assert_prints("cwd /a/./b\n", "cwd a/b\n");
    assert_prints("cwd a\ncwd /\n", "");

    char name[600] = "file ";
    memset(name + 5, 'n', SR_NAME_MAX);
    assert_int_equal(read_text(name)->n_nodes, 1);
    name[5 + SR_NAME_MAX] = 'n';
    assert_int_equal(read_text(name)->n_nodes, 0);
}

static void test_scalars(void **state) {
    (void)state;
    assert_prints("stdin full\nstdout pty\nstderr closed\n",
                  "stdin full\nstdout pty\nstderr closed\n");
    assert_prints("umask 1077\n", "umask 77\n");
    assert_prints("umask 22\ntime 500\nstdin null\nstdout pipe\n", "");
    assert_prints("umask 8\ntime x\nstdout tty\nlimit as\nlimit x 1\n", "");
    assert_prints("time 0\n", "time 1\n");
    assert_prints("time 99999999999999999999\n", "time 10000\n");
    assert_prints("idle 250\ntime 900\n", "time 900\nidle 250\n");
    assert_prints("idle 99999999999\nidle x\n", "idle 10000\n");
    assert_prints("idle 250\nidle 0\n", "");
    assert_prints("limit as 1\nlimit data 1k\nlimit stack 0\nlimit nofile 1\nlimit cpu 0\n"
                  "limit nproc 0\nlimit fsize 0\nlimit core 1G\nlimit memlock unlimited\n",
                  "limit as 33554432\nlimit core 1073741824\nlimit cpu 1\nlimit data 4194304\n"
                  "limit fsize 0\nlimit memlock unlimited\nlimit nofile 8\nlimit nproc 1\n"
                  "limit stack 262144\n");
    assert_prints("limit core 17179869184G\nlimit fsize 17179869183G\n",
                  "limit core unlimited\nlimit fsize 18446744072635809792\n");
    assert_prints("signal TERM after 7\nsignal SIGINT after 3\nsignal 10 after 3\n"
                  "signal RTMAX-1 after 0\nsignal X after 1\nsignal INT 3\nsignal 65 after 1\n",
                  "signal RTMIN+29 after 1\nsignal INT after 3\nsignal USR1 after 3\n"
                  "signal TERM after 7\n");
    assert_prints("arg x\nenv A=1\nfile f\n|x\nreset\n|y\narg z\n", "arg z\n");
}

static void test_peers(void **state) {
    (void)state;
    struct sr_scenario *s = read_text("before one two\nserve tcp:22 printf 'x\\r\\n'; cat\n"
                                      "serve udp:053 dns\nclient c\nserve unix:./a//b.sock  x\n");
    assert_int_equal(s->n_peers, 5);
    assert_int_equal(s->peers[0].kind, SR_PEER_BEFORE);
    assert_str(s->peers[0].command, "one two");
    assert_int_equal(s->peers[1].kind, SR_PEER_SERVE);
    assert_int_equal(s->peers[1].net, SR_NET_TCP);
    assert_int_equal(s->peers[1].port, 22);
    assert_str(s->peers[1].command, "printf 'x\r\n'; cat");
    assert_int_equal(s->peers[2].net, SR_NET_UDP);
    assert_int_equal(s->peers[2].port, 53);
    assert_int_equal(s->peers[3].kind, SR_PEER_CLIENT);
    assert_str(s->peers[4].name, "a/b.sock");
    assert_str(s->peers[4].command, " x");
    /* content still belongs to the file before, and a NUL ends a command */
    assert_prints("file a\nclient x\\x00y\n|in a\n", "file a\n|in a\nclient x\n");
    assert_prints("serve unix:a\\x20b y\n", "serve unix:a\\x20b y\n");
    /* what is none has no effect */
    assert_prints("client\nclient \nbefore \nserve\nserve tcp:22\nserve tcp:22 \nserve tcp:0 x\n"
                  "serve tcp:65536 x\nserve tcp: x\nserve sctp:1 x\nserve unix: x\nserve 22 x\n"
                  "serve unix:.. x\n",
                  "");
    size_t n = 0;
    for (size_t i = 0; i < 40; i++)
        n += (size_t)sprintf(big + n, "client x\n");
    assert_int_equal(read_bytes(&held[0], big, n)->n_peers, SR_PEERS_MAX);
    assert_stable(big, n);
}

static void test_pace(void **state) {
    (void)state;
    assert_prints("stdin pty pace=30\n|a\n", "stdin pty pace=30\n|a\n");
    assert_prints("stdin pty pace=99999\n", "stdin pty pace=1000\n");
    assert_prints("stdin pty pace=0\n", "stdin pty\n");
    assert_prints("stdin pty pace=x\n", "stdin pty\n");
    assert_prints("stdin pipe pace=3\n|a\n", "stdin pipe\n|a\n");
    assert_prints("stdin pty pace=3\nstdin file\n", "stdin file\n");
    assert_prints("stdin inet\n|no content\nstdout inet\n", "stdin inet\nstdout inet\n");
}

static void test_depth(void **state) {
    static const char *const words[] = {"sshd", "other"};
    (void)state;
    assert_int_equal(sr_scenario_depth(read_text("arg x\n"), words, 2), SR_DEPTH_ALONE);
    assert_int_equal(sr_scenario_depth(read_text("arg -oProxyCommand=sshd -i\n"), words, 2),
                     SR_DEPTH_SESSION);
    assert_int_equal(sr_scenario_depth(read_text("serve tcp:1 cat\n"), words, 2), SR_DEPTH_LINK);
    assert_int_equal(sr_scenario_depth(read_text("stdin inet\n"), words, 2), SR_DEPTH_LINK);
    assert_int_equal(sr_scenario_depth(read_text("client /bin/other\n"), words, 2),
                     SR_DEPTH_SESSION);
    assert_int_equal(sr_scenario_depth(read_text("client /bin/other\n"), NULL, 0), SR_DEPTH_LINK);
    assert_string_equal(sr_depth_name(SR_DEPTH_LINK), "link");
}

static void test_names(void **state) {
    (void)state;
    for (int i = 1; i <= 64; i++) {
        const char *name = sr_signal_name(i);
        char sig[32];
        assert_non_null(name);
        assert_int_equal(sr_signal_number(name, strlen(name)), i);
        snprintf(sig, sizeof sig, "%d", i);
        assert_int_equal(sr_signal_number(sig, strlen(sig)), i);
    }
    assert_null(sr_signal_name(0));
    assert_null(sr_signal_name(65));
    assert_int_equal(sr_signal_number("SIGCLD", 6), 17);
    assert_int_equal(sr_signal_number("RTMAX", 5), 64);
    assert_int_equal(sr_signal_number("RTMAX-99", 8), 0);
    assert_int_equal(sr_signal_number("", 0), 0);
    assert_int_equal(sr_signal_number("0", 1), 0);
    assert_null(sr_stdio_name(SR_STDIOS));
    assert_null(sr_node_kind_name(SR_NODE_KINDS));
    assert_null(sr_limit_name(SR_LIMITS));
    assert_string_equal(sr_limit_name(SR_LIMIT_STACK), "stack");
    assert_string_equal(sr_limit_name(SR_LIMIT_AS), "as");
}

static void test_on_top(void **state) {
    (void)state;
    static const char base[] = "arg -u\nenv PATH=/bin\nenv A=1\nstdout pty\nstdin pipe\n|base\n";
    static const char input[] = "|nowhere\narg b\nenv A=2\nstdin file\n|mine\n";
    begin(&held[0]);
    sr_scenario_parse(&held[0].s, &held[0].arena, base, sizeof base - 1);
    sr_scenario_parse(&held[0].s, &held[0].arena, input, sizeof input - 1);
    size_t n = sr_scenario_print(&held[0].s, true, text_a, sizeof text_a - 1);

    text_a[n] = 0;
    assert_string_equal(text_a, "reset\narg -u\narg b\nenv PATH=/bin\nenv A=2\nstdin file\n|mine\n"
                                "stdout pty\n");
    /* complete text stands for the whole: no base applies to it */
    begin(&held[1]);
    sr_scenario_parse(&held[1].s, &held[1].arena, base, sizeof base - 1);
    sr_scenario_parse(&held[1].s, &held[1].arena, text_a, n);
    assert_true(sr_scenario_equal(&held[0].s, &held[1].s));
}

static void test_equal(void **state) {
    (void)state;
    static const char *const different[] = {
        "",
        "arg x",
        "arg y",
        "arg x\narg",
        "argv0 x",
        "argv0 ",
        "env A=1",
        "env A=2",
        "stdin pipe",
        "stdin pty",
        "stdin pipe\n|a",
        "stdin pipe\n+a",
        "stdin pipe\n|b",
        "stdout pty",
        "stderr pty",
        "umask 0",
        "time 1",
        "idle 1",
        "cwd x",
        "limit core 0",
        "limit core 1",
        "limit cpu 1",
        "signal INT after 1",
        "signal INT after 2",
        "signal HUP after 1",
        "file x",
        "dir x",
        "fifo x",
        "symlink x y",
        "symlink x z",
        "file x mode=644",
        "file x mode=0",
        "file x mtime=0",
        "file x size=0",
        "file x size=1",
        "file x\n|a",
        "file x\n|a\n|b",
        "file x\n*2|a",
        "file y",
        "before a",
        "client a",
        "client b",
        "before a\nclient a",
        "client a\nbefore a",
        "serve tcp:1 a",
        "serve tcp:2 a",
        "serve udp:1 a",
        "serve unix:x a",
        "serve unix:y a",
        "stdin inet",
        "stdin pty pace=1",
        "stdin pty pace=2",
    };
    size_t n = sizeof different / sizeof *different;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            struct sr_scenario *a = read_bytes(&held[0], different[i], strlen(different[i]));
            struct sr_scenario *b = read_bytes(&held[1], different[j], strlen(different[j]));
            assert_int_equal(sr_scenario_equal(a, b), i == j);
        }
    /* the same bytes in other pieces */
    struct sr_scenario *a = read_bytes(&held[0], "file x\n*2+ab\n*2|c\n", 18);
    struct sr_scenario *b = read_bytes(&held[1], "file x\n+a\narg\n+babc\n|\n|c\n", 26);
    b->n_args = 0;
    assert_true(sr_scenario_equal(a, b));
}

static void test_bounds(void **state) {
    (void)state;
    size_t n = 0;

    for (int i = 0; i < 400; i++)
        n += (size_t)sprintf(big + n,
                             "arg %d\nenv V%d=x\nsignal INT after %d\nfile f%d\n*2|a\n*3|b\n*4|c\n"
                             "*5|d\n*6|e\n",
                             i, i, i, i);
    struct sr_scenario *s = read_bytes(&held[0], big, n);
    assert_int_equal(s->n_args, SR_ARGS_MAX);
    assert_int_equal(s->n_envs, SR_ENVS_MAX);
    assert_int_equal(s->n_nodes, SR_NODES_MAX);
    assert_int_equal(s->n_segments, SR_SEGMENTS_MAX);
    assert_int_equal(s->n_signals, SR_SIGNALS_MAX);
    assert_stable(big, n);

    s = read_text(
        "stdin file\n*9999999999999|12345678901234\nfile a\n*9|12345678901234567890\n|x\n");
    assert_true(sr_content_size(s, s->input) <= SR_CONTENT_MAX);
    assert_int_equal(s->segments[0].repeat, SR_CONTENT_MAX / 15);

    /* strings: 96 KiB in all, of which an overridden variable gives its part back */
    n = 0;
    for (int i = 0; i < 5; i++) {
        n += (size_t)sprintf(big + n, "env A=");
        memset(big + n, 'x', 60000);
        n += 60000;
        big[n++] = '\n';
    }
    n += (size_t)sprintf(big + n, "arg ");
    memset(big + n, 'y', 60000);
    n += 60000;
    s = read_bytes(&held[0], big, n);
    assert_int_equal(s->n_envs, 1);
    assert_int_equal(s->n_args, 0);
    assert_stable(big, n);
}

static void test_small_arena(void **state) {
    (void)state;
    static const char text[] =
        "arg one\nfile name\n|12345\n|6\\x378\n*2|x\nsymlink a bcd\nenv A=1\ncwd x\n";

    for (size_t size = 0; size < 80; size++) {
        struct held *h = &held[2];
        char *exact = malloc(size ? size : 1); /* so that a sanitizer sees a byte too many */
        sr_scenario_init(&h->s);
        struct sr_arena arena = {.base = exact, .size = size};
        sr_scenario_parse(&h->s, &arena, text, sizeof text - 1);
        assert_true(arena.used <= size);
        if (h->s.n_nodes && h->s.nodes[0].content.n)
            assert_int_equal(strlen(h->s.segments[0].text.p), h->s.segments[0].text.len);
        free(exact);
    }
    read_text(text);
    assert_true(held[0].arena.used < 80); /* the largest size above was enough */
}

static void test_print_is_cut(void **state) {
    (void)state;
    struct sr_scenario *s = read_text("arg hello\nfile f\n|world\n");
    size_t n = sr_scenario_print(s, false, text_a, sizeof text_a);

    for (size_t cap = 0; cap <= n; cap++) {
        memset(text_b, '#', n + 1);
        assert_int_equal(sr_scenario_print(s, false, text_b, cap), n);
        assert_memory_equal(text_a, text_b, cap);
        assert_int_equal(text_b[cap], '#');
    }
}

static uint32_t rng = 1;

static uint32_t below(uint32_t n) {
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;
    return rng % n;
}

static size_t random_text(char *out, size_t cap) {
    static const char *const pieces[] = {
        "arg ",    "argv0 ",  "env ",      "env A=",   "env LD_",     "stdin ",     "stdout ",
        "stderr ", "file ",   "dir ",      "symlink ", "fifo ",       "|",          "+",
        "*3|",     "*2+",     "*9999999|", "cwd ",     "umask ",      "limit ",     "signal ",
        "time ",   "idle ",   "reset\n",   "#",        "pty",         "pipe",       "file",
        "null",    " mode=",  " mtime=-",  " size=",   "as ",         "core ",      "unlimited",
        "INT",     " after ", "7",         "0",        "99999999999", "\\n",        "\\x00",
        "\\x20",   "\\xff",   "\\",        "\\\\",     "/",           "..",         ".",
        "a",       "b/c",     " ",         "\t",       "\r",          "\n",         "\n",
        "\n",      "\n",      "\n|",       "\n+",      "\nfile a\n",  "\nfile b\n", "\narg ",
        "k",       "M"};
    size_t n = 0, want = 1 + below(60);

    while (want-- && n + 32 < cap) {
        if (below(12) == 0) {
            out[n++] = (char)below(256);
            continue;
        }
        n += (size_t)sprintf(out + n, "%s", pieces[below(sizeof pieces / sizeof *pieces)]);
    }
    return n;
}

static void test_random_is_stable(void **state) {
    (void)state;
    for (int i = 0; i < 60000; i++)
        assert_stable(big, random_text(big, 4096));
}

static void test_mutated_is_stable(void **state) {
    (void)state;
    static const char good[] =
        "arg -u\narg a b\nenv LC_ALL=C.UTF-8\nstdin pipe\n|typed\n+x\\x00y\nstdout pty\ncwd d/e\n"
        "umask 77\nfile a mode=600 mtime=-7 size=12\n|one\n*3|two\n+end\nsymlink l a/b\nfifo "
        "p\n|q\n"
        "limit as 64M\nsignal INT after 3\nbefore a b\nserve tcp:22 c\\n d\nserve unix:e/f g\n"
        "client h\nstdin pty pace=20\n|typed\ntime 900\n";
    for (int i = 0; i < 60000; i++) {
        size_t n = sizeof good - 1;
        memcpy(big, good, n);
        for (uint32_t k = 1 + below(8); k; k--) {
            size_t at = below((uint32_t)n), len = below(20);
            len = len < n - at ? len : n - at;
            switch (below(3)) {
            case 0:
                big[at] = (char)below(256);
                break;
            case 1:
                memmove(big + at, big + at + len, n - at - len);
                n -= len;
                break;
            default:
                memmove(big + at + len, big + at, n - at);
                n += len;
            }
            n += n == 0;
        }
        assert_stable(big, n);
    }
}

/* The whole text filled with one line again and again; reading it must stay linear. */
static void assert_quick(const char *line, size_t len) {
    struct timespec t0, t1;
    size_t n = 0;

    while (n + len <= sizeof big) {
        memcpy(big + n, line, len);
        n += len;
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t0);
    assert_stable(big, n);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t1);
    double s = (double)(t1.tv_sec - t0.tv_sec) + (double)(t1.tv_nsec - t0.tv_nsec) / 1e9;
    if (s > 2)
        fail_msg("%.1f s for \"%.*s\"", s, (int)len, line);
}

static void test_large_is_quick(void **state) {
    (void)state;
    static const char *const lines[] = {"\n",
                                        "reset\n",
                                        "arg\n",
                                        "env A=1\n",
                                        "file a/b/c\n|x\n",
                                        "file\n",
                                        "|x\n",
                                        "\\",
                                        "#",
                                        "stdin pipe\n|x\n",
                                        "/",
                                        "\xff",
                                        "env A=1\nstdin pty\n|\n|",
                                        "limit as 1\n",
                                        "signal 1 after 9\n",
                                        "before a\n",
                                        "serve unix:a/b c\n",
                                        "serve udp:1 ",
                                        "*9+x\n",
                                        "*",
                                        "\\x00"};
    static const char *const starts[] = {"",     "stdin pipe\n", "stdin pipe\n|",
                                         "arg ", "file ",        "cwd "};

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char line[64];
        assert_quick(lines[i], strlen(lines[i]));
        for (size_t k = 1; k < sizeof starts / sizeof *starts; k++) {
            int n = snprintf(line, sizeof line, "%s%s", starts[k], lines[i]);
            assert_quick(line, (size_t)n);
        }
    }
    static const char start[] = "stdin pipe\n|", next[] = "\n|";
    /* one content of a mebibyte: of text, and of bytes whose canonical text would be too long */
    for (int byte = 'a'; byte >= 0; byte -= 'a') {
        memset(big, byte, sizeof big);
        memcpy(big, start, sizeof start - 1);
        assert_stable(big, SR_TEXT_MAX);
    }
    for (size_t i = 1000; i < sizeof big; i += 1000)
        memcpy(big + i, next, sizeof next - 1);
    assert_stable(big, sizeof big);
    assert_true(sr_content_size(&held[0].s, held[0].s.input) > SR_TEXT_MAX / 5);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_content),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_peers),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_on_top),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_small_arena),
        cmocka_unit_test(test_print_is_cut),
        cmocka_unit_test(test_random_is_stable),
        cmocka_unit_test(test_mutated_is_stable),
        cmocka_unit_test(test_large_is_quick),
    };

    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        held[i].arena = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
