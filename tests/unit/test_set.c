/*
 * Set files in all their forms, and what is refused and how.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "names.h"
#include "setfile.h"

static char folder[] = "/tmp/sysreach-test-set.XXXXXX";

static const char *in_folder(const char *name) {
    static char path[4][4096];
    static int at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static struct sr_call call(const char *name) {
    struct sr_call c = {0, 0};

    if (!sr_call_parse(name, strlen(name), &c))
        fail_msg("%s is no call", name);
    return c;
}

static struct sr_setfile *parse(const char *text) {
    struct sr_setfile_error err;
    struct sr_setfile *sf = sr_setfile_parse("input", text, strlen(text), &err);

    if (!sf)
        fail_msg("%s", err.text);
    return sf;
}

/* The text has to be refused, with a message in which each of the pieces stands. */
static void refused(const char *text, const char *piece, const char *piece2) {
    struct sr_setfile_error err;

    if (sr_setfile_parse("input", text, strlen(text), &err))
        fail_msg("accepted: %s", text);
    if (!strstr(err.text, "input: ") || !strstr(err.text, piece) || !strstr(err.text, piece2) ||
        !strstr(err.text, "; "))
        fail_msg("message: %s", err.text);
}

static void assert_body(const struct sr_setfile *sf, const char *names) {
    struct sr_names got;
    char text[65536] = "";
    size_t at = 0;

    sr_names_of(&sf->body, &got);
    for (size_t i = 0; i < got.n; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "", got.name[i]);
    assert_string_equal(text, names);
}

/* The text has just these calls as its body. */
static void reads_as(const char *text, const char *names) {
    struct sr_setfile *sf = parse(text);

    assert_body(sf, names);
    sr_setfile_free(sf);
}

static char *print(const struct sr_setfile *sf, bool json) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    assert_non_null(f);
    assert_true(json ? sr_setfile_write_json(f, sf) : sr_setfile_write(f, sf));
    assert_int_equal(fclose(f), 0);
    return text;
}

static void test_lists(void **state) {
    (void)state;
    reads_as("", "");
    reads_as("write\nread\n", "read write");
    reads_as("write\nread", "read write");
    reads_as("write\r\n\r\n  read \t\r\n", "read write");
    reads_as("# a comment\n#another: one\n#\n# image: not a header here\nread\n#-1\n#999\n0\n1\n",
             "#-1 #999 read write");
    reads_as("i386:open\nx32:read\n5\n", "fstat i386:open x32:read");
    refused("read\nfoo\n", "line 2: 'foo'", "write #NNN for a number");
    refused("read\n\n# c\nread write\n", "line 4: 'read write'", "libseccomp");
    refused("socketcall\n", "line 1", "write i386:socketcall");
    refused("read\n\x1b[31mred\n", "line 2: '?[31mred'", "");
}

static void test_many_odd_numbers(void **state) {
    char text[4096] = "";
    size_t at = 0;

    (void)state;
    for (int i = 0; i < SR_SET_ODD; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "#%d\n", 5000 + i);
    sr_setfile_free(parse(text));
    snprintf(text + at, sizeof text - at, "#5000\n");
    sr_setfile_free(parse(text));
    snprintf(text + at, sizeof text - at, "#6000\n");
    refused(text, "line 17", "leave some out");
}

/* Two images with everything that a set file can say. */
static struct sr_setfile *sample(void) {
    struct sr_setfile *sf = sr_setfile_new();
    int a, b;

    assert_non_null(sf);
    a = sr_union_image(sf->u, "/usr/bin/di ff");
    b = sr_union_image(sf->u, "/tmp/new\nline\\ \x01\xff: # image: x ");
    sr_set_add(&sf->u->images[a].calls, call("openat"));
    sr_set_add(&sf->u->images[a].calls, call("i386:open"));
    sr_set_add(&sf->u->images[a].startup, call("execve"));
    sr_set_add(&sf->u->images[b].calls, call("#-1"));
    sr_set_add(&sf->u->images[b].calls, call("read"));
    sf->u->images[b].calls.lost = 1;
    assert_true(sr_union_object(sf->u, (unsigned)a, "/usr/lib/libc.so.6"));
    assert_true(sr_union_object(sf->u, (unsigned)b, "/odd\tname.so"));
    assert_true(sr_union_object(sf->u, (unsigned)b, "/usr/lib/libc.so.6"));
    strcpy(sf->build_id[a], "0123456789abcdef");
    assert_true(sr_setfile_key(sf, "made-by", "sysreach trace -- %s", "diff a\nb \\n"));
    assert_true(sr_setfile_key(sf, "recorder", "seccomp"));
    sr_setfile_sum(sf);
    return sf;
}

