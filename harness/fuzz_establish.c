/*
 * What is recorded before the first input: start-up set, seed set, and the environment that the
 * figures were made in. Start-up and seeds run plainly on the stock binary, without AFL++.
 */
#include <dirent.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "buildid.h"
#include "caps.h"
#include "commands.h"
#include "fuzz.h"
#include "layout.h"
#include "names.h"
#include "runner.h"
#include "sandbox.h"

#define EMPTY_SEED        SR_DIR_HOOK "/empty.scn"
#define SEEDS_TO_MENTION  100
#define PROGRAM_BYTES_MAX (512u << 20)

static struct sr_runner runner_of(const struct sr_fuzz *f, char base[PATH_MAX]) {
    return (struct sr_runner){.program = f->c.program,
                              .base = sr_campaign_path(&f->c, SR_DIR_BASE, base),
                              .campaign = f->c.dir,
                              .times = 1,
                              .grace_ms = f->c.grace_ms};
}

/* What the program maps in a plain run: the forkserver sees nothing of what is there before main,
 * and an instrumented build's objects are not the stock binary's. */
static void take_objects(struct sr_fuzz *f, const struct sr_union *seen) {
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *path = sr_union_object_path(seen, i);

        if (path && seen->objects[i].image == 0)
            sr_union_object(f->u, 0, path);
    }
}

/* The program up to main: the same for every input. */
static int record_startup(struct sr_fuzz *f) {
    char path[PATH_MAX], base[PATH_MAX], *scenarios[] = {path};
    struct sr_runner runner = runner_of(f, base);
    struct sr_batch batch;
    int err =
        sr_campaign_path(&f->c, EMPTY_SEED, path) ? sr_file_write(path, "", 0) : -ENAMETOOLONG;

    if (err) {
        sr_error("%s/%s: %s", f->c.dir, EMPTY_SEED, strerror(-err));
        return -1;
    }
    if (sr_runner_run(&runner, scenarios, 1, &batch))
        return -1;
    const struct sr_set *startup = &batch.u->images[0].startup;
    bool empty = sr_set_count(startup) == 0;
    sr_set_merge(&f->u->images[0].startup, startup);
    if (f->hooked != f->u)
        sr_set_merge(&f->hooked->images[0].startup, startup);
    take_objects(f, batch.u);
    sr_batch_free(&batch);
    if (empty)
        sr_error("%s: its start-up could not be recorded: nothing was seen before main; "
                 "try `sysreach trace %s`",
                 f->c.program, f->c.program);
    return empty ? -1 : 0;
}

static int no_dots(const struct dirent *e) {
    return e->d_name[0] != '.';
}

/* With an instrumented build the hook records candidates only; what seeds make on the stock binary
 * is in the dynamic set by right. Otherwise the hook must be the one that sees it first. */
static void merge_record(struct sr_fuzz *f, const struct sr_input_record *r) {
    for (uint32_t i = 0; i < r->n_images; i++) {
        const char *path = sr_union_image_path(f->hooked, r->images[i].image);
        int slot = path ? sr_union_image(f->u, path) : -1;

        if (slot < 0)
            continue;
        struct sr_set calls = sr_set_minus(&r->images[i].calls, &f->u->images[slot].startup);
        sr_set_merge(&f->u->images[slot].calls, &calls);
    }
}

static void take_record(struct sr_fuzz *f, const struct sr_union *names, const char *seed,
                        const struct sr_input_record *r) {
    struct sr_input_record *own = r ? sr_fuzz_record(f, names, r) : NULL;

    if (!own) {
        sr_fuzz_problem(f, "seed %s could not be run on its own; it is not part of the seed set",
                        seed);
        return;
    }
    for (uint32_t i = 0; i < own->n_images; i++)
        sr_set_merge(&f->seed_set[own->images[i].image], &own->images[i].calls);
    if (f->store)
        sr_store_seed(f->store, seed, own);
    if (f->c.instrumented)
        merge_record(f, own);
    free(own);
}

static int record_seeds(struct sr_fuzz *f) {
    char dir[PATH_MAX], base[PATH_MAX], **paths = NULL;
    struct sr_runner runner = runner_of(f, base);
    struct dirent **names = NULL;
    struct sr_batch batch;
    int n =
        sr_campaign_path(&f->c, SR_DIR_SEEDS, dir) ? scandir(dir, &names, no_dots, alphasort) : -1;
    int err = n > 0 && (paths = calloc((size_t)n, sizeof *paths)) ? 0 : -1;

    for (int i = 0; i < n && !err; i++)
        if (asprintf(&paths[i], "%s/%s", dir, names[i]->d_name) < 0) {
            paths[i] = NULL;
            err = -1;
        }
    /* Few of them take no time; a hundred sessions take a minute. */
    if (n >= SEEDS_TO_MENTION)
        fprintf(stderr, "%d seeds run on the stock binary first\n", n);
    if (err)
        sr_error("%s: no seeds, or out of memory", dir);
    else
        err = sr_runner_run(&runner, paths, (size_t)n, &batch);
    if (!err) {
        if (f->store)
            sr_store_begin(f->store);
        for (size_t i = 0; i < (size_t)n; i++)
            take_record(f, batch.u, names[i]->d_name,
                        i < batch.n_records ? batch.records[i] : NULL);
        if (f->store)
            sr_store_commit(f->store);
        take_objects(f, batch.u);
        if (f->c.instrumented)
            sr_union_merge_parts(f->u, batch.u);
        sr_batch_free(&batch);
    }
    for (int i = 0; i < n; i++) {
        if (paths)
            free(paths[i]);
        free(names[i]);
    }
    free(paths);
    free(names);
    return err;
}

