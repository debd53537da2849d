/*
 * sysreach trace: the calls of one command and of all that it starts, per image.
 *
 * A command is launched with the filter in place and followed by the recorder; with -p running
 * processes are attached to and followed by syscall stops instead, since a filter cannot be put
 * into a process from outside. Nothing of the command's stdio, signals, job control or exit status
 * passes through us.
 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "commands.h"
#include "filter.h"
#include "objects.h"
#include "recorder.h"
#include "setfile.h"
#include "sys.h"

#define TICK_US     50000
#define PIDS_MAX    64
#define NOT_STARTED SR_IMAGES_MAX /* image number of the launched process until its exec */

struct options {
    const char *output, *image;
    bool json;
    pid_t pids[PIDS_MAX];
    int n_pids;
    char **command;
};

struct trace {
    struct sr_recorder recorder;
    struct sr_setfile *sf;
    struct sr_set launch; /* made by the launched process before its exec was done: the exec */
    bool started;
};

/* What signal handlers leave for the tick. */
static volatile sig_atomic_t forward[65], interrupted;

static int on_image(void *ctx, const char *path) {
    return sr_union_image(((struct trace *)ctx)->sf->u, path);
}

static void on_call(void *ctx, const struct sr_stop *stop) {
    struct trace *t = ctx;

    sr_set_add(stop->image == NOT_STARTED ? &t->launch : &t->sf->u->images[stop->image].calls,
               stop->call);
}

static void on_refused(void *ctx, const struct sr_stop *stop) {
    struct trace *t = ctx;

    if (stop->image != NOT_STARTED)
        sr_set_add(&t->sf->u->images[stop->image].attempted, stop->call);
}

static void on_object(void *ctx, unsigned image, const char *path) {
    if (image != NOT_STARTED)
        sr_union_object(((struct trace *)ctx)->sf->u, image, path);
}

/* The exec that launches belongs to the image that it launched. */
static void on_exec(void *ctx, pid_t pid, int image) {
    struct trace *t = ctx;

    if (t->started || pid != t->recorder.first)
        return;
    t->started = true;
    if (image >= 0)
        sr_set_merge(&t->sf->u->images[image].calls, &t->launch);
}

static void on_tick(void *ctx) {
    struct trace *t = ctx;

    for (int signo = 1; signo <= 64; signo++)
        if (forward[signo]) {
            forward[signo] = 0;
            kill(t->recorder.first, signo);
        }
    if (interrupted && t->recorder.syscalls && !t->recorder.releasing)
        sr_recorder_release(&t->recorder);
}

static const struct sr_recorder_ops ops = {
    .image = on_image,
    .call = on_call,
    .refused = on_refused,
    .object = on_object,
    .exec = on_exec,
    .tick = on_tick,
};

/* A signal that somebody sent to us is meant for the command; what the terminal sends goes to the
 * whole group and has reached the command already. */
static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)context;
    if (signo != SIGALRM && info->si_code <= 0)
        forward[signo] = 1;
    if (signo == SIGINT || signo == SIGTERM || signo == SIGHUP)
        interrupted = 1;
    sr_recorder_ticked = 1;
}

static void catch_signals(void) {
    static const int caught[] = {SIGINT,  SIGTERM, SIGHUP,  SIGQUIT,
                                 SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE};
    const struct itimerval every = {{0, TICK_US}, {0, TICK_US}};
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++)
        sigaction(caught[i], &sa, NULL);
    signal(SIGCHLD, SIG_DFL);
    setitimer(ITIMER_REAL, &every, NULL);
}

static void ignore_signals_again(void) {
    const struct itimerval never = {{0, 0}, {0, 0}};

    setitimer(ITIMER_REAL, &never, NULL);
}

/* As execvp would find it, but before anything is traced. */
static bool find_program(const char *name, char *path, size_t size) {
    const char *dirs = getenv("PATH"), *end;

    if (strchr(name, '/'))
        return snprintf(path, size, "%s", name) < (int)size;
    for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; dirs; dirs = *end ? end + 1 : NULL) {
        struct stat st;

        end = strchrnul(dirs, ':');
        if (snprintf(path, size, "%.*s%s%s", (int)(end - dirs), dirs, end == dirs ? "" : "/",
                     name) < (int)size &&
            !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK))
            return true;
    }
    return false;
}

