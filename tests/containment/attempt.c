/*
 * Tries to get out of the sandbox, in the one way that its argument names.
 *
 * A recorded run shows no output, so the outcome is told by a system call: sched_get_priority_min
 * where something got out, sched_get_priority_max where nothing did. Whoever is ended on the way
 * makes neither. Outside of the sandbox only "canary" and "stay" do anything: they prove that the
 * test would notice.
 *
 * CANARY: a folder outside. CAMPAIGN: the folder of a campaign outside. The compiler is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CANARY
#define CANARY   "/nonexistent"
#define CAMPAIGN "/nonexistent"
#endif

#define UNTRACED 0x00800000ul
#define MIB      (1l << 20)

static bool can_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static bool can_make(const char *dir) {
    char path[4096];

    snprintf(path, sizeof path, "%s/sysreach-escape", dir);
    return can_open(path, O_WRONLY | O_CREAT);
}

static bool canary(void) {
    return can_make(CANARY);
}

static bool outside(void) {
    return can_make("/") || can_make("/usr") || can_make("/usr/bin") || can_make("/etc") ||
           can_make("/var") || can_make("/var/tmp") || can_make("/dev") || can_make("/sys") ||
           can_open("/etc/passwd", O_WRONLY) || can_open("/bin/sh", O_WRONLY);
}

static bool campaign(void) {
    return can_make(CAMPAIGN) || can_open(CAMPAIGN "/union", O_WRONLY) ||
           can_make("/run/sysreach/campaign") || can_make("/run/sysreach/out") ||
           can_open("/run/sysreach/campaign/union", O_RDONLY) ||
           can_open("/run/sysreach/out/union", O_RDONLY);
}

static bool harness_files(void) {
    return can_make("/run/sysreach") || can_make("/run/sysreach/lib") ||
           can_make("/run/fixtures") || can_open("/run/sysreach/sysreach", O_WRONLY) ||
           rename("/run/sysreach", "/run/other") == 0 ||
           rename("/run/fixtures", "/run/other") == 0 || rmdir("/run/sshd") == 0;
}

/* A descriptor of the harness. */
static bool descriptors(void) {
    for (int fd = 3; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            return true;
    return false;
}

static bool try_kernel(void) {
    /* Only opened: nothing is ever written to these. */
    return can_open("/proc/sys/kernel/hostname", O_WRONLY) ||
           can_open("/proc/sys/kernel/core_pattern", O_WRONLY) ||
           can_open("/proc/sysrq-trigger", O_WRONLY) || can_open("/dev/kmsg", O_WRONLY) ||
           can_open("/proc/kcore", O_RDONLY) || can_open("/sys/power/state", O_WRONLY);
}

/* Calls it for each process that is not ours, until it is true. */
static bool any_other(bool (*f)(pid_t)) {
    DIR *proc = opendir("/proc");
    bool found = false;

    for (struct dirent *e; proc && !found && (e = readdir(proc));) {
        pid_t pid = atoi(e->d_name);

        found = pid > 0 && pid != getpid() && f(pid);
    }
    if (proc)
        closedir(proc);
    return found;
}

/* Linux 6.18 opens the maps of a zombie, which says nothing: one of the run before may be there
 * still. */
static bool has_memory(pid_t pid) {
    char path[64], byte;
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, &byte, 1);
        close(fd);
    }
    return n > 0;
}

static bool reaches(pid_t pid) {
    static const char *const parts[] = {"root/tmp", "cwd/.", "fd/0",  "environ",
                                        "mem",      "exe",   "ns/mnt"};
    char path[64];

    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, parts[i]);
        if (can_open(path, O_RDONLY))
            return true;
    }
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    return can_open(path, O_RDWR) || has_memory(pid);
}

static bool traces(pid_t pid) {
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)0x400000, 1};

    return ptrace(PTRACE_ATTACH, pid, 0, 0) == 0 || ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 ||
           (process_vm_writev(pid, &here, 1, &there, 1, 0) < 0 && errno == EFAULT) ||
           (process_vm_readv(pid, &here, 1, &there, 1, 0) < 0 && errno == EFAULT);
}

