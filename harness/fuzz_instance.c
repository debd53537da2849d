/*
 * The afl-fuzz processes: each in a sandbox of its own, told everything by its environment.
 *
 * bwrap does not pass signals on to what it runs, so afl-fuzz is found among its descendants and
 * gets its SIGINT directly: that is how it writes its last statistics. Killing bwrap ends the whole
 * pid namespace, and the supervisor's death kills bwrap, so nothing is ever left behind.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "caps.h"
#include "fuzz.h"
#include "layout.h"
#include "paths.h"
#include "roleconf.h"
#include "sandbox.h"

#define STRIKES_MAX    5    /* restarts in a row without a new input */
#define STOP_MS        5000 /* afl-fuzz's time to write its statistics */
#define LOG_BYTES_MAX  (4l << 20)
#define LOG_BYTES_KEPT (256l << 10)
#define TAIL_LINES     12
#define WORDS_MAX      40
#define AFL_TIMEOUT_MS 12000u /* above SR_TIME_MAX_MS: the hook ends runs, not afl-fuzz */

static const char *aflname(const struct sr_fuzz *f, unsigned i) {
    return f->c.instances > 1 ? f->instances[i].name : "default";
}

static void print_kept(FILE *out, const struct sr_target *t) {
    uint64_t kept = sr_caps_kept(t);

    fprintf(out, "keep");
    for (int cap = 0; cap < 64; cap++)
        if (kept >> cap & 1)
            fprintf(out, " %d", cap);
    fprintf(out, "\n");
}

/* What the hook has to know of the target file. */
static void print_target(FILE *out, const struct sr_target *t) {
    print_kept(out, t);
    for (size_t i = 0; i < t->session.n; i++)
        fprintf(out, "session %s\n", t->session.v[i]);
    for (size_t i = 0; i < t->prelude.n; i++)
        fprintf(out, "prelude %s\n", t->prelude.v[i]);
    for (size_t i = 0; i < t->fresh.n; i++)
        fprintf(out, "fresh %s\n", t->fresh.v[i]);
    sr_roleconf_write(t, "role", out);
}

int sr_fuzz_write_hook_conf(struct sr_fuzz *f, unsigned i) {
    char path[PATH_MAX], part[64], *text = NULL;
    const char *name = f->instances[i].name;
    struct sr_sandbox_of of;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int err = -ENOMEM;

    if (!out)
        return err;
    if (sr_sandbox_of_campaign(f->c.dir, &of) == 0)
        print_target(out, &of.target);
    sr_target_free(&of.target);
    fprintf(out, "hide %s\n", SR_BOX_CAMPAIGN);
    fprintf(out, "program %s\n", f->c.program);
    fprintf(out, "union %s/%s\n", SR_BOX_CAMPAIGN,
            f->c.instrumented ? SR_DIR_CANDIDATES : SR_DIR_UNION);
    fprintf(out, "discoveries %s/%s\n", SR_BOX_CAMPAIGN, SR_DIR_DISCOVERIES);
    fprintf(out, "inputs %s/%s/%s.inputs\n", SR_BOX_CAMPAIGN, SR_DIR_HOOK, name);
    fprintf(out, "base %s/%s\n", SR_BOX_CAMPAIGN, SR_DIR_BASE);
    fprintf(out, "root %s\ninstance %s\nslot %u\ngrace %u\n", SR_BOX_ROOT, name, i, f->c.grace_ms);
    if (fclose(out) == 0) {
        snprintf(part, sizeof part, "%s/%s.conf", SR_DIR_HOOK, name);
        err = sr_campaign_path(&f->c, part, path) ? sr_file_write(path, text, len) : -ENAMETOOLONG;
    }
    free(text);
    return err;
}

static void log_path(const struct sr_fuzz *f, unsigned i, char path[PATH_MAX]) {
    char part[64];

    snprintf(part, sizeof part, "%s/%s.txt", SR_DIR_LOG, f->instances[i].name);
    sr_campaign_path(&f->c, part, path);
}

