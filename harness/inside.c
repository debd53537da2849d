/*
 * Replays in the sandbox, see inside.h: fork, apply the scenario, exec the stock program, record.
 *
 * A breakpoint at main (startmain.h) tells start-up from the program's own calls: what was made
 * until it is hit is the start-up set, and a scenario's signals count from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <unistd.h>

#include "argblock.h"
#include "commands.h"
#include "filter.h"
#include "inside.h"
#include "layout.h"
#include "privs.h"
#include "run.h"
#include "startmain.h"
#include "sys.h"

struct replay {
    const struct sr_inside *in;
    struct sr_run run;
    struct sr_union *u;
    FILE *records;
    int dir; /* of the batch */
    char *base, *text;
    size_t base_len, len;
    uint64_t main;       /* address of the breakpoint, 0: none */
    long saved;          /* the word that it stands in */
    struct sr_set early; /* what the first process made before main; peers may be there already */
    bool startup_known;
};

/* Through a descriptor: by then the folder is hidden. */
static char *read_text(int dir, const char *name, size_t *len) {
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    FILE *f = fd >= 0 ? fdopen(fd, "re") : NULL;
    char *text = NULL;

    text = f ? malloc(SR_TEXT_MAX) : NULL;
    *len = text ? fread(text, 1, SR_TEXT_MAX, f) : 0;
    if (f)
        fclose(f);
    return text;
}

static void on_exec(void *ctx, pid_t pid) {
    struct replay *r = ctx;

    if (pid != r->run.recorder.first || r->main)
        return;
    r->main = sr_startmain_find(pid);
    if (!r->main)
        return;
    errno = 0;
    r->saved = ptrace(PTRACE_PEEKTEXT, pid, r->main, NULL);
    if (errno || ptrace(PTRACE_POKETEXT, pid, r->main, (r->saved & ~0xffL) | 0xcc))
        r->main = 0;
}

static void on_any(void *ctx, const struct sr_stop *stop) {
    struct replay *r = ctx;

    if (stop->first && stop->image == 0 && !r->startup_known && !r->run.counting)
        sr_set_add(&r->early, stop->call);
}

static void keep_startup(struct replay *r) {
    if (!r->startup_known)
        sr_set_merge(&r->u->images[0].startup, &r->early);
    r->startup_known = true;
}

static bool on_trap(void *ctx, pid_t tid) {
    struct replay *r = ctx;
    struct user_regs_struct regs;

    if (!r->main || r->run.counting || ptrace(PTRACE_GETREGS, tid, NULL, &regs) ||
        regs.rip != r->main + 1)
        return false;
    ptrace(PTRACE_POKETEXT, tid, r->main, r->saved);
    regs.rip = r->main;
    ptrace(PTRACE_SETREGS, tid, NULL, &regs);
    r->run.counting = true;
    keep_startup(r);
    return true;
}

static _Noreturn void become(struct replay *r, const struct sr_argblock *block) {
    if (!r->run.record || !sr_filter_install(0, 0))
        sr_sys(SYS_execve, r->in->program, block->argv, block->envp);
    for (;;)
        sr_sys(SYS_exit_group, 126);
}

static void merge(struct replay *r) {
    const struct sr_input_record *rec = r->run.result;

    for (uint32_t i = 0; i < rec->n_images; i++)
        sr_set_merge(&r->u->images[rec->images[i].image].calls, &rec->images[i].calls);
}