/* "4.04c": there is no option that prints just this. */
static void afl_version(const struct sr_fuzz *f, char *buf, size_t size) {
    char line[512], command[PATH_MAX + 32];
    FILE *p;

    snprintf(buf, size, "unknown");
    snprintf(command, sizeof command, "'%s' -h 2>&1", f->afl);
    p = strchr(f->afl, '\'') ? NULL : popen(command, "re");
    if (!p)
        return;
    while (fgets(line, sizeof line, p)) {
        const char *at = strstr(line, "afl-fuzz++");
        if (!at)
            continue;
        at += strlen("afl-fuzz++");
        snprintf(buf, size, "%.*s", (int)strspn(at, "0123456789.abcdefghijklmnopqrstuvwxyz"), at);
        break;
    }
    pclose(p);
}

static void store_program(struct sr_fuzz *f) {
    char id[SR_BUILD_ID_BYTES], text[64], when[32], *bytes;
    struct stat st;
    size_t len;

    sr_store_environment(f->store, "program", f->c.program);
    if (sr_build_id(f->c.program, id))
        sr_store_environment(f->store, "program_build_id", id);
    if (stat(f->c.program, &st) == 0) {
        struct tm tm;

        snprintf(text, sizeof text, "%lld", (long long)st.st_size);
        sr_store_environment(f->store, "program_bytes", text);
        gmtime_r(&st.st_mtime, &tm);
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
        sr_store_environment(f->store, "program_mtime", when);
    }
    bytes = sr_file_read(f->c.program, PROGRAM_BYTES_MAX, &len);
    if (bytes) {
        snprintf(text, sizeof text, "%016" PRIx64, sr_hash64(bytes, len));
        sr_store_environment(f->store, "program_fnv1a64", text);
    }
    free(bytes);
    if (strcmp(f->c.program, f->c.execute) != 0)
        sr_store_environment(f->store, "instrumented_build", f->c.execute);
}

/* Who runs the program: what it may do decides what it can be seen to do. */
static void store_user(struct sr_fuzz *f) {
    struct sr_sandbox_of *of = calloc(1, sizeof *of);
    char *text = NULL;
    size_t len = 0;
    FILE *to = open_memstream(&text, &len);

    if (of && to && !sr_sandbox_of_campaign(f->c.dir, of)) {
        uint64_t kept = sr_caps_kept(&of->target);
        unsigned n = 0;

        fprintf(to, geteuid() ? "an ordinary user (uid %u)" : "root (uid %u)", (unsigned)geteuid());
        for (size_t i = 0; i < of->target.capabilities.n; i++) {
            const char *name = of->target.capabilities.v[i];

            if (kept >> sr_target_capability(name) & 1)
                fprintf(to, "%s%s", n++ ? " " : ", keeps ", name);
        }
        fputs(n ? "" : ", without capabilities", to);
    }
    if (to && fclose(to) == 0 && len)
        sr_store_environment(f->store, "user", text);
    free(text);
    if (of)
        sr_target_free(&of->target);
    free(of);
}

static void store_environment(struct sr_fuzz *f) {
    char text[128];
    struct utsname uts;

    sr_store_begin(f->store);
    sr_store_environment(f->store, "sysreach", SR_VERSION);
    afl_version(f, text, sizeof text);
    sr_store_environment(f->store, "afl_fuzz", text);
    if (uname(&uts) == 0) {
        sr_store_environment(f->store, "kernel", uts.release);
        sr_store_environment(f->store, "machine", uts.machine);
    }
    snprintf(text, sizeof text, "glibc %s", gnu_get_libc_version());
    sr_store_environment(f->store, "libc", text);
    sr_store_environment(f->store, "call_names", sr_call_source());
    snprintf(text, sizeof text, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    sr_store_environment(f->store, "cpus", text);
    snprintf(text, sizeof text, "%u", (unsigned)geteuid());
    sr_store_environment(f->store, "uid", text);
    store_user(f);
    snprintf(text, sizeof text, "%u", f->c.instances);
    sr_store_environment(f->store, "instances", text);
    snprintf(text, sizeof text, "%" PRIu64, f->c.seed);
    if (f->c.has_seed)
        sr_store_environment(f->store, "seed", text);
    if (f->c.target[0])
        sr_store_environment(f->store, "target", f->c.target);
    sr_store_environment(f->store, "mode", f->c.instrumented ? "instrumented" : "stock");
    store_program(f);
    sr_store_commit(f->store);
}

int sr_fuzz_establish(struct sr_fuzz *f) {
    if (f->store && (!f->resumed || f->rebuilt))
        store_environment(f);
    if (sr_set_count(&f->u->images[0].startup) == 0 && record_startup(f))
        return -1;
    if (f->store && sr_store_count(f->store, "seeds") > 0) {
        for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
            if (sr_union_image_path(f->hooked, i))
                f->seed_set[i] = sr_store_seed_set(f->store, i);
        return 0;
    }
    return record_seeds(f);
}
