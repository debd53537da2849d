/*
 * Backtraces of real processes: a child stops in a known chain of functions, the parent saves its
 * registers, map and stack as the hook does, and the frames must name the chain, innermost first.
 * Then the same evidence is cut and damaged in every way that a broken writer or a hostile program
 * could leave it: no crash, no more frames than allowed, no word to the network.
 */
#include "backtrace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define STACK_SAVED (64u << 10)

/* Not static: the names must be in the symbol table, each call a frame of its own. */
void sr_test_inner(int way);
void sr_test_middle(int way);
void sr_test_outer(int way);
int sr_test_compare(const void *a, const void *b);
void sr_test_recurse(unsigned depth);

static volatile int after; /* written behind each call, so that none is a tail call */
static int sort_way;

enum { WAY_RAISE, WAY_WRITE, WAY_VDSO };

__attribute__((noinline)) void sr_test_inner(int way) {
    struct timespec ts;

    if (way == WAY_RAISE)
        raise(SIGSTOP);
    else if (way == WAY_WRITE)
        after = (int)write(-1, "x", 1);
    else
        after = clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    after++;
}

__attribute__((noinline)) void sr_test_middle(int way) {
    sr_test_inner(way);
    after++;
}

__attribute__((noinline)) int sr_test_compare(const void *a, const void *b) {
    if (a != b)
        sr_test_middle(sort_way);
    after++;
    return 0;
}

/* Through qsort: a frame of a stripped library between our own. */
__attribute__((noinline)) void sr_test_outer(int way) {
    int two[2] = {2, 1};

    sort_way = way;
    qsort(two, 2, sizeof two[0], sr_test_compare);
    after++;
}

__attribute__((noinline)) void sr_test_recurse(unsigned depth) {
    if (depth > 0)
        sr_test_recurse(depth - 1);
    else
        raise(SIGSTOP);
    after++;
}

struct folder {
    char path[64];
};

static void put(const struct folder *f, const char *name, const void *data, size_t len) {
    char path[128];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", f->path, name);
    out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

/* Text of a file in the folder; NULL where there is none. */
static char *get(const struct folder *f, const char *name, size_t *len) {
    char path[128], *text = malloc(8u << 20);
    FILE *in;

    assert_non_null(text);
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    in = fopen(path, "r");
    if (!in) {
        free(text);
        return NULL;
    }
    *len = fread(text, 1, (8u << 20) - 1, in);
    text[*len] = '\0';
    fclose(in);
    return text;
}

static void drop(const struct folder *f, const char *name) {
    char path[128];

    snprintf(path, sizeof path, "%s/%s", f->path, name);
    unlink(path);
}

static void folder_make(struct folder *f) {
    strcpy(f->path, "/tmp/sr-backtrace-XXXXXX");
    assert_non_null(mkdtemp(f->path));
}

static void folder_remove(const struct folder *f) {
    static const char *const names[] = {"evidence", "maps", "stack", "backtrace"};

    for (size_t i = 0; i < 4; i++)
        drop(f, names[i]);
    assert_int_equal(rmdir(f->path), 0); /* nothing else was left in it */
}

static void save_evidence(const struct folder *f, pid_t pid) {
    struct user_regs_struct r;
    char text[2048], maps_path[64], *maps = malloc(1u << 20), *stack = malloc(STACK_SAVED);
    struct iovec local = {stack, STACK_SAVED}, remote;
    ssize_t n;
    FILE *in;
    int len;

    assert_true(maps && stack);
    assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &r), 0);
    len = snprintf(text, sizeof text,
                   "call write\nreg rip 0x%llx\nreg rsp 0x%llx\nreg rbp 0x%llx\nreg rbx 0x%llx\n"
                   "reg r12 0x%llx\nreg r13 0x%llx\nreg r14 0x%llx\nreg r15 0x%llx\n"
                   "reg rax 0x%llx\nreg rcx 0x%llx\nreg rdx 0x%llx\nreg rsi 0x%llx\n"
                   "reg rdi 0x%llx\nreg r8 0x%llx\nreg r9 0x%llx\nreg r10 0x%llx\nreg r11 0x%llx\n",
                   r.rip, r.rsp, r.rbp, r.rbx, r.r12, r.r13, r.r14, r.r15, r.rax, r.rcx, r.rdx,
                   r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11);
    put(f, "evidence", text, (size_t)len);

    snprintf(maps_path, sizeof maps_path, "/proc/%d/maps", pid);
    in = fopen(maps_path, "r");
    assert_non_null(in);
    put(f, "maps", maps, fread(maps, 1, 1u << 20, in));
    fclose(in);

    remote = (struct iovec){(void *)r.rsp, STACK_SAVED};
    for (n = -1; n < 0 && remote.iov_len > 0; remote.iov_len -= 4096) /* up to the stack's end */
        n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
    assert_true(n > 0);
    put(f, "stack", stack, (size_t)n);
    free(stack);
    free(maps);
}

