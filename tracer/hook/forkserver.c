/*
 * AFL++'s forkserver protocol (4.04c), and what happens around each input.
 *
 * Descriptor 199 says hello (options, map size) and reports pids and statuses; 198 asks for runs.
 * The test case comes in shared memory where AFL++ offers it, else on descriptor 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "argblock.h"
#include "filter.h"
#include "hook.h"
#include "privs.h"
#include "sys.h"

#define ASK_FD  198
#define TELL_FD 199

/* AFL++'s include/types.h: bits of the hello. */
#define FS_ENABLED  0x80000001u
#define FS_MAPSIZE  0x40000000u
#define FS_SHM_FUZZ 0x01000000u

/* Defined by afl-clang-fast's runtime in instrumented programs only. */
extern uint8_t *__afl_area_ptr __attribute__((weak));
extern uint32_t __afl_final_loc __attribute__((weak));

static int find_code(struct dl_phdr_info *info, size_t size, void *to) {
    struct sr_code *code = to;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        uintptr_t lo = info->dlpi_addr + p->p_vaddr;
        if (!code->hi || lo < code->lo)
            code->lo = lo;
        if (lo + p->p_memsz > code->hi)
            code->hi = lo + p->p_memsz;
    }
    return 1; /* the first object is the program */
}

static void *room(size_t bytes) {
    void *p = sr_map(bytes, MAP_PRIVATE | MAP_NORESERVE);

    if (p)
        sr_sys(SYS_madvise, p, bytes, MADV_DONTFORK);
    return p;
}

static int read_base(struct sr_hook *h) {
    long fd, n;

    h->base_text = room(SR_TEXT_MAX);
    if (!h->base_text)
        return -ENOMEM;
    if (!h->conf.base)
        return 0;
    fd = sr_sys(SYS_openat, AT_FDCWD, h->conf.base, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return (int)fd;
    n = sr_sys(SYS_read, fd, h->base_text, SR_TEXT_MAX);
    sr_sys(SYS_close, fd);
    h->base_len = n > 0 ? (size_t)n : 0;
    return n < 0 ? (int)n : 0;
}

static int high_open(const char *path, int flags) {
    long fd = sr_sys(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0644), up;

    if (fd < 0)
        return (int)fd;
    up = sr_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 256);
    sr_sys(SYS_close, fd);
    return (int)up;
}

