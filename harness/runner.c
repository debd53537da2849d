/*
 * Batches of plain runs: the side outside of the sandbox, see runner.h.
 *
 * Scenarios are copied to a private folder that is shown in the sandbox; results come back in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caps.h"
#include "commands.h"
#include "inside.h"
#include "layout.h"
#include "roleconf.h"
#include "runner.h"
#include "sandbox.h"

static bool copy(const char *from, const char *dir, const char *name) {
    char path[4096], buf[65536];
    int in, out;
    ssize_t n = 0;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0) {
        sr_error("%s: %s", from, strerror(errno));
        return false;
    }
    out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ok = out >= 0;
    while (ok && (n = read(in, buf, sizeof buf)) > 0)
        ok = write(out, buf, (size_t)n) == n;
    if (!ok || n < 0)
        sr_error("cannot copy %s to %s: %s", from, dir, strerror(errno));
    close(in);
    if (out >= 0)
        close(out);
    return ok && n == 0;
}

static void remove_dir(const char *dir, size_t scenarios) {
    char path[4096], name[64];

    for (size_t i = 0; i < scenarios; i++) {
        snprintf(name, sizeof name, SR_OUT_SCENARIO, i);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        unlink(path);
    }
    static const char *const others[] = {SR_OUT_BASE, SR_OUT_ROLES, SR_OUT_UNION, SR_OUT_RECORDS};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, others[i]);
        unlink(path);
    }
    rmdir(dir);
}

static bool fill_dir(const struct sr_runner *r, const char *dir, char *const scenarios[],
                     size_t n) {
    for (size_t i = 0; i < n; i++) {
        char name[64];

        snprintf(name, sizeof name, SR_OUT_SCENARIO, i);
        if (!copy(scenarios[i], dir, name))
            return false;
    }
    return !r->base || copy(r->base, dir, SR_OUT_BASE);
}

static bool write_roles(const struct sr_target *t, const char *dir) {
    char path[4096];
    FILE *f;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", dir, SR_OUT_ROLES);
    f = fopen(path, "we");
    if (f)
        sr_roleconf_write(t, "", f);
    ok = f && !ferror(f);
    ok = (!f || !fclose(f)) && ok;
    if (!ok)
        sr_error("%s: %s", path, strerror(errno));
    return ok;
}

/* Runs the command in the sandbox; the exit status, -1 if it cannot be had. */
static int run_command(char **command) {
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execvp(command[0], command);
        sr_error("cannot run bubblewrap: %s; install the package bubblewrap", strerror(errno));
        _exit(SR_EXIT_ENV);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Runs ourselves in the sandbox; the exit status, -1 if it cannot be had. */
static int run_inside(const struct sr_runner *r, const char *dir, size_t n) {
    char times[32], count[32], grace[32], keep[32], plain[] = "--exec";
    char *argv[] = {(char[]){SR_BOX_SELF},
                    (char[]){"replay"},
                    (char[]){"--inside"},
                    (char[]){"--program"},
                    (char *)(uintptr_t)r->program,
                    (char[]){"--count"},
                    count,
                    (char[]){"-n"},
                    times,
                    (char[]){"--grace"},
                    grace,
                    (char[]){"--keep"},
                    keep,
                    r->plain ? plain : NULL,
                    NULL};
    struct sr_sandbox_of *of = calloc(1, sizeof *of);
    struct sr_sandbox box = {.out = dir, .program = r->program, .extra_ro = r->extra_ro};
    char **command = NULL;
    int status = -1;

    if (of && (!r->campaign || !sr_sandbox_of_campaign(r->campaign, of))) {
        box.target = &of->target;
        box.fixtures = of->fixtures[0] ? of->fixtures : NULL;
        snprintf(times, sizeof times, "%u", r->times);
        snprintf(count, sizeof count, "%zu", n);
        snprintf(grace, sizeof grace, "%u", r->grace_ms);
        snprintf(keep, sizeof keep, "%" PRIu64, sr_caps_kept(&of->target));
        command = sr_sandbox_command(&box, argv);
    }
    if (command && write_roles(&of->target, dir))
        status = run_command(command);
    sr_sandbox_free(command);
    if (of)
        sr_target_free(&of->target);
    free(of);
    return status;
}

static bool load_union(const char *dir, struct sr_batch *out) {
    char path[4096];
    const struct sr_union *u;
    int err;

    snprintf(path, sizeof path, "%s/%s", dir, SR_OUT_UNION);
    err = sr_union_open_ro(path, &u);
    if (err) {
        sr_error("cannot read the result of a replay: %s", strerror(-err));
        return false;
    }
    out->u = sr_union_new();
    if (out->u)
        memcpy(out->u, u, sizeof *u);
    sr_union_close(u);
    return out->u;
}

static struct sr_input_record *read_record(FILE *f) {
    struct sr_input_record head, *rec;

    if (fread(&head, sizeof head, 1, f) != 1 || head.magic != SR_INPUT_MAGIC ||
        head.n_images > SR_INPUT_IMAGES_MAX || head.bytes != sr_input_record_bytes(head.n_images) ||
        !(rec = malloc(head.bytes)))
        return NULL;
    *rec = head;
    if (head.n_images && fread(rec->images, head.bytes - sizeof head, 1, f) != 1) {
        free(rec);
        return NULL;
    }
    return rec;
}

static bool load_records(const char *dir, struct sr_batch *out, size_t n) {
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, SR_OUT_RECORDS);
    out->records = calloc(n ? n : 1, sizeof(struct sr_input_record *));
    f = fopen(path, "re");
    if (!f || !out->records) {
        sr_error("cannot read the result of a replay: %s", strerror(errno));
        if (f)
            fclose(f);
        return false;
    }
    out->n_records = n;
    for (size_t i = 0; i < n && (out->records[i] = read_record(f)); i++)
        ;
    fclose(f);
    return true;
}

int sr_runner_run(const struct sr_runner *r, char *const scenarios[], size_t n,
                  struct sr_batch *out) {
    const char *tmp = getenv("TMPDIR");
    char dir[2048];
    bool ok;

    memset(out, 0, sizeof *out);
    snprintf(dir, sizeof dir, "%s/sysreach-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        sr_error("cannot make a folder like %s: %s; set TMPDIR to a folder that can be written",
                 dir, strerror(errno));
        return -1;
    }
    ok = fill_dir(r, dir, scenarios, n);
    if (ok) {
        int status = run_inside(r, dir, n);

        ok = status == 0;
        if (!ok)
            sr_error("the replay in the sandbox failed (status %d)", status);
    }
    ok = ok && load_union(dir, out) && load_records(dir, out, n * r->times);
    remove_dir(dir, n);
    if (!ok)
        sr_batch_free(out);
    return ok ? 0 : -1;
}

void sr_batch_free(struct sr_batch *b) {
    for (size_t i = 0; i < b->n_records; i++)
        free(b->records[i]);
    free(b->records);
    sr_union_close(b->u);
    memset(b, 0, sizeof *b);
}
