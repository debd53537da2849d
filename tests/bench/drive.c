/*
 * Drives the hook's forkserver as afl-fuzz does, with a fixed list of inputs: for measurements and
 * tests that need the same inputs each time.
 *
 *     drive HOOK.so CONF ROUNDS INPUT... -- PROGRAM
 *
 * Runs all inputs ROUNDS times and prints "inputs seconds cpu-seconds map-entries".
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAP_BYTES   (1u << 20)
#define INPUT_BYTES (1u << 20)
#define INPUTS_MAX  4096
#define ENABLED     0x80000001u
#define SHM_FUZZ    0x01000000u

static struct {
    char *data;
    uint32_t len;
} inputs[INPUTS_MAX];

static int ask[2], answer[2];

static void die(const char *what) {
    fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void *shared(size_t bytes, const char *env) {
    int id = shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    char text[32];
    void *p = id < 0 ? NULL : shmat(id, NULL, 0);

    if (!p || p == (void *)-1)
        die("shared memory");
    shmctl(id, IPC_RMID, NULL); /* gone with the last that is attached; Linux lets others attach */
    snprintf(text, sizeof text, "%d", id);
    setenv(env, text, 1);
    return p;
}

static void load(size_t i, const char *path) {
    FILE *f = fopen(path, "re");

    inputs[i].data = f ? malloc(INPUT_BYTES) : NULL;
    if (!inputs[i].data)
        die(path);
    inputs[i].len = (uint32_t)fread(inputs[i].data, 1, INPUT_BYTES - 4, f);
    fclose(f);
}

/* Like afl-fuzz: forkserver and children on one processor; DRIVE_CPU says which. */
static void pin(void) {
    const char *cpu = getenv("DRIVE_CPU");
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)(cpu ? atoi(cpu) : sched_getcpu()), &one);
    sched_setaffinity(0, sizeof one, &one);
}

static pid_t start(const char *hook, const char *conf, const char *program) {
    pid_t pid = fork();

    if (pid)
        return pid;
    setsid();
    dup2(ask[0], 198);
    dup2(answer[1], 199);
    setenv("LD_PRELOAD", hook, 1);
    setenv("SYSREACH_HOOK", conf, 1);
    setenv("LD_BIND_NOW", "1", 1);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execl(program, program, (char *)NULL);
    _exit(127);
}

static uint32_t hear(void) {
    uint32_t word;

    if (read(answer[0], &word, 4) != 4) {
        errno = EPIPE;
        die("the forkserver");
    }
    return word;
}

static void say(uint32_t word) {
    if (write(ask[1], &word, 4) != 4)
        die("the forkserver");
}

static double seconds(clockid_t clock) {
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    size_t n = 0;
    long rounds, runs = 0, entries = 0;
    int at = 4;

    if (argc < 7 || (rounds = atol(argv[3])) < 1)
        die("usage: drive HOOK.so CONF ROUNDS INPUT... -- PROGRAM");
    for (; at < argc - 1 && strcmp(argv[at], "--") != 0 && n < INPUTS_MAX; at++)
        load(n++, argv[at]);
    pin();
    if (pipe(ask) || pipe(answer))
        die("pipe");
    uint8_t *map = shared(MAP_BYTES, "__AFL_SHM_ID");
    uint8_t *input = shared(INPUT_BYTES, "__AFL_SHM_FUZZ_ID");
    pid_t pid = start(argv[1], argv[2], argv[argc - 1]);
    close(ask[0]);
    close(answer[1]);
    uint32_t hello = hear(), size = ((hello & 0xfffffeu) >> 1) + 1;
    say(ENABLED | SHM_FUZZ);
    double began = seconds(CLOCK_MONOTONIC);
    for (long r = 0; r < rounds; r++)
        for (size_t i = 0; i < n; i++, runs++) {
            memset(map, 0, size);
            memcpy(input, &inputs[i].len, 4);
            memcpy(input + 4, inputs[i].data, inputs[i].len);
            say(0);
            hear();
            hear();
            for (uint32_t k = 0; r == 0 && k < size; k++)
                entries += map[k] != 0;
        }
    double took = seconds(CLOCK_MONOTONIC) - began;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct rusage use;
    getrusage(RUSAGE_CHILDREN, &use);
    printf("%ld %.6f %.6f %ld\n", runs, took,
           (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
               (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6,
           entries);
    return 0;
}