static void assert_same(const struct sr_setfile *a, const struct sr_setfile *b) {
    assert_true(sr_set_equal(&a->body, &b->body));
    assert_int_equal(a->body.lost, b->body.lost);
    assert_int_equal(a->n_keys, b->n_keys);
    for (unsigned i = 0; i < a->n_keys; i++) {
        assert_string_equal(a->keys[i].key, b->keys[i].key);
        assert_string_equal(a->keys[i].value, b->keys[i].value);
    }
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const struct sr_union_image *x = &a->u->images[i], *y = &b->u->images[i];

        assert_int_equal(x->state, y->state);
        assert_string_equal(x->path, y->path);
        assert_true(sr_set_equal(&x->calls, &y->calls));
        assert_true(sr_set_equal(&x->startup, &y->startup));
        assert_int_equal(x->calls.lost, y->calls.lost);
        assert_string_equal(a->build_id[i], b->build_id[i]);
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        assert_string_equal(a->u->objects[i].path, b->u->objects[i].path);
        assert_int_equal(a->u->objects[i].image, b->u->objects[i].image);
    }
}

static void test_text_round_trip(void **state) {
    struct sr_setfile *sf = sample(), *again;
    char *text = print(sf, false), *text2;

    (void)state;
    assert_string_equal(text,
                        "# sysreach set 1\n"
                        "# arch: x86-64\n"
                        "# made-by: sysreach trace -- diff a\\nb \\\\n\n"
                        "# recorder: seccomp\n"
                        "# incomplete: more different numbers outside 0 to 1023 than a set holds\n"
                        "# image: /usr/bin/di ff\n"
                        "# build-id: 0123456789abcdef\n"
                        "# calls: i386:open openat\n"
                        "# startup: execve\n"
                        "# object: /usr/lib/libc.so.6\n"
                        "# image: /tmp/new\\nline\\\\ \\x01\xff: # image: x \n"
                        "# incomplete: more different numbers outside 0 to 1023 than a set holds\n"
                        "# calls: #-1 read\n"
                        "# object: /odd\\tname.so\n"
                        "# object: /usr/lib/libc.so.6\n"
                        "#-1\nexecve\ni386:open\nopenat\nread\n");
    again = parse(text);
    assert_same(sf, again);
    text2 = print(again, false);
    assert_string_equal(text, text2);
    free(text);
    free(text2);
    sr_setfile_free(sf);
    sr_setfile_free(again);
}

static void test_json_round_trip(void **state) {
    struct sr_setfile *sf = sample(), *again;
    char *json = print(sf, true);

    (void)state;
    assert_non_null(strstr(json, "\"sysreach\": \"set\""));
    assert_non_null(strstr(json, "\"build_id\": null"));
    again = parse(json);
    assert_same(sf, again);
    sr_setfile_free(again);
    free(json);
    sr_setfile_free(sf);
    reads_as("{\"sysreach\":\"set\",\"version\":1,\"arch\":\"x86-64\",\"images\":[{\"path\":\"/a\","
             "\"build_id\":null,\"calls\":[\"read\"],\"startup\":[59],\"objects\":[]}]}",
             "execve read");
}

/* Two files one after the other are the union of both, and an own body is not replaced. */
static void test_text_header(void **state) {
    struct sr_setfile *sf = parse("# sysreach set 1\n# image: /a\n# calls: read\nread\n"
                                  "# sysreach set 1\n# a comment: with Colon\n# closed: no\n"
                                  "# image: /b\n# calls: \n# image: /a\n# calls: write\nbrk\n");

    (void)state;
    assert_body(sf, "brk read");
    assert_int_equal(sr_set_count(&sf->u->images[0].calls), 2);
    assert_string_equal(sr_union_image_path(sf->u, 1), "/b");
    assert_null(sr_union_image_path(sf->u, 2));
    assert_int_equal(sf->n_keys, 2);
    assert_string_equal(sf->keys[1].value, "no");
    sr_setfile_free(sf);
    sf = parse("# sysreach set 1\r\n# image: /a\r\n# calls: read\r\nread\r\n");
    assert_string_equal(sr_union_image_path(sf->u, 0), "/a");
    sr_setfile_free(sf);
    refused("# sysreach set 1\n# image: /a\n# sysreach set 1\n# calls: read\n", "line 4", "image");
    refused("# sysreach set 2\n", "line 1", "version 1");
    refused("# sysreach set 1\n# arch: aarch64\n", "line 2", "x86-64");
    refused("# sysreach set 1\n# calls: read\n", "line 2", "image");
    refused("# sysreach set 1\n# image: \n", "line 2: no path", "");
    refused("# sysreach set 1\n# image: /a\n# calls: read foo\n", "line 3", "'foo'");
    refused("# sysreach set 1\n# image: /a\\q\n", "line 2", "escape");
    refused("# sysreach set 1\n# image: /a\\x00\n", "line 2", "escape");
    refused("# sysreach set 1\n# image: /a\\x4\n", "line 2", "escape");
    refused("# sysreach set 1\n# image: /a\\\n", "line 2", "escape");
    refused("# sysreach set 1\n# image: /a\n# build-id: xyz\n", "line 3", "hexadecimal");
}