/* Runs fn(arg) in a child until it stops itself (nr < 0) or stands at call nr; saves it there. */
static void capture(const struct folder *f, void (*fn)(int), int arg, long nr) {
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        if (nr >= 0)
            raise(SIGSTOP);
        fn(arg);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSTOPPED(status));
    for (int i = 0; nr >= 0; i++) {
        struct user_regs_struct r;

        assert_true(i < 1000);
        assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(ptrace(PTRACE_GETREGS, pid, NULL, &r), 0);
        if ((long)r.orig_rax == nr)
            break;
    }
    save_evidence(f, pid);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

static void recurse(int depth) {
    sr_test_recurse((unsigned)depth);
}

static unsigned count_lines(const char *text) {
    unsigned n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* Each name begins the symbol of some frame, later ones further out. */
static void assert_order(const char *text, const char *const names[]) {
    const char *at = text;

    for (size_t i = 0; names[i]; i++) {
        char want[64];

        snprintf(want, sizeof want, " %s+0x", names[i]);
        at = strstr(at, want);
        if (!at) {
            fail_msg("no %s in order in:\n%s", names[i], text);
            return;
        }
    }
}

static char *backtrace_of(const struct folder *f) {
    char *text;
    size_t len = 0;

    drop(f, "backtrace");
    assert_int_equal(sr_backtrace_write(f->path), 0);
    text = get(f, "backtrace", &len);
    assert_non_null(text);
    return text;
}

static void names_functions_in_order(void **state) {
    static const char *const want[] = {"sr_test_inner", "sr_test_middle", "sr_test_compare",
                                       "sr_test_outer", "main",           NULL};
    struct folder f;
    char *text, *between;

    (void)state;
    folder_make(&f);
    for (int way = WAY_RAISE; way <= WAY_WRITE; way++) {
        capture(&f, sr_test_outer, way, way == WAY_WRITE ? SYS_write : -1);
        text = backtrace_of(&f);
        assert_order(text, want);
        assert_non_null(strstr(text, way == WAY_WRITE ? "write+0x" : "raise+0x"));
        between = strchr(strstr(text, "sr_test_compare+"), '\n') + 1; /* qsort, of a library */
        *strchr(between, '\n') = '\0';
        assert_non_null(strstr(between, ".so"));
        assert_int_equal(strncmp(text, "#0  0x0000", 10), 0);
        free(text);
    }
    folder_remove(&f);
}

/* clock_gettime of a process clock goes through the vDSO and from there into the kernel. */
static void unwinds_through_the_vdso(void **state) {
    static const char *const want[] = {"sr_test_inner", "sr_test_outer", "main", NULL};
    struct folder f;
    char *text;

    (void)state;
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_VDSO, SYS_clock_gettime);
    text = backtrace_of(&f);
    assert_non_null(strstr(text, "[vdso]"));
    assert_order(text, want);
    free(text);
    folder_remove(&f);
}