static void *attach_shm(const char *env) {
    const char *id = getenv(env);
    long p = id ? sr_sys(SYS_shmat, atoi(id), 0, 0) : -EINVAL;

    return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* AFL++'s maps: ours begins behind the program's own entries, if it has any. */
static int attach_maps(struct sr_hook *h) {
    uint32_t own = &__afl_final_loc ? (__afl_final_loc + 64) & ~63u : 0;

    h->map_size = own + SR_SITES_MAX;
    if (&__afl_area_ptr)
        h->map = __afl_area_ptr;
    else if ((h->map = attach_shm("__AFL_SHM_ID")))
        sr_sys(SYS_madvise, h->map, (size_t)h->map_size, MADV_DONTFORK);
    if (!h->map)
        return -ENOENT;
    h->map += own;
    h->shm_input = attach_shm("__AFL_SHM_FUZZ_ID");
    if (h->shm_input)
        sr_sys(SYS_madvise, h->shm_input, (size_t)SR_TEXT_MAX, MADV_DONTFORK);
    else if (!(h->input = room(SR_TEXT_MAX)))
        return -ENOMEM;
    return 0;
}

static void on_fresh(void *ctx, const struct sr_stop *stop) {
    struct sr_hook *h = ctx;
    struct sr_set *seen = &h->u->images[stop->image].calls;

    if (sr_set_has(seen, stop->call))
        return;
    /* Evidence first: what is in the union has a witness, even if we are killed in between. */
    if (sr_hook_witness(h, stop))
        __atomic_fetch_add(&h->instance->unwitnessed, 1, __ATOMIC_RELAXED);
    sr_set_add(seen, stop->call);
}

static void on_any(void *ctx, const struct sr_stop *stop) {
    sr_hook_site(ctx, stop);
}

static int open_files(struct sr_hook *h) {
    int err = sr_union_open(h->conf.union_path, false, &h->u);

    if (err)
        return err;
    madvise(h->u, sizeof *h->u, MADV_DONTFORK);
    /* Slot 0 is the program; a file made by the supervisor has it already. */
    if (sr_union_image(h->u, h->conf.program) != 0)
        return -EINVAL;
    h->instance = &h->u->instances[h->conf.slot];
    memcpy(h->instance->name, h->conf.instance,
           strnlen(h->conf.instance, sizeof h->instance->name - 1));
    h->instance->restarts++;
    h->discoveries = high_open(h->conf.discoveries, O_RDONLY | O_DIRECTORY);
    h->inputs = high_open(h->conf.inputs, O_WRONLY | O_APPEND | O_CREAT);
    if (h->discoveries < 0 || h->inputs < 0)
        return h->discoveries < 0 ? h->discoveries : h->inputs;
    h->print = room(SR_PRINT_BYTES);
    return h->print ? read_base(h) : -ENOMEM;
}

/* In the sandbox only: all that lies in the campaign folder is open by now. */
static int enter_box(struct sr_hook *h, const char *conf_path) {
    int err;

    if (!h->conf.hide)
        return 0;
    err = sr_stage_box(&h->run.stage);
    if (!err)
        err = sr_privs_hide(h->conf.hide);
    if (err)
        sr_hook_error(conf_path, "the campaign folder could not be hidden from the program", err);
    return err;
}

int sr_hook_set_up(struct sr_hook *h, const char *conf_path) {
    uintptr_t lo, hi;
    void (*restorer)(void);
    int err = sr_hook_read_conf(&h->conf, conf_path);

    if (!err)
        err = open_files(h);
    if (!err)
        err = attach_maps(h);
    if (!err)
        err = sr_gate_move(&lo, &hi, &restorer);
    if (!err)
        err = sr_run_init(&h->run, h->u, h->conf.root);
    for (unsigned i = 0; !err && i < h->conf.n_roles; i++)
        err = sr_roles_rule(h->run.roles, h->conf.roles[i]);
    if (err)
        return err;
    h->run.owner = (struct sr_run_owner){.ctx = h, .fresh = on_fresh, .any = on_any};
    h->run.grace_ms = h->conf.grace_ms;
    h->run.record = h->conf.record;
    h->run.counting = true;
    h->run.keep_caps = h->conf.keep_caps;
    dl_iterate_phdr(find_code, &h->code);
    err = sr_run_start_clock(restorer);
    if (!err)
        err = enter_box(h, conf_path);
    if (!err && (err = sr_hook_prelude(h)))
        sr_hook_error(conf_path, "the target's prelude cannot be run in this program", err);
    /* The last step: from here on only the gate. */
    return err || !h->conf.record ? err : sr_filter_install(lo, hi);
}

static long tell(uint32_t word) {
    return sr_sys(SYS_write, TELL_FD, &word, sizeof word);
}

static bool ask(uint32_t *word) {
    long n;

    while ((n = sr_sys(SYS_read, ASK_FD, word, sizeof *word)) == -EINTR)
        ;
    return n == sizeof *word;
}

/* False: nobody listens, or not in this protocol. */
static bool say_hello(struct sr_hook *h) {
    uint32_t hello = FS_ENABLED | FS_MAPSIZE | (h->map_size - 1) << 1, answer = 0;

    if (h->shm_input)
        hello |= FS_SHM_FUZZ;
    if (tell(hello) != sizeof hello)
        return false;
    if (!h->shm_input)
        return true;
    return ask(&answer) && (answer & FS_SHM_FUZZ);
}

static void fetch_input(struct sr_hook *h) {
    if (h->shm_input) {
        uint32_t len;

        memcpy(&len, h->shm_input, sizeof len);
        h->len = len < SR_TEXT_MAX ? len : SR_TEXT_MAX;
        h->data = (const char *)h->shm_input + sizeof len;
        return;
    }
    long n = sr_sys(SYS_pread64, 0, h->input, (size_t)SR_TEXT_MAX, 0);
    h->len = n > 0 ? (size_t)n : 0;
    h->data = h->input;
}

static void parse(struct sr_hook *h) {
    h->run.arena.used = 0;
    sr_scenario_init(&h->run.scenario);
    sr_scenario_parse(&h->run.scenario, &h->run.arena, h->base_text, h->base_len);
    sr_scenario_parse(&h->run.scenario, &h->run.arena, h->data, h->len);
    h->hash = sr_hash64(h->data, h->len);
    h->depth = sr_scenario_depth(&h->run.scenario, h->conf.session, h->conf.n_session);
}

static bool is_crash(const struct sr_hook *h) {
    int signo = WIFSIGNALED(h->run.result->status) ? WTERMSIG(h->run.result->status) : 0;

    return !h->run.signalled &&
           (signo == SIGSEGV || signo == SIGBUS || signo == SIGILL || signo == SIGFPE ||
            signo == SIGABRT || signo == SIGTRAP || signo == SIGSYS);
}

/*
 * What afl-fuzz is told. An input that ends by an ordinary signal (or that we ended) is an input
 * like any other and belongs in the queue, so it is an exit; crashes stay crashes, and so does a
 * SIGKILL by afl-fuzz itself.
 */
static uint32_t status_for_afl(const struct sr_hook *h) {
    int status = h->run.result->status;
    bool by_us = h->run.result->flags & (SR_INPUT_TIMEOUT | SR_INPUT_CUT);

    if (is_crash(h) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !by_us))
        return (uint32_t)status;
    return 0;
}