static void test_too_many(void **state) {
    char *text = malloc(1u << 20);
    size_t at;

    (void)state;
    assert_non_null(text);
    at = (size_t)sprintf(text, "# sysreach set 1\n");
    for (int i = 0; i <= SR_IMAGES_MAX; i++)
        at += (size_t)sprintf(text + at, "# image: /%d\n", i);
    refused(text, "line 258", "too many images");
    at = (size_t)sprintf(text, "# sysreach set 1\n# image: /a\n");
    for (int i = 0; i <= SR_OBJECTS_MAX; i++)
        at += (size_t)sprintf(text + at, "# object: /%d\n", i);
    refused(text, "line 1027", "too many objects");
    at = (size_t)sprintf(text, "# sysreach set 1\n");
    for (int i = 0; i <= SR_SETFILE_KEYS; i++)
        at += (size_t)sprintf(text + at, "# key %d: v\n", i);
    refused(text, "line 66", "too many header lines");
    free(text);
}

static void test_arrays(void **state) {
    char *deep = malloc(100001);

    (void)state;
    reads_as("[]", "");
    reads_as(" \n [0, 1, 257]", "openat read write");
    reads_as("[\"read\", \"i386:open\", 1073742081, -1, 999]",
             "#-1 #999 i386:open read x32:openat");
    refused("[0, \"foo\"]", "array entry 2: 'foo'", "libseccomp");
    refused("[0, 1.5]", "array entry 2", "number");
    refused("[[0]]", "array entry 1", "number");
    refused("[4294967296]", "array entry 1", "32 bits");
    refused("[0,\n 1", "line 2", "JSON");
    refused("{\"a\": [0]}", "defaultAction", "");
    assert_non_null(deep);
    memset(deep, '[', 100000);
    deep[100000] = 0;
    refused(deep, "line 1", "depth");
    free(deep);
}

#define RULES             "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":["
#define RULE(names, more) "{\"names\":[" names "],\"action\":\"SCMP_ACT_ALLOW\"" more "}"

static void test_profiles(void **state) {
    struct sr_setfile *sf;
    char expected[64];

    (void)state;
    /* The shape of the profile that container engines ship. */
    sf = parse(
        "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":1,\"archMap\":[{"
        "\"architecture\":\"SCMP_ARCH_X86_64\",\"subArchitectures\":[\"SCMP_ARCH_X86\"]}],"
        "\"syscalls\":[" RULE("\"read\",\"write\",\"socketcall\",\"no_such_call\"", "") "," RULE("\"arch_prctl\"", ",\"includes\":{\"arches\":[\"amd64\",\"x32\"]}") "," RULE(
            "\"brk\"",
            ",\"includes\":{\"arches\":[\"s390x\"]}") "," RULE("\"pipe\"",
                                                               ",\"excludes\":{"
                                                               "\"arches\":[\"amd64\"]"
                                                               "}") "," RULE("\"persona"
                                                                             "lity\"",
                                                                             ",\"args\""
                                                                             ":[{"
                                                                             "\"index\""
                                                                             ":0,"
                                                                             "\"value\""
                                                                             ":8,"
                                                                             "\"op\":"
                                                                             "\"SCMP_"
                                                                             "CMP_EQ\"}"
                                                                             "]") "," RULE("\"mount"
                                                                                           "\","
                                                                                           "\"read"
                                                                                           "\"",
                                                                                           ",\"incl"
                                                                                           "udes\":"
                                                                                           "{\"caps"
                                                                                           "\":["
                                                                                           "\"CAP_"
                                                                                           "SYS_"
                                                                                           "ADMIN\""
                                                                                           "]}") ","
                                                                                                 "{"
                                                                                                 "\"names\":[\"clone3\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38},"
                                                                                                 "{"
                                                                                                 "\"name\":\"ptrace\",\"action\":\"SCMP_ACT_TRACE\",\"args\":null}]}");
    assert_body(sf, "arch_prctl mount personality ptrace read write");
    assert_int_equal(sf->skipped, 2);
    assert_int_equal(sf->conditional, 2);
    sr_setfile_free(sf);

    sf = parse("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],"
               "\"syscalls\":[{\"names\":[\"ptrace\",\"reboot\"],\"action\":\"SCMP_ACT_KILL\"},"
               "{\"names\":[\"clone\"],\"action\":\"SCMP_ACT_ERRNO\",\"args\":[{\"index\":0}]},"
               "{\"names\":[\"reboot\"],\"action\":\"SCMP_ACT_ALLOW\"}]}");
    assert_int_equal(sr_set_count(&sf->body), sr_call_table_count(SR_ABI_X86_64) - 1);
    assert_false(sr_set_has(&sf->body, call("ptrace")));
    assert_true(sr_set_has(&sf->body, call("clone")));
    assert_true(sr_set_has(&sf->body, call("reboot")));
    assert_int_equal(sf->conditional, 0);
    sr_setfile_free(sf);

    reads_as(RULES "]}", "");
    reads_as("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", "");
    refused(RULES "{\"names\":[\"read\"]}]}", "syscalls entry 1", "action");
    refused(RULES "{\"action\":\"SCMP_ACT_ALLOW\"}]}", "syscalls entry 1", "names");
    refused(RULES "{\"names\":[\"read\"],\"action\":\"ALLOW\"}]}", "syscalls entry 1", "action");
    refused("{\"defaultAction\":\"DENY\"}", "defaultAction", "SCMP_ACT_ERRNO");
    refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":3}", "syscalls", "array");
    snprintf(expected, sizeof expected, "not for x86-64");
    refused("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_ARM\"]}",
            expected, "");
}