/* An earlier run of this instance left a queue to go on with. */
static bool has_queue(const struct sr_fuzz *f, unsigned i) {
    char path[PATH_MAX], part[96];
    bool found = false;
    DIR *d;

    snprintf(part, sizeof part, "%s/%s/queue", SR_DIR_AFL, aflname(f, i));
    d = sr_campaign_path(&f->c, part, path) ? opendir(path) : NULL;
    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = strncmp(e->d_name, "id:", 3) == 0;
    if (d)
        closedir(d);
    return found;
}

/* A vector of words, as execve(2) takes it. */
struct words {
    char *v[WORDS_MAX + 1];
    size_t n;
    bool failed; /* out of memory, or too many */
};

__attribute__((format(printf, 2, 3))) static void add(struct words *w, const char *format, ...) {
    va_list args;

    va_start(args, format);
    if (w->n == WORDS_MAX || vasprintf(&w->v[w->n], format, args) < 0)
        w->failed = true;
    else
        w->n++;
    va_end(args);
    w->v[w->n] = NULL;
}

static void free_words(struct words *w) {
    while (w->n)
        free(w->v[--w->n]);
}

/* All that afl-fuzz and the hook get to know. Nothing of the caller's environment passes. */
static void environment(const struct sr_fuzz *f, unsigned i, const struct sr_target *t,
                        struct words *w) {
    static const char *const always[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME=/tmp",
        "AFL_SKIP_BIN_CHECK=1", /* a stock binary has no instrumentation */
        "AFL_NO_UI=1",
        "AFL_NO_COLOR=1",
        "AFL_SKIP_CPUFREQ=1",
        "AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1",
        "AFL_DISABLE_TRIM=1", /* the map of a shorter input says nothing about its calls */
        "AFL_FAST_CAL=1", /* 3 runs of a kept input, not 8: sets are exact, and slow inputs cost */
        "AFL_SKIP_CRASHES=1",
        "AFL_IGNORE_PROBLEMS=1",
        "AFL_TRY_AFFINITY=1",
    };

    for (size_t k = 0; k < sizeof always / sizeof *always; k++)
        add(w, "%s", always[k]);
    add(w, "AFL_PRELOAD=%s/%s", SR_BOX_LIB, SR_HOOK_LIBRARY);
    add(w, "AFL_CUSTOM_MUTATOR_LIBRARY=%s/%s", SR_BOX_LIB, SR_MUTATOR_LIBRARY);
    add(w, "AFL_MAP_SIZE=%u", f->c.map_size);
    add(w, "SYSREACH_HOOK=%s/%s/%s.conf", SR_BOX_CAMPAIGN, SR_DIR_HOOK, f->instances[i].name);
    /* Havoc on bytes breaks the lines of a configuration, and a program that refuses one line
     * refuses all of them. */
    if (t->n_lines)
        add(w, "AFL_CUSTOM_MUTATOR_ONLY=1");
    if (f->c.target[0])
        add(w, "SYSREACH_TARGET=%s/%s", SR_BOX_CAMPAIGN, SR_DIR_TARGET);
}

static void command(const struct sr_fuzz *f, unsigned i, struct words *w) {
    add(w, "%s", f->afl);
    add(w, "-i");
    if (has_queue(f, i))
        add(w, "-");
    else
        add(w, "%s/%s", SR_BOX_CAMPAIGN, SR_DIR_SEEDS);
    add(w, "-o");
    add(w, "%s/%s", SR_BOX_CAMPAIGN, SR_DIR_AFL);
    if (f->c.instances > 1) {
        add(w, "%s", i ? "-S" : "-M");
        add(w, "%s", f->instances[i].name);
    }
    add(w, "-t");
    add(w, "%u", AFL_TIMEOUT_MS);
    add(w, "-m");
    add(w, "none");
    if (f->c.has_seed) {
        add(w, "-s");
        add(w, "%" PRIu64, f->c.seed + i);
    }
    if (f->instances[i].cpu >= 0) {
        add(w, "-b");
        add(w, "%d", f->instances[i].cpu);
    }
    add(w, "--");
    add(w, "%s", f->c.execute);
}

