/*
 * Makes a campaign folder, or opens one to go on with.
 *
 * A new folder is complete or not there: campaign.conf is written last, and whatever fails before
 * the first input takes the folder away again.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "fuzz.h"
#include "instrument.h"
#include "layout.h"
#include "paths.h"
#include "roleconf.h"
#include "target.h"

#define REFERENCE_BYTES_MAX (4u << 20)
#define INSTRUMENT_SCRIPT   "build-instrumented.sh"
#define INSTRUMENTED_MAP    (1u << 20) /* room; afl-fuzz takes the size that the hook announces */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* Whatever the path holds, mkdir -p. 0 or a negative errno. */
static int make_folders(const char *path) {
    char part[PATH_MAX];

    for (size_t i = 1; i < sizeof part; i++) {
        if (path[i] && path[i] != '/')
            continue;
        memcpy(part, path, i);
        part[i] = 0;
        if (mkdir(part, 0755) && errno != EEXIST)
            return -errno;
        if (!path[i])
            return 0;
    }
    return -ENAMETOOLONG;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The folder itself: new, or there and empty. */
static int make_campaign_dir(struct sr_fuzz *f) {
    static const char *const parts[] = {SR_DIR_SEEDS, SR_DIR_AFL, SR_DIR_HOOK, SR_DIR_DISCOVERIES,
                                        SR_DIR_LOG};
    char dir[PATH_MAX], path[PATH_MAX], stamp[32];
    time_t now = time(NULL);
    struct tm tm;
    int err;

    localtime_r(&now, &tm);
    strftime(stamp, sizeof stamp, "%Y%m%d-%H%M%S", &tm);
    int n = f->options.dir
                ? snprintf(dir, sizeof dir, "%s", f->options.dir)
                : snprintf(dir, sizeof dir, "results/local/%s-%s",
                           f->c.target[0] ? f->c.target : base_name(f->c.program), stamp);
    if (n <= 0 || n >= (int)sizeof dir - NAME_MAX) {
        sr_error("the name of the campaign folder is empty or too long; choose another with -o");
        return SR_EXIT_USAGE;
    }
    bool new = access(dir, F_OK) != 0;
    if (!new &&rmdir(dir)) {
        sr_error("%s: is there already; go on with it (--resume %s) or choose another one (-o)",
                 dir, dir);
        return SR_EXIT_USAGE;
    }
    err = make_folders(dir);
    if (!err && !realpath(dir, f->c.dir))
        err = -errno;
    for (size_t i = 0; !err && i < sizeof parts / sizeof *parts; i++)
        if (mkdir(sr_campaign_path(&f->c, parts[i], path), 0755))
            err = -errno;
    if (!err)
        return SR_EXIT_OK;
    sr_error("%s: %s; choose a folder that can be written with -o DIR", dir, strerror(-err));
    return SR_EXIT_ENV;
}

static int copy_file(struct sr_fuzz *f, const char *from, const char *name) {
    char path[PATH_MAX], *bytes;
    size_t len;
    int err;

    bytes = sr_file_read(from, REFERENCE_BYTES_MAX, &len);
    if (!bytes) {
        sr_error("%s: %s", from, strerror(errno));
        return SR_EXIT_USAGE;
    }
    err = sr_campaign_path(&f->c, name, path) ? sr_file_write(path, bytes, len) : -ENAMETOOLONG;
    free(bytes);
    if (err)
        sr_error("%s/%s: %s", f->c.dir, name, strerror(-err));
    return err ? SR_EXIT_ENV : SR_EXIT_OK;
}

/* Both unions, of full size on the disk from the start; the program is image 0. */
static int make_unions(struct sr_fuzz *f) {
    char path[PATH_MAX];
    int err = sr_union_open(sr_campaign_path(&f->c, SR_DIR_UNION, path), true, &f->u);

    f->hooked = f->u;
    if (!err && f->c.instrumented)
        err = sr_union_open(sr_campaign_path(&f->c, SR_DIR_CANDIDATES, path), true, &f->hooked);
    if (err) {
        sr_error("%s: %s; it needs %zu KiB that can be mapped as shared memory", path,
                 strerror(-err), sizeof *f->u / 1024);
        return SR_EXIT_ENV;
    }
    sr_union_image(f->u, f->c.program);
    sr_union_image(f->hooked, f->c.program);
    return SR_EXIT_OK;
}

/* Reads the target's file. *path: PATH_MAX bytes. */
static int read_target(struct sr_fuzz *f, struct sr_target *t, char *path) {
    const char *word = f->options.words[0];
    char err[1024];

    if (strchr(word, '/')) {
        snprintf(path, PATH_MAX, "%s", word);
    } else if (sr_paths_target(word, path, PATH_MAX)) {
        sr_error(
            "no target '%s'; a path to a target file needs a '/', and a program without one is "
            "fuzzed with: sysreach fuzz -- %s ARGS",
            word, word);
        return SR_EXIT_USAGE;
    }
    if (sr_target_read(path, t, err, sizeof err)) {
        sr_error("%s", err);
        return SR_EXIT_USAGE;
    }
    if (sr_roleconf_check(t, err, sizeof err)) {
        sr_error("%s: %s", path, err);
        return SR_EXIT_USAGE;
    }
    if (f->options.quick && !t->quick) {
        sr_error("-p quick: %s has no line `quick`; leave the option out", path);
        return SR_EXIT_USAGE;
    }
    snprintf(f->c.target, sizeof f->c.target, "%.*s", NAME_MAX, base_name(path));
    return SR_EXIT_OK;
}

/* package: that it comes from, NULL: not known. */
static int find_program(struct sr_fuzz *f, const char *name, const char *package) {
    if (sr_paths_program(name, f->c.program, sizeof f->c.program)) {
        if (package)
            sr_error("%s: %s; install the package %s", name, strerror(errno), package);
        else
            sr_error("%s: %s; install it, or give its path", name, strerror(errno));
        return SR_EXIT_ENV;
    }
    if (sr_fuzz_check_program(f->c.program))
        return SR_EXIT_USAGE;
    memcpy(f->c.execute, f->c.program, sizeof f->c.execute);
    return SR_EXIT_OK;
}

static const char *seeds_of(const struct sr_fuzz *f, const struct sr_target *t,
                            char buf[PATH_MAX]) {
    if (f->options.seeds)
        return f->options.seeds;
    if (!t)
        return NULL;
    if (t->seeds)
        return t->seeds;
    return sr_paths_seeds(f->c.target, buf, PATH_MAX) ? NULL : buf;
}

/* Everything that lies in the folder before the first run. t: NULL for a command. */
static int fill(struct sr_fuzz *f, const struct sr_target *t, const char *target_path) {
    char path[PATH_MAX];
    int err, status;

    if (t) {
        err = sr_file_write(sr_campaign_path(&f->c, SR_DIR_BASE, path), t->base, strlen(t->base));
        status = copy_file(f, target_path, SR_DIR_TARGET);
        if (!status && t->reference) {
            snprintf(f->c.reference, sizeof f->c.reference, "%s", t->reference_name);
            status = copy_file(f, t->reference, SR_DIR_REFERENCE);
        }
        if (!status)
            status = sr_fuzz_fixtures(f, t);
        if (status)
            return status;
    } else {
        err = sr_fuzz_base_of_command(f);
    }
    if (err) {
        sr_error("%s/%s: %s", f->c.dir, SR_DIR_BASE, strerror(-err));
        return SR_EXIT_ENV;
    }
    if ((status =
             sr_fuzz_seeds(f, seeds_of(f, t, path), f->options.quick && t ? t->quick : NULL)) ||
        (status = make_unions(f)))
        return status;
    f->c.created_ms = sr_epoch_ms();
    err = sr_campaign_save(&f->c);
    if (err) {
        sr_error("%s/%s: %s", f->c.dir, SR_DIR_CONF, strerror(-err));
        return SR_EXIT_ENV;
    }
    return SR_EXIT_OK;
}

static int lock(struct sr_fuzz *f) {
    int fd = sr_campaign_lock(&f->c);

    if (fd >= 0)
        return SR_EXIT_OK; /* held until the process ends */
    if (fd == -EWOULDBLOCK)
        sr_error("%s: a campaign is running there; see `sysreach status %s`", f->c.dir, f->c.dir);
    else
        sr_error("%s: %s", f->c.dir, strerror(-fd));
    return SR_EXIT_ENV;
}

static void open_store(struct sr_fuzz *f) {
    char path[PATH_MAX], why[256];

    sr_campaign_path(&f->c, SR_DIR_DB, path);
    f->store = sr_store_open(path, SR_STORE_WRITE, why, sizeof why);
    if (!f->store)
        sr_fuzz_problem(f, "%s: %s; goes on without: there will be no curve", path, why);
}

static void begin_run(struct sr_fuzz *f) {
    if (!f->store)
        return;
    sr_store_begin(f->store);
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(f->hooked, i))
            sr_store_image(f->store, i, sr_union_image_path(f->hooked, i));
    f->run = sr_store_run_begin(f->store, sr_epoch_ms(), f->offset_ms);
    sr_store_commit(f->store);
}