static void warn_setuid(const char *path) {
    struct stat st;

    if (geteuid() != 0 && !stat(path, &st) && (st.st_mode & (S_ISUID | S_ISGID)))
        sr_error("%s: set-user-ID programs run without their privilege while they are traced; "
                 "trace as root to see them as they are",
                 path);
}

/* The child: waits until it is traced, then becomes the command. */
static _Noreturn void launch(const char *path, char **command, int ready, int *error) {
    char byte;
    int err;

    if (read(ready, &byte, 1) != 1)
        _exit(SR_EXIT_ENV);
    err = sr_filter_install(0, 0);
    if (!err)
        err = (int)sr_sys(SYS_execve, path, command, environ);
    *error = err; /* shared memory: from here on every call is recorded */
    for (;;)
        sr_sys(SYS_exit_group, 127);
}

static int start(struct trace *t, const struct options *o, int **error) {
    char path[4096];
    int ready[2], err;
    pid_t pid;

    if (!find_program(o->command[0], path, sizeof path)) {
        sr_error("%s: no such program in PATH", o->command[0]);
        return 127;
    }
    warn_setuid(path);
    *error = mmap(NULL, sizeof **error, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (*error == MAP_FAILED || pipe2(ready, O_CLOEXEC)) {
        sr_error("cannot start %s: %s", path, strerror(errno));
        return SR_EXIT_ENV;
    }
    pid = fork();
    if (pid == 0)
        launch(path, o->command, ready[0], *error);
    catch_signals();
    err = pid < 0 ? -errno : sr_recorder_seize(&t->recorder, pid, NOT_STARTED, false);
    if (err) {
        sr_error("cannot trace %s: %s; %s", path, strerror(-err),
                 "ptrace has to be allowed (see kernel.yama.ptrace_scope, and the container's "
                 "seccomp profile)");
        if (pid > 0)
            kill(pid, SIGKILL);
        return SR_EXIT_ENV;
    }
    close(ready[0]);
    if (write(ready[1], "", 1) != 1)
        return SR_EXIT_ENV;
    close(ready[1]);
    return 0;
}

/* Attaches to a process's threads until no new one turns up. */
static int attach(struct trace *t, pid_t pid) {
    char path[64];
    bool found = true;
    int err = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    for (int round = 0; found && round < 100; round++) {
        DIR *dir = opendir(path);
        struct dirent *e;

        found = false;
        while (dir && (e = readdir(dir))) {
            pid_t tid = (pid_t)atoi(e->d_name);

            if (tid <= 0)
                continue;
            err = sr_recorder_seize(&t->recorder, tid, -1, false);
            if (err == -EPERM && round) /* attached already */
                continue;
            if (err == -EPERM || (err && tid == pid)) {
                closedir(dir);
                return err;
            }
            found |= !err;
            if (!err)
                ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
        }
        if (!dir)
            return round ? 0 : -ESRCH;
        closedir(dir);
    }
    return 0;
}

static int attach_all(struct trace *t, const struct options *o) {
    catch_signals();
    t->recorder.syscalls = true;
    t->started = true;
    for (int i = 0; i < o->n_pids; i++) {
        int err = attach(t, o->pids[i]);
        char path[4096];
        int image;

        if (err) {
            sr_error("cannot attach to process %d: %s%s", (int)o->pids[i], strerror(-err),
                     err == -EPERM ? "; it may be traced already, or needs root "
                                     "(kernel.yama.ptrace_scope)"
                                   : "");
            sr_recorder_release(&t->recorder);
            sr_recorder_wait(&t->recorder);
            return SR_EXIT_ENV;
        }
        if (sr_read_exe(o->pids[i], path, sizeof path) > 0 &&
            (image = sr_union_image(t->sf->u, path)) >= 0)
            sr_objects_mapped(&t->recorder, o->pids[i], (unsigned)image);
    }
    if (isatty(STDERR_FILENO))
        sr_error("attached; Ctrl-C ends the recording and lets the process go on");
    return 0;
}

static void describe(const struct trace *t, const struct options *o) {
    char line[4096] = "";

    for (size_t i = 0, n = 0; o->command && o->command[i] && n < sizeof line; i++)
        n += (size_t)snprintf(line + n, sizeof line - n, "%s%s", i ? " " : "", o->command[i]);
    sr_setfile_key(t->sf, "made-by", "sysreach trace");
    sr_setfile_key(t->sf, "recorder", t->recorder.syscalls ? "ptrace-syscall" : "seccomp-trace");
    if (o->command)
        sr_setfile_key(t->sf, "command", "%s", line);
    sr_setfile_key(t->sf, "inputs", "1");
    if (t->recorder.lost) {
        sr_setfile_key(t->sf, "lost-calls", "%llu", (unsigned long long)t->recorder.lost);
        sr_error("%llu calls could not be attributed to an image and are not in the set",
                 (unsigned long long)t->recorder.lost);
    }
    if (t->sf->u->names_lost)
        sr_setfile_key(t->sf, "lost-names", "%llu", (unsigned long long)t->sf->u->names_lost);
}

static int save(struct trace *t, const struct options *o) {
    bool ok = true;
    int err;

    describe(t, o);
    sr_setfile_find_build_ids(t->sf);
    sr_setfile_sum(t->sf);
    if (o->image) {
        int slot = sr_setfile_image(t->sf, o->image);

        if (slot < 0) {
            sr_error("no image '%s' made calls; without --image all are shown", o->image);
            return SR_EXIT_NO;
        }
        ok = sr_setfile_keep_image(t->sf, (unsigned)slot);
    }
    if (ok && !o->output)
        ok = (o->json ? sr_setfile_write_json : sr_setfile_write)(stderr, t->sf);
    err = ok ? 0 : -ENOMEM;
    if (ok && o->output)
        err = sr_setfile_save(o->output, t->sf, o->json);
    if (err)
        sr_error("cannot write the set to %s: %s", o->output ? o->output : "stderr",
                 strerror(-err));
    return err ? SR_EXIT_ENV : 0;
}

/* Ends as the command ended, so that whoever started us sees no difference. */
static int end_like(int status) {
    const struct rlimit no_core = {0, 0};
    sigset_t all;

    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    setrlimit(RLIMIT_CORE, &no_core);
    signal(WTERMSIG(status), SIG_DFL);
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, NULL);
    raise(WTERMSIG(status));
    return 128 + WTERMSIG(status);
}