static int run_once(struct replay *r) {
    struct sr_run *run = &r->run;
    struct sr_argblock block;
    pid_t pid;
    int err;

    run->arena.used = 0;
    run->counting = false;
    r->main = 0;
    sr_scenario_init(&run->scenario);
    sr_scenario_parse(&run->scenario, &run->arena, r->base, r->base_len);
    sr_scenario_parse(&run->scenario, &run->arena, r->text, r->len);
    if (!r->in->record)
        run->scenario.time_ms = SR_TIME_MAX_MS; /* whoever looks at it slows it down */
    err = sr_argblock_make(&block, &run->scenario, r->in->program, NULL);
    pid = err ? err : sr_run_fork(run);
    if (pid == 0)
        become(r, &block);
    if (!err)
        sr_argblock_free(&block);
    if (pid < 0) {
        sr_error("cannot start a run: %s", strerror(-pid));
        return SR_EXIT_ENV;
    }
    sr_run_finish(run, pid);
    if ((run->recorder.ipc || !run->record) && !sr_privs_fresh_ipc())
        run->recorder.ipc = false;
    merge(r);
    run->result->hash = sr_hash64(r->text, r->len);
    if (fwrite(run->result, run->result->bytes, 1, r->records) != 1) {
        sr_error("cannot write the result of a run: %s", strerror(errno));
        return SR_EXIT_ENV;
    }
    return 0;
}

static int run_all(struct replay *r) {
    int status = 0;

    for (size_t i = 0; i < r->in->scenarios && !status; i++) {
        char name[64];

        snprintf(name, sizeof name, SR_OUT_SCENARIO, i);
        r->text = read_text(r->dir, name, &r->len);
        if (!r->text) {
            sr_error("cannot read scenario %zu of the batch", i);
            return SR_EXIT_ENV;
        }
        for (unsigned long k = 0; k < r->in->times && !status; k++)
            status = run_once(r);
        free(r->text);
    }
    return status;
}

static int read_roles(struct replay *r) {
    size_t len;
    char *text = read_text(r->dir, SR_OUT_ROLES, &len), *rest = NULL;
    int err = 0;

    if (text)
        text[len < SR_TEXT_MAX ? len : SR_TEXT_MAX - 1] = 0;
    for (char *line = text ? strtok_r(text, "\n", &rest) : NULL; line && !err;
         line = strtok_r(NULL, "\n", &rest))
        err = sr_roles_rule(r->run.roles, line);
    free(text);
    return err;
}

static int open_all(struct replay *r) {
    char path[4096];
    int err;

    snprintf(path, sizeof path, "%s/%s", r->in->dir, SR_OUT_UNION);
    err = sr_union_open(path, true, &r->u);
    if (!err && sr_union_image(r->u, r->in->program) != 0)
        err = -EINVAL;
    snprintf(path, sizeof path, "%s/%s", r->in->dir, SR_OUT_RECORDS);
    r->records = fopen(path, "we");
    if (!err && !r->records)
        err = -errno;
    r->dir = open(r->in->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (!err && r->dir < 0)
        err = -errno;
    r->base = read_text(r->dir, SR_OUT_BASE, &r->base_len);
    if (!err)
        err = sr_run_init(&r->run, r->u, SR_BOX_ROOT);
    if (!err)
        err = read_roles(r);
    if (!err)
        err = sr_stage_box(&r->run.stage);
    if (!err)
        err = sr_privs_hide(r->in->dir);
    if (!err)
        err = sr_run_start_clock((void (*)(void))(uintptr_t)sr_gate_restorer);
    return err;
}

int sr_inside_run(const struct sr_inside *in) {
    struct replay *r = calloc(1, sizeof *r);
    int status;

    if (!r)
        return SR_EXIT_ENV;
    r->in = in;
    status = open_all(r);
    if (status) {
        sr_error("cannot set up a replay: %s", strerror(-status));
        return SR_EXIT_ENV;
    }
    r->run.owner = (struct sr_run_owner){.ctx = r, .any = on_any, .exec = on_exec, .trap = on_trap};
    r->run.grace_ms = (unsigned)in->grace_ms;
    r->run.record = in->record;
    r->run.keep_caps = in->keep_caps;
    r->run.own_filters = true;
    r->run.stage.echo = in->echo ? STDOUT_FILENO : -1;
    status = run_all(r);
    if (fclose(r->records)) {
        sr_error("cannot write the results: %s", strerror(errno));
        status = SR_EXIT_ENV;
    }
    sr_union_close(r->u);
    close(r->dir);
    free(r->base);
    free(r);
    return status;
}