static void child(char **argv, char **env, const char *log, pid_t parent) {
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    setpgid(0, 0); /* Ctrl-C is for the supervisor */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || out < 0)
        _exit(1);
    dup2(null, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvpe(argv[0], argv, env);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int sr_fuzz_start(struct sr_fuzz *f, unsigned i) {
    struct sr_instance *in = &f->instances[i];
    struct sr_sandbox box = {.campaign = f->c.dir, .program = f->c.execute};
    struct sr_sandbox_of of;
    struct words afl = {.n = 0}, env = {.n = 0};
    char log[PATH_MAX], **argv = NULL;
    pid_t self = getpid();

    command(f, i, &afl);
    if (!sr_sandbox_of_campaign(f->c.dir, &of)) {
        environment(f, i, &of.target, &env);
        box.target = &of.target;
        box.fixtures = of.fixtures[0] ? of.fixtures : NULL;
        if (!afl.failed && !env.failed)
            argv = sr_sandbox_command(&box, afl.v);
        sr_target_free(&of.target);
    }
    free_words(&afl);
    if (!argv) {
        free_words(&env);
        sr_fuzz_problem(f, "out of memory, or the target file is gone; cannot start an instance");
        return -1;
    }
    log_path(f, i, log);
    sr_fuzz_close_inputs(in); /* afl-fuzz may number its queue anew */
    in->finished_before = f->hooked->instances[i].finished;
    fflush(NULL);
    in->pid = fork();
    if (in->pid == 0)
        child(argv, env.v, log, self);
    free_words(&env);
    sr_sandbox_free(argv);
    if (in->pid < 0) {
        in->pid = 0;
        sr_fuzz_problem(f, "cannot start an instance: fork: %s", strerror(errno));
        return -1;
    }
    return 0;
}

/* Keeps the end of a log that has grown too long. The writer has it open for appending. */
static void bound_log(const struct sr_fuzz *f, unsigned i) {
    char path[PATH_MAX], *tail;
    struct stat st;
    ssize_t n;

    log_path(f, i, path);
    if (stat(path, &st) || st.st_size <= LOG_BYTES_MAX)
        return;
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    tail = fd >= 0 ? malloc(LOG_BYTES_KEPT) : NULL;
    if (tail) {
        n = pread(fd, tail, LOG_BYTES_KEPT, st.st_size - LOG_BYTES_KEPT);
        if (n > 0 && ftruncate(fd, 0) == 0 && write(fd, tail, (size_t)n) < 0)
            sr_fuzz_clear_line(f); /* a full disk: the next write of the database says so */
    }
    free(tail);
    if (fd >= 0)
        close(fd);
}

/* The last lines of an instance's log, without afl-fuzz's colours. */
static void show_log_tail(struct sr_fuzz *f, unsigned i) {
    char path[PATH_MAX], buf[4097];
    ssize_t n = 0;
    int lines = 0;

    log_path(f, i, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (size > 0)
        n = pread(fd, buf, sizeof buf - 1, size > 4096 ? size - 4096 : 0);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return;
    buf[n] = 0;
    char *p = buf + n;
    while (p > buf && lines <= TAIL_LINES)
        lines += *--p == '\n';
    fprintf(stderr, "the end of %s:\n", path);
    for (bool escape = false; *p; p++) {
        if (*p == '\033')
            escape = true;
        else if (escape)
            escape = !isalpha((unsigned char)*p);
        else if (*p == '\n' || (unsigned char)*p >= ' ')
            fputc(*p, stderr);
    }
    fputc('\n', stderr);
}

static void died(struct sr_fuzz *f, unsigned i, int status) {
    struct sr_instance *in = &f->instances[i];
    char how[64];

    in->pid = 0;
    if (f->hooked->instances[i].finished > in->finished_before)
        in->strikes = 0;
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "status %d", WEXITSTATUS(status));
    if (++in->strikes > STRIKES_MAX) {
        in->given_up = true;
        sr_fuzz_problem(f, "instance %s ended %u times without a new input (%s); not started again",
                        in->name, in->strikes, how);
        show_log_tail(f, i);
        return;
    }
    sr_fuzz_problem(f, "instance %s ended early (%s); started again; its log: %s/%s/%s.txt",
                    in->name, how, f->c.dir, SR_DIR_LOG, in->name);
    if (sr_fuzz_start(f, i))
        in->given_up = true;
}

bool sr_fuzz_mind_instances(struct sr_fuzz *f) {
    bool any = false;

    for (unsigned i = 0; i < f->c.instances; i++) {
        struct sr_instance *in = &f->instances[i];
        int status;

        if (in->pid && waitpid(in->pid, &status, WNOHANG) == in->pid)
            died(f, i, status);
        bound_log(f, i);
        any = any || in->pid;
    }
    return any;
}

/* A process: its name, and its parent. */
static pid_t parent_of(pid_t pid, char comm[32]) {
    char path[64], buf[512], *open_paren, *close_paren;
    int parent = 0;
    ssize_t n;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, buf, sizeof buf - 1);
    close(fd);
    if (n <= 0)
        return 0;
    buf[n] = 0;
    open_paren = strchr(buf, '(');
    close_paren = strrchr(buf, ')');
    if (!open_paren || !close_paren || sscanf(close_paren + 1, " %*c %d", &parent) != 1)
        return 0;
    *close_paren = 0;
    snprintf(comm, 32, "%.31s", open_paren + 1);
    return parent;
}