static void test_own_json_refused(void **state) {
#define OURS "{\"sysreach\":\"set\",\"version\":1,\"arch\":\"x86-64\","
    (void)state;
    refused("{\"sysreach\":\"set\",\"version\":2,\"arch\":\"x86-64\"}", "version 1", "");
    refused("{\"sysreach\":\"comparison\",\"version\":1}", "version 1", "");
    refused("{\"sysreach\":\"set\",\"version\":1,\"arch\":\"arm\"}", "architecture", "");
    refused(OURS "\"images\":3}", "images", "");
    refused(OURS "\"images\":[3]}", "images entry 1", "");
    refused(OURS "\"images\":[{\"path\":\"\"}]}", "images entry 1", "path");
    refused(OURS "\"images\":[{\"path\":\"/a\",\"calls\":[\"foo\"]}]}",
            "images entry 1: calls entry 1", "foo");
    refused(OURS "\"images\":[{\"path\":\"/a\",\"build_id\":\"xx\"}]}", "images entry 1",
            "build-id");
    refused(OURS "\"images\":[{\"path\":\"/a\",\"objects\":[1]}]}", "images entry 1", "string");
    refused(OURS "\"images\":[{\"path\":\"/\\\\q\"}]}", "images entry 1", "escape");
}

static void test_images(void **state) {
    struct sr_setfile *sf = sr_setfile_new();
    int a, b, c;

    (void)state;
    assert_non_null(sf);
    a = sr_union_image(sf->u, "/bin/sh");
    b = sr_union_image(sf->u, "/usr/bin/diff");
    c = sr_union_image(sf->u, "/opt/bin/sh");
    sr_set_add(&sf->u->images[a].calls, call("read"));
    sr_set_add(&sf->u->images[b].calls, call("write"));
    sr_set_add(&sf->u->images[b].startup, call("brk"));
    sr_union_object(sf->u, (unsigned)a, "/a.so");
    sr_union_object(sf->u, (unsigned)b, "/b.so");
    strcpy(sf->build_id[b], "bb");
    sr_setfile_sum(sf);
    assert_int_equal(sr_setfile_image(sf, "diff"), b);
    assert_int_equal(sr_setfile_image(sf, "/usr/bin/diff"), b);
    assert_int_equal(sr_setfile_image(sf, "/opt/bin/sh"), c);
    assert_int_equal(sr_setfile_image(sf, "sh"), -ENOTUNIQ);
    assert_int_equal(sr_setfile_image(sf, "bin/sh"), -ENOENT);
    assert_int_equal(sr_setfile_image(sf, "dif"), -ENOENT);
    assert_body(sf, "brk read write");
    assert_true(sr_setfile_keep_image(sf, (unsigned)b));
    assert_body(sf, "brk write");
    assert_int_equal(sr_setfile_image(sf, "diff"), 0);
    assert_string_equal(sf->build_id[0], "bb");
    assert_string_equal(sf->build_id[b], "");
    assert_string_equal(sr_union_object_path(sf->u, 0), "/b.so");
    assert_null(sr_union_object_path(sf->u, 1));
    assert_null(sr_union_image_path(sf->u, 1));
    assert_false(sr_setfile_keep_image(sf, 7));
    sr_setfile_free(sf);
}