static void count(const struct sr_hook *h) {
    const struct sr_input_record *rec = h->run.result;
    struct sr_union_instance *i = h->instance;

    i->calls += rec->calls;
    i->timeouts += (rec->flags & SR_INPUT_TIMEOUT) != 0;
    i->leftover += (rec->flags & SR_INPUT_LEFTOVER) != 0;
    i->cut += (rec->flags & SR_INPUT_CUT) != 0;
    i->denied += h->run.recorder.denied;
    i->crashes += is_crash(h);
    i->depth_inputs[h->depth]++;
    i->depth_us[h->depth] += h->run.took_us;
    i->finished++;
}

static void become_program(struct sr_hook *h, const struct sr_argblock *block) {
    if (sr_hook_is_fresh(h)) {
        sr_sys(SYS_execve, h->conf.program, block->argv, block->envp);
        sr_sys(SYS_exit_group, 125);
    }
    sr_sys(SYS_munmap, h->run.arena.base, h->run.arena.size);
}

void sr_hook_serve(struct sr_hook *h, struct sr_argblock *out) {
    uint32_t word;

    if (!say_hello(h))
        sr_sys(SYS_exit_group, 1);
    while (ask(&word)) {
        pid_t pid;

        fetch_input(h);
        parse(h);
        h->site_is_new = false;
        h->instance->started++;
        if (sr_argblock_make(out, &h->run.scenario, h->conf.program, h->auxv))
            break;
        pid = sr_run_fork(&h->run);
        if (pid == 0)
            return become_program(h, out);
        sr_argblock_free(out);
        if (pid < 0 || tell((uint32_t)pid) != sizeof word)
            break;
        sr_run_finish(&h->run, pid);
        if (h->run.recorder.ipc && h->conf.hide && !sr_privs_fresh_ipc())
            h->run.recorder.ipc = false;
        count(h);
        sr_hook_log(h);
        if (tell(status_for_afl(h)) != sizeof word)
            break;
    }
    sr_sys(SYS_exit_group, 0);
}
