/*
 * How the command line runs the build script: arguments, the path that comes back, exit statuses.
 * Small scripts stand in for build-instrumented.sh, which tests/integration/instrument.sh runs.
 */
#include "instrument.h"

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

#include "commands.h"

static char folder[] = "/tmp/sr-instrument-XXXXXX";
static char script[64];

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(script, sizeof script, "%s/script", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(script);
    return rmdir(folder);
}

static int run(const char *text, const char *depends, char *path, size_t size) {
    FILE *f = fopen(script, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(script, 0700), 0);
    return sr_instrument_build(script, "/usr/bin/diff", "diffutils", "src/diff", depends, depends,
                               path, size);
}

static void arguments_and_result(void **state) {
    char path[PATH_MAX] = "";

    (void)state;
    setenv("XDG_CACHE_HOME", folder, 1);
    /* Prints a path only if it got what it should. */
    assert_int_equal(run("#!/bin/sh\n[ \"$1|$2|$3|$4|$5|$6|$7|$8\" = "
                         "'-d|a b|-b|a b|--|diffutils|/usr/bin/diff|src/diff' ] && "
                         "[ \"$9\" = \"$XDG_CACHE_HOME/sysreach\" ] && echo /bin/sh\n",
                         "a b", path, sizeof path),
                     SR_EXIT_OK);
    assert_string_equal(path, "/bin/sh");
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", "/somewhere", 1);
    assert_int_equal(run("#!/bin/sh\n[ -z \"$2\" ] && [ \"$9\" = /somewhere/.cache/sysreach ] && "
                         "echo /bin/sh\n",
                         NULL, path, sizeof path),
                     SR_EXIT_OK);
}

static void failures(void **state) {
    char path[PATH_MAX] = "untouched";

    (void)state;
    setenv("XDG_CACHE_HOME", folder, 1);
    assert_int_equal(run("#!/bin/sh\nexit 2\n", NULL, path, sizeof path), SR_EXIT_USAGE);
    assert_int_equal(run("#!/bin/sh\necho /bin/sh; exit 3\n", NULL, path, sizeof path),
                     SR_EXIT_ENV);
    assert_int_equal(run("#!/bin/sh\nkill -KILL $$\n", NULL, path, sizeof path), SR_EXIT_ENV);
    assert_int_equal(run("#!/bin/sh\n", NULL, path, sizeof path), SR_EXIT_ENV);
    assert_int_equal(run("#!/bin/sh\necho /nonexistent\n", NULL, path, sizeof path), SR_EXIT_ENV);
    assert_int_equal(run("#!/bin/sh\necho /bin/sh\n", NULL, path, 7), SR_EXIT_ENV);
    /* More than a path can be: read to the end, so that the script is not ended by SIGPIPE. */
    assert_int_equal(run("#!/bin/sh\ni=0; while [ $i -lt 9999 ]; do echo /bin/sh/$i; i=$((i+1)); "
                         "done\n",
                         NULL, path, sizeof path),
                     SR_EXIT_ENV);
    assert_int_equal(sr_instrument_build("/nonexistent", "/usr/bin/diff", "diffutils", "src/diff",
                                         NULL, NULL, path, sizeof path),
                     SR_EXIT_ENV);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(run("#!/bin/sh\necho /bin/sh\n", NULL, path, sizeof path), SR_EXIT_ENV);
    assert_string_equal(path, "untouched");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_and_result),
        cmocka_unit_test(failures),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
