/*
 * Roles: rules and what is no rule, processes and their relatives, the order of events, and what
 * comes out of a run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "roleconf.h"
#include "roles.h"

#define TEXT(s) ((char[]){s})

enum { SERVER, SHELL }; /* slots */

static struct sr_union *u;
static struct sr_roles *r;

static int make(void **state) {
    (void)state;
    u = sr_union_new();
    r = sr_roles_new();
    if (!u || !r || sr_union_image(u, "/usr/sbin/server") != SERVER ||
        sr_union_image(u, "/bin/sh") != SHELL)
        return -1;
    return 0;
}

static int drop(void **state) {
    (void)state;
    sr_union_close(u);
    sr_roles_free(r);
    return 0;
}

static struct sr_stop stop_of(pid_t pid, unsigned image, int nr, bool sandboxed) {
    return (struct sr_stop){.tid = pid,
                            .pid = pid,
                            .image = image,
                            .sandboxed = sandboxed,
                            .call = {SR_ABI_X86_64, nr}};
}

static void makes(pid_t pid, int nr) {
    struct sr_stop stop = stop_of(pid, SERVER, nr, false);

    sr_roles_call(r, &stop);
}

static void makes_sandboxed(pid_t pid, int nr) {
    struct sr_stop stop = stop_of(pid, SERVER, nr, true);

    sr_roles_call(r, &stop);
}

static const struct sr_union_role *role(unsigned image, const char *name) {
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        if (sr_union_role_name(u, i) && u->roles[i].image == image &&
            strcmp(sr_union_role_name(u, i), name) == 0)
            return &u->roles[i];
    return NULL;
}

/* A role's processes; what it made has to be these two calls and no others (-1: none). */
static unsigned processes(const char *name, int a, int b) {
    const struct sr_union_role *one = role(SERVER, name);
    struct sr_set want = {0};

    if (!one)
        return 0;
    if (a >= 0)
        sr_set_add(&want, (struct sr_call){SR_ABI_X86_64, a});
    if (b >= 0)
        sr_set_add(&want, (struct sr_call){SR_ABI_X86_64, b});
    assert_true(sr_set_equal(&one->calls, &want));
    return (unsigned)one->processes;
}

static void rule(const char *text) {
    assert_int_equal(sr_roles_rule(r, text), 0);
}