/* The afl-fuzz below a bwrap; 0: none (yet). */
static pid_t find_afl(pid_t bwrap) {
    DIR *proc = opendir("/proc");
    pid_t found = 0;

    for (struct dirent *e; proc && !found && (e = readdir(proc));) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10), up;
        char comm[32], other[32];

        if (pid <= 0 || !(up = parent_of(pid, comm)) || strcmp(comm, "afl-fuzz") != 0)
            continue;
        for (int depth = 0; up > 1 && up != bwrap && depth < 8; depth++)
            up = parent_of(up, other);
        if (up == bwrap)
            found = pid;
    }
    if (proc)
        closedir(proc);
    return found;
}

/* Takes in those that have ended; true: none is left. */
static bool all_gone(struct sr_fuzz *f) {
    bool gone = true;

    for (unsigned i = 0; i < f->c.instances; i++) {
        struct sr_instance *in = &f->instances[i];

        if (in->pid && waitpid(in->pid, NULL, WNOHANG) == in->pid)
            in->pid = 0;
        gone = gone && !in->pid;
    }
    return gone;
}

void sr_fuzz_stop(struct sr_fuzz *f, const volatile int *hurry) {
    const struct timespec tick = {0, 20000000};
    uint64_t since = sr_fuzz_clock();

    for (unsigned i = 0; i < f->c.instances; i++) {
        pid_t afl = f->instances[i].pid ? find_afl(f->instances[i].pid) : 0;

        if (afl)
            kill(afl, SIGINT);
        else if (f->instances[i].pid)
            kill(f->instances[i].pid, SIGKILL);
    }
    while (!all_gone(f) && sr_fuzz_clock() - since < STOP_MS && *hurry < 2)
        nanosleep(&tick, NULL);
    for (unsigned i = 0; i < f->c.instances; i++)
        if (f->instances[i].pid) {
            kill(f->instances[i].pid, SIGKILL);
            waitpid(f->instances[i].pid, NULL, 0);
            f->instances[i].pid = 0;
        }
}