static void name_instances(struct sr_fuzz *f) {
    for (unsigned i = 0; i < f->c.instances; i++) {
        f->instances[i].inputs_fd = -1;
        if (i)
            snprintf(f->instances[i].name, sizeof f->instances[i].name, "s%u", i);
        else
            snprintf(f->instances[i].name, sizeof f->instances[i].name, "main");
    }
}

static int write_hook_confs(struct sr_fuzz *f) {
    for (unsigned i = 0; i < f->c.instances; i++) {
        int err = sr_fuzz_write_hook_conf(f, i);
        if (err) {
            sr_error("%s/%s: %s", f->c.dir, SR_DIR_HOOK, strerror(-err));
            return SR_EXIT_ENV;
        }
    }
    return SR_EXIT_OK;
}

/* Words or lines in one string; NULL: out of memory. */
static char *joined(const struct sr_strings *strings, char between) {
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return NULL;
    for (size_t i = 0; i < strings->n; i++) {
        if (i)
            fputc(between, f);
        fputs(strings->v[i], f);
    }
    return fclose(f) ? NULL : text;
}

/* The build with afl-clang-fast that the instances run in place of the program. */
static int build_instrumented(struct sr_fuzz *f, const struct sr_target *t) {
    char script[PATH_MAX], *depends, *lines;
    int status = SR_EXIT_ENV;

    if (f->options.is_command || !t->package || !t->built) {
        sr_error("--instrumented needs a target file with `package` and `built`; without it the "
                 "stock binary is fuzzed");
        return SR_EXIT_USAGE;
    }
    if (sr_paths_script(INSTRUMENT_SCRIPT, script, sizeof script)) {
        sr_error("%s: %s; run `make install` again", script, strerror(errno));
        return SR_EXIT_ENV;
    }
    f->c.map_size = INSTRUMENTED_MAP;
    depends = joined(&t->depends, ' ');
    lines = joined(&t->build, '\n');
    if (!depends || !lines)
        sr_error("out of memory");
    else
        status = sr_instrument_build(script, f->c.program, t->package, t->built,
                                     t->depends.n ? depends : NULL, t->build.n ? lines : NULL,
                                     f->c.execute, sizeof f->c.execute);
    free(depends);
    free(lines);
    return status;
}