static bool kills(pid_t pid) {
    siginfo_t info = {.si_signo = SIGKILL, .si_code = SI_QUEUE};
    char path[64];
    long fd;

    if (kill(pid, SIGKILL) == 0 || (pid != 1 && kill(-pid, SIGKILL) == 0) ||
        syscall(SYS_tgkill, pid, pid, SIGKILL) == 0 || syscall(SYS_tkill, pid, SIGKILL) == 0 ||
        syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info) == 0)
        return true;
    fd = syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0)
        return true;
    snprintf(path, sizeof path, "/proc/%d", (int)pid);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && syscall(SYS_pidfd_send_signal, fd, SIGKILL, 0, 0) == 0)
        return true;
    close((int)fd);
    return false;
}

static bool kill_all(void) {
    kill(-1, SIGKILL);
    kill(getppid(), SIGKILL);
    return any_other(kills);
}

static bool owns(pid_t pid) {
    const struct f_owner_ex owner = {F_OWNER_PID, pid};
    int ends[2], to = pid;
    bool made;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return false;
    made = fcntl(ends[0], F_SETOWN, pid) == 0 || fcntl(ends[0], F_SETOWN_EX, &owner) == 0 ||
           syscall(SYS_ioctl, ends[0], 0x8901 /* FIOSETOWN */, &to) == 0;
    close(ends[0]);
    close(ends[1]);
    return made;
}

static bool slows(pid_t pid) {
    const struct rlimit none = {1, 1};
    const struct sched_param param = {0};
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);
    return prlimit(pid, RLIMIT_CPU, &none, NULL) == 0 ||
           setpriority(PRIO_PROCESS, (id_t)pid, 19) == 0 ||
           sched_setaffinity(pid, sizeof cpus, &cpus) == 0 ||
           sched_setscheduler(pid, SCHED_BATCH, &param) == 0 ||
           syscall(SYS_ioprio_set, 1, pid, 3 << 13) == 0;
}

static int nice_at_begin;

static bool is_slow(pid_t pid) {
    errno = 0;
    return getpriority(PRIO_PROCESS, (id_t)pid) > nice_at_begin && !errno;
}

static bool limits(void) {
    nice_at_begin = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_USER, 0, 19);
    setpriority(PRIO_USER, getuid(), 19);
    return any_other(slows) || any_other(is_slow);
}

static bool network(void) {
    static const unsigned addresses[] = {0xc0000201 /* 192.0.2.1 */, 0x0a000001 /* 10.0.0.1 */};

    for (size_t i = 0; i < 2; i++) {
        const struct sockaddr_in to = {
            .sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(addresses[i])};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        if (fd >= 0 && (connect(fd, (const void *)&to, sizeof to) == 0 || errno != ENETUNREACH))
            return true;
        close(fd);
    }
    return false;
}

static bool stay(void) {
    if (fork() == 0) {
        setsid();
        for (int i = 0; fork() == 0 && i < 3; i++)
            ;
        signal(SIGTERM, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        sleep(8);
        _exit(0);
    }
    return false;
}

/* A process without a tracer can make no call, so it tells through memory. */
static bool *shared;

static bool tell_tracer(void) {
    char buf[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, buf, sizeof buf - 1) : -1;

    if (n <= 0)
        return true;
    buf[n] = 0;
    return strstr(buf, "TracerPid:\t0\n");
}

static bool wait_for_child(long pid) {
    if (pid == 0) {
        *shared = tell_tracer();
        for (;;)
            _exit(0);
    }
    for (int i = 0; i < 200 && waitpid((pid_t)pid, NULL, WNOHANG) == 0; i++)
        usleep(1000);
    return *shared;
}

static bool untraced(void) {
    return wait_for_child(syscall(SYS_clone, SIGCHLD | UNTRACED, 0, 0, 0, 0));
}

static bool untraced3(void) {
    struct clone_args args = {.flags = UNTRACED, .exit_signal = SIGCHLD};

    return wait_for_child(syscall(SYS_clone3, &args, sizeof args));
}

static bool fork_bomb(void) {
    for (pid_t pid = 0; pid >= 0 || errno == EAGAIN;)
        pid = fork();
    return false;
}

/* More than what the largest private folder holds. */
static bool fill_one(const char *dir) {
    static char block[1 << 20];
    char path[4096];
    long n = 0;
    int fd;

    snprintf(path, sizeof path, "%s/fill", dir);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    memset(block, 1, sizeof block);
    while (fd >= 0 && n < 300 && write(fd, block, sizeof block) == MIB)
        n++;
    if (fd >= 0)
        close(fd);
    return n >= 300;
}

static bool fill(void) {
    return fill_one("/tmp") || fill_one(".") || fill_one("/dev/shm") || fill_one("/run");
}

static bool mounts(void) {
    int ns = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

    if (ns >= 0 || mount("none", "/mnt", "tmpfs", 0, "") == 0 ||
        umount2("/run/sysreach/campaign", MNT_DETACH) == 0 ||
        umount2("/run/sysreach/out", MNT_DETACH) == 0)
        return true;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS))
        return false;
    /* What is allowed in a user namespace of its own must not uncover anything. */
    umount2("/run/sysreach/campaign", MNT_DETACH);
    umount2("/run/sysreach/out", MNT_DETACH);
    mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
    return campaign() || canary() || outside();
}