static void test_merge(void **state) {
    struct sr_setfile *a = parse(
                          "# sysreach set 1\n# image: /x\n# build-id: 11\n# calls: read\nread\n"),
                      *b = parse("# sysreach set 1\n# image: /y\n# build-id: 22\n# calls: brk\n"
                                 "# image: /x\n# build-id: 33\n# calls: write\nbrk\nwrite\n");

    (void)state;
    assert_true(sr_setfile_merge(a, b));
    assert_true(sr_setfile_merge(a, b));
    assert_body(a, "brk read write");
    assert_int_equal(sr_set_count(&a->u->images[0].calls), 2);
    assert_string_equal(a->build_id[0], SR_SETFILE_DIFFERS);
    assert_string_equal(sr_union_image_path(a->u, 1), "/y");
    assert_string_equal(a->build_id[1], "22");
    sr_setfile_free(a);
    sr_setfile_free(b);
}

static void test_campaign(void **state) {
    struct sr_setfile_error err;
    struct sr_setfile *sf;
    struct sr_union *u;
    int slot;

    (void)state;
    assert_null(sr_setfile_read(folder, &err));
    assert_non_null(strstr(err.text, "no campaign"));
    assert_int_equal(sr_union_open(in_folder("union"), true, &u), 0);
    slot = sr_union_image(u, "/usr/bin/diff");
    sr_set_add(&u->images[slot].calls, call("read"));
    sr_set_add(&u->images[slot].startup, call("execve"));
    sr_union_close(u);
    sf = sr_setfile_read(folder, &err);
    assert_non_null(sf);
    assert_body(sf, "execve read");
    assert_int_equal(sr_setfile_image(sf, "diff"), 0);
    sr_setfile_free(sf);
    sf = sr_setfile_read(in_folder("union"), &err);
    assert_non_null(sf);
    assert_body(sf, "execve read");
    sr_setfile_free(sf);
    assert_int_equal(truncate(in_folder("union"), 5000), 0);
    assert_null(sr_setfile_read(folder, &err));
    assert_non_null(strstr(err.text, "cut short"));
    assert_null(sr_setfile_read(in_folder("union"), &err));
    assert_int_equal(unlink(in_folder("union")), 0);
}

static void test_files(void **state) {
    struct sr_setfile *sf = sample(), *again;
    struct sr_setfile_error err;
    const char *path = in_folder("saved");
    int fd;

    (void)state;
    assert_null(sr_setfile_read(in_folder("none"), &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(sr_setfile_save(path, sf, false), 0);
    assert_int_equal(sr_setfile_save(path, sf, false), 0);
    again = sr_setfile_read(path, &err);
    assert_non_null(again);
    assert_same(sf, again);
    sr_setfile_free(again);
    assert_int_equal(sr_setfile_save("/dev/full", sf, false), -ENOSPC);
    assert_int_equal(sr_setfile_save("/dev/full", sf, true), -ENOSPC);
    assert_int_equal(sr_setfile_save(in_folder("no/such"), sf, true), -ENOENT);
    sr_setfile_free(sf);

    fd = open(in_folder("large"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)SR_SETFILE_BYTES_MAX + 1), 0);
    close(fd);
    assert_null(sr_setfile_read(in_folder("large"), &err));
    assert_non_null(strstr(err.text, "larger than 64 MiB"));
    assert_null(sr_setfile_read("/dev/zero", &err));
    assert_non_null(strstr(err.text, "larger than 64 MiB"));
    fd = open(in_folder("large"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "[", 1, 0), 1);
    assert_int_equal(ftruncate(fd, (off_t)SR_SETJSON_BYTES_MAX + 1), 0);
    close(fd);
    assert_null(sr_setfile_read(in_folder("large"), &err));
    assert_non_null(strstr(err.text, "larger than 8 MiB"));
    unlink(in_folder("large"));
}

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(in_folder("saved"));
    return rmdir(folder); /* fails, and so does the test, if something was left behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_many_odd_numbers),
        cmocka_unit_test(test_text_round_trip),
        cmocka_unit_test(test_json_round_trip),
        cmocka_unit_test(test_text_header),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_arrays),
        cmocka_unit_test(test_profiles),
        cmocka_unit_test(test_own_json_refused),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_campaign),
        cmocka_unit_test(test_files),

    };

    return cmocka_run_group_tests_name("set", tests, make_folder, remove_folder);
}
