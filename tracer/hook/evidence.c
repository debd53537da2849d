/*
 * Evidence of a discovery, taken while the thread stands just before the call: the scenario, the
 * arguments, the registers, the memory map and the raw stack. The supervisor makes a backtrace of
 * it.
 *
 * The folder is filled under another name and renamed, so whoever sees it sees all of it; when two
 * instances discover the same call at the same time, the second rename fails and the first stands.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <time.h>

#include "hook.h"
#include "sys.h"
#include "text.h"

#define STACK_BYTES (64u << 10)
#define PAGE_BYTES  4096u

static int write_file(int dir, const char *name, const void *data, size_t len) {
    long fd = sr_sys(SYS_openat, dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    long n;

    if (fd < 0)
        return (int)fd;
    n = sr_sys(SYS_write, fd, data, len);
    sr_sys(SYS_close, fd);
    return n == (long)len ? 0 : n < 0 ? (int)n : -ENOSPC;
}

/* The buffer of the scenario's text serves the other files too, one after the other. */
static int write_scenario(struct sr_hook *h, int dir) {
    size_t len = sr_scenario_print(&h->run.scenario, true, h->print, SR_PRINT_BYTES);

    return write_file(dir, "scenario", h->print, len < SR_PRINT_BYTES ? len : SR_PRINT_BYTES);
}

static int write_maps(struct sr_hook *h, int dir, pid_t tid) {
    char path[64];
    struct sr_text t = {path, sizeof path, 0};
    size_t len = 0;
    long fd, n;

    sr_text_proc(&t, tid, "maps");
    fd = sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    while (len < SR_PRINT_BYTES &&
           (n = sr_sys(SYS_read, fd, h->print + len, SR_PRINT_BYTES - len)) > 0)
        len += (size_t)n;
    sr_sys(SYS_close, fd);
    return write_file(dir, "maps", h->print, len);
}

static int write_stack(struct sr_hook *h, int dir, const struct sr_stop *stop) {
    size_t len = 0;

    /* Page by page: it ends where the mapping ends. */
    while (len < STACK_BYTES) {
        uint64_t at = stop->sp + len;
        size_t want = PAGE_BYTES - at % PAGE_BYTES;
        struct iovec here = {h->print + len, want}, there = {(void *)at, want};

        if (sr_sys(SYS_process_vm_readv, stop->tid, &here, 1, &there, 1, 0) != (long)want)
            break;
        len += want;
    }
    return write_file(dir, "stack", h->print, len);
}

static void key_hex(struct sr_text *t, const char *key, uint64_t v) {
    sr_text_str(t, key);
    sr_text_str(t, " 0x");
    sr_text_number(t, v, 16);
    sr_text_str(t, "\n");
}

static void key_int(struct sr_text *t, const char *key, int64_t v) {
    sr_text_str(t, key);
    sr_text_str(t, " ");
    sr_text_int(t, v);
    sr_text_str(t, "\n");
}

static void key_str(struct sr_text *t, const char *key, const char *v) {
    sr_text_str(t, key);
    sr_text_str(t, " ");
    sr_text_str(t, v);
    sr_text_str(t, "\n");
}

static void registers(struct sr_text *t, pid_t tid) {
    struct user_regs_struct r;

    if (sr_sys(SYS_ptrace, PTRACE_GETREGS, tid, 0, &r))
        return;
    const struct {
        const char *key;
        uint64_t value;
    } all[] = {
        {"reg rip", r.rip}, {"reg rsp", r.rsp}, {"reg rbp", r.rbp}, {"reg rax", r.orig_rax},
        {"reg rbx", r.rbx}, {"reg rcx", r.rcx}, {"reg rdx", r.rdx}, {"reg rsi", r.rsi},
        {"reg rdi", r.rdi}, {"reg r8", r.r8},   {"reg r9", r.r9},   {"reg r10", r.r10},
        {"reg r11", r.r11}, {"reg r12", r.r12}, {"reg r13", r.r13}, {"reg r14", r.r14},
        {"reg r15", r.r15},
    };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        key_hex(t, all[i].key, all[i].value);
}

static int write_evidence(struct sr_hook *h, int dir, const struct sr_stop *stop) {
    struct sr_text t = {h->print, SR_PRINT_BYTES, 0};
    const char *image = sr_union_image_path(h->u, stop->image);

    key_str(&t, "image", image ? image : "?");
    key_int(&t, "abi", stop->call.abi);
    key_int(&t, "nr", stop->call.nr);
    sr_text_str(&t, "args");
    for (int i = 0; i < 6; i++) {
        sr_text_str(&t, " 0x");
        sr_text_number(&t, stop->args[i], 16);
    }
    sr_text_str(&t, "\n");
    key_hex(&t, "ip", stop->ip);
    key_hex(&t, "sp", stop->sp);
    key_int(&t, "tid", stop->tid);
    key_int(&t, "first", stop->first);
    key_str(&t, "instance", h->conf.instance);
    key_int(&t, "input", (int64_t)h->instance->started);
    key_int(&t, "call", (int64_t)h->run.result->calls);
    key_int(&t, "time_ms", sr_clock_ms(CLOCK_REALTIME));
    key_hex(&t, "hash", h->hash);
    registers(&t, stop->tid);
    return write_file(dir, "evidence", h->print, t.len);
}

int sr_hook_witness(struct sr_hook *h, const struct sr_stop *stop) {
    char tmp[64], name[64];
    struct sr_text t = {tmp, sizeof tmp, 0}, n = {name, sizeof name, 0};
    long dir;
    int err;

    sr_text_str(&t, ".new-");
    sr_text_str(&t, h->conf.instance);
    sr_text_int(&n, stop->image);
    sr_text_str(&n, "-");
    sr_text_int(&n, stop->call.abi);
    sr_text_str(&n, "-");
    sr_text_int(&n, stop->call.nr);
    sr_sys(SYS_mkdirat, h->discoveries, tmp, 0755);
    dir = sr_sys(SYS_openat, h->discoveries, tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return (int)dir;
    err = write_scenario(h, (int)dir);
    if (!err)
        err = write_maps(h, (int)dir, stop->tid);
    if (!err)
        err = write_stack(h, (int)dir, stop);
    if (!err)
        err = write_evidence(h, (int)dir, stop);
    sr_sys(SYS_close, dir);
    if (!err)
        err = (int)sr_sys(SYS_renameat, h->discoveries, tmp, h->discoveries, name);
    return err == -EEXIST || err == -ENOTEMPTY ? 0 : err;
}
