/*
 * The set command: its results, its exit status, and where they go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "commands.h"

static char folder[] = "/tmp/sysreach-test-cmd.XXXXXX";

static const char *in_folder(const char *name) {
    static char path[4][4096];
    static int at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static const char *put_file(const char *name, const void *bytes, size_t len) {
    const char *path = in_folder(name);
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
    return path;
}

#define IMAGES                                                                                     \
    "# sysreach set 1\n# image: /usr/bin/di ff\n# calls: i386:open openat\n# startup: execve\n"    \
    "# image: /opt/sh\n# calls: read\n# image: /bin/sh\n# calls: write\n"                          \
    "execve\ni386:open\nopenat\nread\nwrite\n"

static char output[1u << 16];

/* Runs "sysreach set ARGS…" with stdout to a file. */
static int run_to(const char *to, const char *const *args) {
    char *argv[16] = {strdup("sysreach set")};
    int argc = 1, status;
    pid_t pid;

    while (argc < 15 && args[argc - 1]) {
        argv[argc] = strdup(args[argc - 1]);
        argc++;
    }
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!freopen(to, "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(99);
        status = sr_cmd_set(argc, argv);
        fflush(stdout);
        _exit(status);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    for (int i = 0; i < argc; i++)
        free(argv[i]);
    return WEXITSTATUS(status);
}

/* The same; what it printed ends up in output. */
static int run_set(const char *const *args) {
    const char *to = in_folder("stdout");
    int status = run_to(to, args);
    FILE *f = fopen(to, "re");

    assert_non_null(f);
    output[fread(output, 1, sizeof output - 1, f)] = 0;
    fclose(f);
    return status;
}

#define RUN(...) run_set((const char *const[]){__VA_ARGS__, NULL})

static void test_command(void **state) {
    char a[4096], b[4096], images[4096], expected[9000];

    (void)state;
    strcpy(a, put_file("a", "write\nread\nbrk\n", 15));
    strcpy(b, put_file("b", "[0, \"openat\"]", 13));
    strcpy(images, put_file("images", IMAGES, strlen(IMAGES)));

    assert_int_equal(RUN("show", a), SR_EXIT_OK);
    assert_string_equal(output, "# sysreach set 1\n# arch: x86-64\nbrk\nread\nwrite\n");
    assert_int_equal(RUN("show", "--numbers", a), SR_EXIT_OK);
    assert_string_equal(output, "0\n1\n12\n");
    assert_int_equal(RUN("show", "--numbers", "--json", b), SR_EXIT_OK);
    assert_string_equal(output, "[0, 257]\n");
    assert_int_equal(RUN("show", "-n", "--image", "di ff", images), SR_EXIT_OK);
    assert_string_equal(output, "59\n257\ni386:5\n");
    assert_int_equal(RUN("show", "--image", "none", images), SR_EXIT_USAGE);
    assert_int_equal(RUN("show", "--image", "sh", images), SR_EXIT_USAGE);
    /* What has no images is taken as it is. */
    assert_int_equal(RUN("minus", "--image", "/bin/sh", images, a), SR_EXIT_OK);
    assert_null(strstr(output, "\nwrite\n"));
    assert_int_equal(RUN("intersect", "--image", "/bin/sh", images, a), SR_EXIT_OK);
    assert_non_null(strstr(output, "\nwrite\n"));
    assert_null(strstr(output, "\nread\n"));
    assert_int_equal(RUN("union", a, b), SR_EXIT_OK);
    assert_non_null(strstr(output, "\nbrk\nopenat\nread\nwrite\n"));
    assert_int_equal(RUN("minus", a, b, "-o", in_folder("c")), SR_EXIT_OK);
    assert_string_equal(output, "");
    assert_int_equal(RUN("show", "-n", in_folder("c")), SR_EXIT_OK);
    assert_string_equal(output, "1\n12\n");
    assert_int_equal(RUN("intersect", a, b), SR_EXIT_OK);
    snprintf(expected, sizeof expected,
             "# sysreach set 1\n# arch: x86-64\n# made-by: sysreach set intersect %s %s\nread\n", a,
             b);
    assert_string_equal(output, expected);

    assert_int_equal(RUN("compare", a, a), SR_EXIT_OK);
    assert_int_equal(RUN("compare", a, b), SR_EXIT_NO);
    assert_non_null(strstr(output, "only in A     2"));
    assert_non_null(strstr(output, "    brk write\n"));
    assert_non_null(strstr(output, "in both       1"));
    assert_non_null(strstr(output, "only in B     1"));
    assert_int_equal(RUN("compare", "--json", a, b), SR_EXIT_NO);
    assert_non_null(strstr(output, "\"equal\": false"));

    assert_int_equal(RUN("names", "257", "i386:open"), SR_EXIT_OK);
    assert_string_equal(output, "257 openat\ni386:5 i386:open\n");
    assert_int_equal(RUN("names", "#9999"), SR_EXIT_NO);
    assert_int_equal(RUN("names", "foo", "#9999"), SR_EXIT_USAGE);
    assert_int_equal(RUN("bogus"), SR_EXIT_USAGE);
    assert_int_equal(RUN("compare", a), SR_EXIT_USAGE);
    assert_int_equal(RUN("compare", "-", "-"), SR_EXIT_USAGE);
    assert_int_equal(RUN("show", in_folder("missing")), SR_EXIT_USAGE);
    assert_int_equal(RUN("minus", a, b, "-o", "/dev/full"), SR_EXIT_ENV);
    assert_int_equal(run_to("/dev/full", (const char *const[]){"show", a, NULL}), SR_EXIT_ENV);
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    static const char *const files[] = {"stdout", "a", "b", "c", "images"};

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(in_folder(files[i]));
    return rmdir(folder); /* fails if something was left behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_command),
    };

    return cmocka_run_group_tests_name("set command", tests, make_folder, remove_folder);
}