/* A new campaign, from the options to the folder with its sets. */
static int prepare(struct sr_fuzz *f, struct sr_target *t) {
    char target_path[PATH_MAX] = "";
    int status = SR_EXIT_OK;

    if (!f->options.is_command)
        status = read_target(f, t, target_path);
    if (!status)
        status = f->options.is_command ? find_program(f, f->options.words[0], NULL)
                                       : find_program(f, t->program, t->package);
    if (!status && sr_fuzz_check_system(f))
        status = SR_EXIT_ENV;
    if (!status && f->c.instrumented)
        status = build_instrumented(f, t);
    if (!status)
        status = make_campaign_dir(f);
    if (status)
        return status;
    f->c.grace_ms = f->options.is_command ? SR_GRACE_DEFAULT_MS : t->grace_ms;
    status = fill(f, f->options.is_command ? NULL : t, target_path);
    if (!status)
        status = lock(f);
    if (status)
        return status;
    name_instances(f);
    open_store(f);
    begin_run(f);
    if (write_hook_confs(f) || sr_fuzz_establish(f))
        return SR_EXIT_ENV;
    return SR_EXIT_OK;
}

int sr_fuzz_prepare(struct sr_fuzz *f) {
    struct sr_target t;
    int status;

    if (sr_target_init(&t)) {
        sr_error("out of memory");
        return SR_EXIT_ENV;
    }
    f->c.instances = f->options.instances ? f->options.instances : 1;
    f->c.has_seed = f->options.has_seed;
    f->c.seed = f->options.seed;
    f->c.instrumented = f->options.instrumented;
    f->c.map_size = SR_SITES_MAX;
    status = prepare(f, &t);
    sr_target_free(&t);
    if (status && f->c.dir[0]) {
        sr_store_close(f->store);
        f->store = NULL;
        nftw(f->c.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    }
    return status;
}

/* A damaged database is put aside; discoveries come back from their folders, seeds are run again,
 * the curve before now is lost. */
static void open_store_again(struct sr_fuzz *f) {
    char path[PATH_MAX], aside[PATH_MAX + 32], why[256], other[PATH_MAX + 8];
    bool missing = access(sr_campaign_path(&f->c, SR_DIR_DB, path), F_OK) != 0;

    f->store = missing ? NULL : sr_store_open(path, SR_STORE_WRITE, why, sizeof why);
    if (f->store)
        return;
    if (!missing) {
        snprintf(aside, sizeof aside, "%s.damaged-%lld", path, (long long)time(NULL));
        sr_error("%s: %s; kept as %s, and a new one is made from the folder: the curve begins anew",
                 path, why, aside);
        if (rename(path, aside))
            sr_error("%s: %s", path, strerror(errno));
        for (int i = 0; i < 2; i++) {
            snprintf(other, sizeof other, "%s%s", path, i ? "-shm" : "-wal");
            unlink(other);
        }
    } else {
        sr_error("%s: is missing; a new one is made from the folder: the curve begins anew", path);
    }
    f->rebuilt = true;
    open_store(f);
}

static int reopen_unions(struct sr_fuzz *f) {
    char path[PATH_MAX];
    int err = sr_union_open(sr_campaign_path(&f->c, SR_DIR_UNION, path), false, &f->u);

    f->hooked = f->u;
    if (!err && f->c.instrumented)
        err = sr_union_open(sr_campaign_path(&f->c, SR_DIR_CANDIDATES, path), false, &f->hooked);
    if (!err)
        return SR_EXIT_OK;
    sr_error("%s: %s; this campaign cannot go on, start another one", path,
             err == -EINVAL ? "it is damaged or of another version" : strerror(-err));
    return SR_EXIT_ENV;
}

static void known_discoveries(struct sr_fuzz *f) {
    long n = f->store ? sr_store_discoveries(f->store, &f->discoveries) : 0;

    f->n_discoveries = f->room = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < f->n_discoveries; i++)
        if (f->discoveries[i].image < SR_IMAGES_MAX)
            sr_set_add(&f->known[f->discoveries[i].image], f->discoveries[i].call);
    f->last_news = f->n_discoveries;
}