static int run(struct trace *t, const struct options *o) {
    int *error = NULL, err;

    err = o->command ? start(t, o, &error) : attach_all(t, o);
    if (err)
        return err;
    sr_recorder_wait(&t->recorder);
    ignore_signals_again();
    if (o->command && !t->started) {
        int why = -*error;

        sr_error("cannot run %s: %s", o->command[0], strerror(why ? why : ECHILD));
        return why == ENOENT ? 127 : 126;
    }
    err = save(t, o);
    if (!o->command)
        return err;
    return err ? err : end_like(t->recorder.status);
}

static const struct argp_option option_list[] = {
    {"output", 'o', "FILE", 0, "Write the set to FILE ('-': stdout) instead of stderr", 0},
    {"image", 'i', "PATH", 0, "Only the calls of this executable (path or last part of it)", 0},
    {"json", 'j', NULL, 0, "As JSON", 0},
    {"pid", 'p', "PID", 0, "Attach to a running process and its threads; may be repeated", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state) {
    struct options *o = state->input;
    char *end;

    switch (key) {
    case 'o':
        o->output = arg;
        return 0;
    case 'i':
        o->image = arg;
        return 0;
    case 'j':
        o->json = true;
        return 0;
    case 'p':
        if (o->n_pids == PIDS_MAX)
            argp_error(state, "at most %d processes", PIDS_MAX);
        o->pids[o->n_pids] = (pid_t)strtol(arg, &end, 10);
        if (*end || o->pids[o->n_pids++] <= 0)
            argp_error(state, "'%s' is no process id", arg);
        return 0;
    case ARGP_KEY_ARGS:
        o->command = state->argv + state->next;
        return 0;
    case ARGP_KEY_END:
        if (!o->command == !o->n_pids)
            argp_error(state, "a command, or -p PID");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int sr_cmd_trace(int argc, char **argv) {
    static const struct argp argp = {
        option_list,
        parse_option,
        "[--] COMMAND [ARG...]\n-p PID",
        "Record the system calls of a command and of all that it starts, per image.\v"
        "The command's input, output, signals and exit status are its own. The set is "
        "written when all its processes have ended.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    struct trace t = {0};
    int status;

    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    t.sf = sr_setfile_new();
    if (!t.sf || sr_recorder_init(&t.recorder, &ops, &t)) {
        sr_error("out of memory");
        return SR_EXIT_ENV;
    }
    status = run(&t, &o);
    sr_recorder_free(&t.recorder);
    sr_setfile_free(t.sf);
    return status;
}