static bool foreign_ipc(void) {
    struct shmid_ds info;
    struct msqid_ds queue;

    for (int i = 0; i < 64; i++)
        if (shmctl(i, 13 /* SHM_STAT */, &info) >= 0 || msgctl(i, 11 /* MSG_STAT */, &queue) >= 0)
            return true;
    return false;
}

/* What a run leaves must not be there in the next one: run it several times. */
static bool leave(void) {
    static const char *const places[] = {"/tmp/sysreach-left", "/dev/shm/sysreach-left",
                                         "/run/sysreach-left", "/run/sshd/sysreach-left",
                                         "sysreach-left"};
    bool found = foreign_ipc() || semget(77, 1, 0600) >= 0;

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        found |= access(places[i], F_OK) == 0;
        can_open(places[i], O_WRONLY | O_CREAT);
    }
    mkdir("/run/left.d", 0);
    mkdir("/dev/shm/left.d", 0700);
    can_make("/dev/shm/left.d");
    found |= chmod("/tmp", 0) < 0 || chmod("/dev/shm", 0) < 0;
    (void)shmget(77, 4096, IPC_CREAT | 0600);
    (void)msgget(77, IPC_CREAT | 0600);
    (void)semget(77, 1, IPC_CREAT | 0600);
    return found;
}

static bool has_files(const char *dir) {
    DIR *d = opendir(dir);
    bool any = false;

    for (struct dirent *e; d && !any && (e = readdir(d));)
        any = e->d_name[0] != '.' || (e->d_name[1] && e->d_name[1] != '.');
    if (d)
        closedir(d);
    return any;
}

static bool homes(void) {
    return has_files("/root") || has_files("/home");
}

static bool see_processes(void) {
    return any_other(reaches);
}

static bool trace_others(void) {
    return any_other(traces);
}

static bool own_others(void) {
    return any_other(owns);
}

static const struct {
    const char *name;
    bool (*try)(void);
    bool harmless;
} attempts[] = {
    {"canary", canary, true},
    {"stay", stay, true},
    {"outside", outside, false},
    {"campaign", campaign, false},
    {"harness", harness_files, false},
    {"descriptors", descriptors, false},
    {"kernel", try_kernel, false},
    {"proc", see_processes, false},
    {"ptrace", trace_others, false},
    {"kill", kill_all, false},
    {"owner", own_others, false},
    {"limits", limits, false},
    {"network", network, false},
    {"untraced", untraced, false},
    {"untraced3", untraced3, false},
    {"forkbomb", fork_bomb, false},
    {"fill", fill, false},
    {"mounts", mounts, false},
    {"ipc", foreign_ipc, false},
    {"leave", leave, false},
    {"homes", homes, false},
};

int main(int argc, char **argv) {
    bool contained = access("/run/sysreach/sysreach", F_OK) == 0, out = false;

    if (argc < 2) {
        for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
            puts(attempts[i].name);
        return 0;
    }
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 2;
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
        if (strcmp(argv[1], attempts[i].name) == 0 && (contained || attempts[i].harmless)) {
            out = attempts[i].try();
            syscall(out ? SYS_sched_get_priority_min : SYS_sched_get_priority_max, SCHED_OTHER);
        }
    return out;
}