int sr_fuzz_resume(struct sr_fuzz *f) {
    int status;

    if (sr_campaign_open(f->options.resume, &f->c))
        return SR_EXIT_USAGE;
    f->resumed = true;
    if (sr_fuzz_check_program(f->c.program) || sr_fuzz_check_program(f->c.execute) ||
        sr_fuzz_check_system(f))
        return SR_EXIT_ENV;
    if ((status = lock(f)) || (status = reopen_unions(f)))
        return status;
    name_instances(f);
    open_store_again(f);
    f->offset_ms = f->store ? sr_store_elapsed(f->store) : 0;
    begin_run(f);
    known_discoveries(f);
    if (write_hook_confs(f) || sr_fuzz_establish(f))
        return SR_EXIT_ENV;
    sr_fuzz_take_discoveries(f, true);
    return SR_EXIT_OK;
}

void sr_fuzz_close(struct sr_fuzz *f, const char *reason) {
    if (f->store) {
        sr_store_begin(f->store);
        sr_store_run_end(f->store, f->run, sr_epoch_ms(), reason);
        sr_store_commit(f->store);
        sr_store_close(f->store);
    }
    for (unsigned i = 0; i < f->c.instances; i++)
        sr_fuzz_close_inputs(&f->instances[i]);
    if (f->hooked != f->u)
        sr_union_close(f->hooked);
    sr_union_close(f->u);
    free(f->discoveries);
}