/* The offset of a frame is what addr2line takes: it names the function again. */
static void offsets_suit_addr2line(void **state) {
    char command[512], self[256], name[128] = "", *text, *at;
    struct folder f;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    FILE *in;

    (void)state;
    assert_true(n > 0);
    self[n] = '\0';
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    text = backtrace_of(&f);
    at = strstr(text, "sr_test_middle+");
    assert_non_null(at);
    at = strchr(at, '(');
    assert_non_null(at);
    snprintf(command, sizeof command, "addr2line -f -e '%s' 0x%lx", self,
             strtoul(at + 1, NULL, 16) - 1);
    in = popen(command, "r");
    assert_non_null(in);
    assert_non_null(fgets(name, sizeof name, in));
    pclose(in);
    assert_string_equal(name, "sr_test_middle\n");
    free(text);
    folder_remove(&f);
}

static void frames_are_bounded(void **state) {
    struct folder f;
    char *text;

    (void)state;
    folder_make(&f);
    capture(&f, recurse, 300, -1);
    text = backtrace_of(&f);
    assert_int_equal(count_lines(text), SR_BACKTRACE_FRAMES);
    free(text);
    folder_remove(&f);
}

/* Objects that have gone, or are other files now: frames without names, and no failure. */
static void missing_objects_give_bare_frames(void **state) {
    struct folder f;
    char *maps, *text;
    size_t len = 0;

    (void)state;
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    maps = get(&f, "maps", &len);
    assert_non_null(maps);
    for (char *p = maps; (p = strstr(p, "/test_backtrace")) != NULL; p++)
        p[1] = 'X';
    put(&f, "maps", maps, len);
    text = backtrace_of(&f);
    assert_null(strstr(text, "sr_test_"));
    assert_non_null(strstr(text, "/Xest_backtrace (0x"));
    free(text);

    for (char *p = maps; (p = strstr(p, "/Xest_backtrace")) != NULL; p++) {
        char *digit = strchr(p, '\n'); /* the path is there again, the inode is another */

        p[1] = 't';
        assert_non_null(digit);
        while (digit > maps && digit[-1] != '\n')
            digit--;
        digit = strchr(digit, ':') + 3; /* "START-END PERMS OFFSET MAJOR:MI INODE" */
        assert_int_equal(*digit, ' ');
        digit[1] = digit[1] == '9' ? '1' : (char)(digit[1] + 1);
    }
    put(&f, "maps", maps, len);
    free(maps);
    text = backtrace_of(&f);
    assert_null(strstr(text, "sr_test_"));
    assert_non_null(strstr(text, "/test_backtrace (0x"));
    free(text);
    folder_remove(&f);
}

static void missing_parts(void **state) {
    struct folder f;
    char *text;

    (void)state;
    folder_make(&f);
    assert_int_equal(sr_backtrace_write(f.path), -ENOENT);
    put(&f, "evidence", "reg rsp 0x10\nreg rip x\n", 23);
    assert_int_equal(sr_backtrace_write(f.path), -EINVAL);
    assert_int_equal(sr_backtrace_write("/nonexistent/folder"), -ENOENT);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    drop(&f, "stack");
    text = backtrace_of(&f);
    assert_true(count_lines(text) >= 1);
    free(text);
    drop(&f, "maps");
    text = backtrace_of(&f);
    assert_int_equal(count_lines(text), 1);
    free(text);
    folder_remove(&f);
}

/* A program under test can reach the folder: what it puts there is neither followed nor waited for.
 */
