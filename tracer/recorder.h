/*
 * The recorder: follows processes with ptrace and reports every system call that they make.
 *
 * The tracees carry the filter of filter.h; each of their calls stops them just before it is made.
 * The hook library and the command line share this event loop; what is done with a call is the
 * owner's business (struct sr_recorder_ops). All memory comes from mmap, all calls go through the
 * gate.
 *
 * A process that installs a seccomp filter of its own is followed with syscall stops from then on,
 * because KILL and ERRNO outrank TRACE and a denied attempt would never be seen.
 */
#ifndef SR_RECORDER_H
#define SR_RECORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sysreach/set.h"

/* A thread that stands just before a system call. */
struct sr_stop {
    pid_t tid, pid;
    bool first;    /* belongs to the first process of the run */
    bool own_text; /* still has the memory it was forked with: no exec since */
    unsigned image;
    struct sr_call call;
    uint64_t ip, sp, args[6];
};

struct sr_recorder;

/* All may be NULL but image and call. */
struct sr_recorder_ops {
    /* The number that stands for an executable file from now on; negative: its calls are lost. */
    int (*image)(void *ctx, const char *path);
    void (*call)(void *ctx, const struct sr_stop *stop);
    /* An ELF object was mapped executable. */
    void (*object)(void *ctx, unsigned image, const char *path);
    /* A process runs a new program. */
    void (*exec)(void *ctx, pid_t pid);
    /* A thread got SIGTRAP that may be a breakpoint of ours: true keeps it from the thread. */
    bool (*trap)(void *ctx, pid_t tid);
    /* A signal handler set sr_recorder_ticked (a timer, ^C): time to look at the clock. */
    void (*tick)(void *ctx);
};

struct sr_tracee {
    pid_t tid, pid; /* tid 0: empty slot, -1: deleted */
    int32_t image;  /* -1: unknown */
    bool own_text, first, syscall_mode;
    bool execed; /* runs another program than the one it was made by */
};

struct sr_recorder {
    const struct sr_recorder_ops *ops;
    void *ctx;
    struct sr_tracee *table; /* open addressing, power of two */
    uint32_t slots, used, live;
    uint32_t live_max; /* more threads than this at once end the run; 0: no limit */
    pid_t first;       /* the first process */
    int status;        /* its wait status, once ended */
    bool ended;        /* it has ended */
    bool killing;      /* everything is being ended; nothing is reported any more */
    bool releasing;    /* every thread is detached at its next stop */
    bool overflow;     /* live_max was exceeded */
    bool guard;        /* keep signals away from processes outside the run */
    bool syscalls;     /* no filter (attached processes): syscall stops for all */
    uint64_t denied;   /* signals that the guard kept away */
    uint64_t lost;     /* calls of processes without an image number */
};

/* Set to 1 by the owner's signal handlers; the loop clears it and calls tick. A periodic timer
 * should be among them: a signal that comes just before the loop sleeps does not wake it. */
extern volatile int sr_recorder_ticked;

/* Both return 0 or a negative errno. The recorder may be used again after a run: reset. */
int sr_recorder_init(struct sr_recorder *r, const struct sr_recorder_ops *ops, void *ctx);
void sr_recorder_reset(struct sr_recorder *r);
void sr_recorder_free(struct sr_recorder *r);

/*
 * Seizes a process (a child that waits to be released, or a foreign one) as the first of a run.
 * image: its image number, or -1 to ask /proc. Returns 0 or a negative errno: -EPERM, -ESRCH.
 */
int sr_recorder_seize(struct sr_recorder *r, pid_t pid, int image, bool own_text);

/* Handles events until no tracee is left. */
void sr_recorder_wait(struct sr_recorder *r);

/* From a callback or a tick: end all tracees (SIGKILL), or let them all go unharmed. */
void sr_recorder_kill(struct sr_recorder *r);
void sr_recorder_release(struct sr_recorder *r);

/* Reads the executable of a process; returns its length or a negative errno. buf is terminated. */
int sr_read_exe(pid_t pid, char *buf, size_t size);

#endif