static void test_rules(void **state) {
    static const char *const good[] = {"server main first", "server main",
                                       "server x !calls=#0 calls=#1023 sandboxed !execs",
                                       "server x child-of=a parent-of=b re-exec  !first"};
    static const char *const bad[] = {
        "",
        "server",
        "server x calls=listen",
        "server x calls=#1024",
        "server x calls=#",
        "server x calls=#99999999999999999999",
        "server x firsts",
        "server x child-of=",
        "server x !",
        "server x !!first",
        "server x child-of=0123456789012345678901234567890123456789",
        "server 0123456789012345678901234567890123456789 first",
        "server x first first first first first first first first first"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(sr_roles_rule(NULL, good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(sr_roles_rule(r, bad[i]), -EINVAL);
    assert_int_equal(sr_roles_rules(r), 0);
    for (int i = 0; i < SR_ROLE_RULES_MAX; i++)
        rule("server x first");
    assert_int_equal(sr_roles_rule(r, "server x first"), -ENOSPC);
}

/* A listener, its re-executed child, what that starts: in the order of things. */
static void run_server(bool child_first) {
    sr_roles_begin(r, 10);
    makes(10, SYS_listen);
    if (!child_first)
        sr_roles_fork(r, 10, 11);
    makes(11, SYS_dup2);
    if (child_first)
        sr_roles_fork(r, 10, 11);
    sr_roles_exec(r, 11, SERVER);
    makes(11, SYS_poll);
    if (!child_first)
        sr_roles_fork(r, 11, 12);
    makes(12, SYS_prctl);
    makes_sandboxed(12, SYS_read);
    if (child_first)
        sr_roles_fork(r, 11, 12);
    struct sr_stop refused = stop_of(12, SERVER, SYS_read, true);
    sr_roles_refused(r, &refused);
    if (!child_first)
        sr_roles_fork(r, 11, 13);
    makes(13, SYS_setsid);
    sr_roles_exec(r, 13, SHELL);
    struct sr_stop shell = stop_of(13, SHELL, SYS_write, false);
    sr_roles_call(r, &shell);
    if (child_first)
        sr_roles_fork(r, 11, 13);
    sr_roles_finish(r, u);
}

static void test_server(void **state) {
    char calls_listen[40];

    (void)state;
    snprintf(calls_listen, sizeof calls_listen, "server listener calls=#%d", SYS_listen);
    rule("server preauth sandboxed");
    rule("server monitor parent-of=preauth");
    rule(calls_listen);
    rule("server shell child-of=monitor execs");
    rule("server stub execs !re-exec child-of=listener");
    for (int i = 0; i < 2; i++) {
        run_server(i);
        assert_int_equal(processes("preauth", SYS_prctl, SYS_read), i + 1);
        assert_int_equal(processes("monitor", SYS_poll, -1), i + 1);
        assert_int_equal(processes("listener", SYS_listen, -1), i + 1);
        assert_int_equal(processes("shell", SYS_setsid, -1), i + 1);
        assert_int_equal(processes("stub", SYS_dup2, -1), i + 1);
        assert_null(role(SERVER, ""));
        /* Nobody asked about the shell's image. */
        assert_null(role(SHELL, ""));
    }
    assert_int_equal(sr_set_count(&role(SERVER, "preauth")->attempted), 1);
    assert_int_equal(sr_set_count(&role(SERVER, "monitor")->attempted), 0);
}

/* The first rule that holds counts, and a rule sees only the roles of those before it. */
static void test_order(void **state) {
    (void)state;
    rule("server late child-of=early");
    rule("server early first");
    rule("server never first");
    rule("server child child-of=early");
    rule("sh any");
    sr_roles_begin(r, 10);
    makes(10, SYS_read);
    sr_roles_fork(r, 10, 11);
    makes(11, SYS_write);
    /* Of somebody whom nobody knows: a process beside the program. */
    makes(12, SYS_close);
    sr_roles_finish(r, u);
    assert_null(role(SERVER, "late"));
    assert_null(role(SERVER, "never"));
    assert_int_equal(processes("early", SYS_read, -1), 1);
    assert_int_equal(processes("child", SYS_write, -1), 1);
    assert_int_equal(processes("", SYS_close, -1), 1);
}

/* The exec that starts a replay's program is no former life of it. */
static void test_launch(void **state) {
    (void)state;
    rule("server stub execs");
    rule("server main first !re-exec");
    rule("server again first re-exec");
    sr_roles_begin(r, 10);
    makes(10, SYS_execve);
    sr_roles_exec(r, 10, SERVER);
    makes(10, SYS_read);
    sr_roles_finish(r, u);
    assert_int_equal(processes("main", SYS_execve, SYS_read), 1);
    sr_roles_begin(r, 10);
    makes(10, SYS_read);
    makes(10, SYS_execve);
    sr_roles_exec(r, 10, SERVER);
    makes(10, SYS_write);
    sr_roles_finish(r, u);
    assert_int_equal(processes("stub", SYS_execve, SYS_read), 1);
    assert_int_equal(processes("again", SYS_write, -1), 1);
}

static void test_bounded(void **state) {
    (void)state;
    rule("server first first");
    rule("server other");
    sr_roles_begin(r, 1);
    makes(1, SYS_read);
    for (pid_t pid = 2; pid < 1000; pid++) {
        sr_roles_fork(r, 1, pid);
        makes(pid, SYS_write);
    }
    /* It has no place for its new life; its calls do not go to the old one. */
    sr_roles_exec(r, 1, SERVER);
    makes(1, SYS_close);
    sr_roles_finish(r, u);
    assert_int_equal(processes("first", SYS_read, -1), 1);
    assert_int_equal(processes("other", SYS_write, -1), SR_ROLE_PROCESSES_MAX - 1);
    assert_int_equal(u->roles_cut, 1);
    /* A process id that is used again is another process. */
    sr_roles_begin(r, 1);
    makes(1, SYS_read);
    for (int i = 0; i < 3; i++) {
        sr_roles_fork(r, 1, 2);
        makes(2, SYS_write);
    }
    sr_roles_finish(r, u);
    assert_int_equal(processes("other", SYS_write, -1), SR_ROLE_PROCESSES_MAX - 1 + 3);
    assert_int_equal(u->roles_cut, 1);
}

static void test_without_rules(void **state) {
    (void)state;
    run_server(false);
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        assert_null(sr_union_role_name(u, i));
}

/* Names in a target file become numbers; what is wrong is said with its line. */
static void test_conf(void **state) {
    char *conditions[3][2] = {{TEXT("calls=listen"), TEXT("!calls=listen")},
                              {TEXT("child-of=a"), TEXT("!parent-of=a")},
                              {TEXT("first"), TEXT("calls=no_such_call")}};
    struct sr_target_role roles[3] = {{TEXT("server"), TEXT("a"), {conditions[0], 2}, 7},
                                      {TEXT("server"), TEXT("b"), {conditions[1], 2}, 8},
                                      {TEXT("server"), TEXT("c"), {conditions[2], 2}, 9}};
    struct sr_target t = {.roles = roles, .n_roles = 2};
    char err[256], text[512], want[256];
    FILE *f = fmemopen(text, sizeof text, "w");

    (void)state;
    assert_non_null(f);
    assert_int_equal(sr_roleconf_check(&t, err, sizeof err), 0);
    sr_roleconf_write(&t, "role", f);
    fclose(f);
    snprintf(want, sizeof want,
             "role server a calls=#%d !calls=#%d\nrole server b child-of=a !parent-of=a\n",
             SYS_listen, SYS_listen);
    assert_string_equal(text, want);
    t.n_roles = 3;
    assert_int_equal(sr_roleconf_check(&t, err, sizeof err), -1);
    assert_non_null(strstr(err, "line 9"));
    assert_non_null(strstr(err, "no_such_call"));
    conditions[2][1] = TEXT("child-of=c"); /* itself */
    assert_int_equal(sr_roleconf_check(&t, err, sizeof err), -1);
    assert_non_null(strstr(err, "child-of=c"));
    conditions[2][1] = TEXT("oops");
    assert_int_equal(sr_roleconf_check(&t, err, sizeof err), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rules, make, drop),
        cmocka_unit_test_setup_teardown(test_server, make, drop),
        cmocka_unit_test_setup_teardown(test_order, make, drop),
        cmocka_unit_test_setup_teardown(test_launch, make, drop),
        cmocka_unit_test_setup_teardown(test_bounded, make, drop),
        cmocka_unit_test_setup_teardown(test_without_rules, make, drop),
        cmocka_unit_test(test_conf),
    };

    return cmocka_run_group_tests_name("roles", tests, NULL, NULL);
}