static void traps_in_the_folder(void **state) {
    struct folder f;
    char path[128], outside[64], *text;
    size_t len = 0;

    (void)state;
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    snprintf(outside, sizeof outside, "%s.outside", f.path);
    snprintf(path, sizeof path, "%s/backtrace", f.path);
    assert_int_equal(symlink(outside, path), 0);
    assert_int_equal(sr_backtrace_write(f.path), 0);
    assert_int_not_equal(access(outside, F_OK), 0);
    text = get(&f, "backtrace", &len);
    assert_true(text && len > 0);
    free(text);
    drop(&f, "maps");
    snprintf(path, sizeof path, "%s/maps", f.path);
    assert_int_equal(mkfifo(path, 0600), 0);
    text = backtrace_of(&f);
    assert_int_equal(count_lines(text), 1);
    free(text);
    drop(&f, "evidence");
    snprintf(path, sizeof path, "%s/evidence", f.path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(sr_backtrace_write(f.path), -ELOOP);
    folder_remove(&f);
}

static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t n) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % n);
}

static void damage(char *data, size_t *len) {
    for (size_t n = 1 + random_below(8); n > 0 && *len > 0; n--)
        switch (random_below(4)) {
        case 0:
            data[random_below(*len)] = (char)random_below(256);
            break;
        case 1:
            data[random_below(*len)] ^= (char)(1 << random_below(8));
            break;
        case 2: { /* a line or word once more, elsewhere */
            size_t from = random_below(*len), to = random_below(*len);
            size_t room = *len - (from > to ? from : to);

            memmove(data + to, data + from, random_below(room + 1));
            break;
        }
        default:
            if (random_below(4) == 0)
                *len = random_below(*len);
        }
}

static void damaged_evidence(void **state) {
    static const char *const names[] = {"evidence", "maps", "stack"};
    struct folder f;
    char *good[3], *bad;
    size_t len[3] = {0};
    unsigned written = 0;

    (void)state;
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    for (int i = 0; i < 3; i++) {
        good[i] = get(&f, names[i], &len[i]);
        assert_non_null(good[i]);
    }
    for (int round = 0; round < 600; round++) {
        int i = round % 3, rc;
        size_t n = len[i];

        bad = malloc(n + 1);
        assert_non_null(bad);
        memcpy(bad, good[i], n);
        damage(bad, &n);
        put(&f, names[i], bad, n);
        free(bad);
        drop(&f, "backtrace");
        rc = sr_backtrace_write(f.path);
        assert_true(rc == 0 || rc == -EINVAL);
        if (rc == 0) {
            bad = get(&f, "backtrace", &n);
            assert_non_null(bad);
            assert_in_range(count_lines(bad), 1, SR_BACKTRACE_FRAMES);
            free(bad);
            written++;
        }
        put(&f, names[i], good[i], len[i]);
    }
    assert_true(written > 400); /* most damage leaves an instruction pointer */
    for (int i = 0; i < 3; i++)
        free(good[i]);
    folder_remove(&f);
}

/* libdwfl's own search would ask this server about libc, of which only a build-id is known. */
static void asks_no_server(void **state) {
    int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    struct folder f;
    char url[64];

    (void)state;
    assert_true(s >= 0);
    assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(s, 1), 0);
    assert_int_equal(getsockname(s, (struct sockaddr *)&at, &len), 0);
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(at.sin_port));
    setenv("DEBUGINFOD_URLS", url, 1);
    setenv("DEBUGINFOD_TIMEOUT", "1", 1);
    folder_make(&f);
    capture(&f, sr_test_outer, WAY_RAISE, -1);
    free(backtrace_of(&f));
    assert_int_equal(accept(s, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    unsetenv("DEBUGINFOD_URLS");
    close(s);
    folder_remove(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_functions_in_order),
        cmocka_unit_test(unwinds_through_the_vdso),
        cmocka_unit_test(offsets_suit_addr2line),
        cmocka_unit_test(frames_are_bounded),
        cmocka_unit_test(missing_objects_give_bare_frames),
        cmocka_unit_test(missing_parts),
        cmocka_unit_test(traps_in_the_folder),
        cmocka_unit_test(damaged_evidence),
        cmocka_unit_test(asks_no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
