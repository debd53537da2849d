/*
 * The recorder: follows processes with ptrace and reports every system call that they make.
 *
 * The tracees carry the filter of filter.h; each of their calls stops them just before it is made.
 * The hook library and the command line share this event loop; what is done with a call is the
 * owner's business (struct sr_recorder_ops). All memory comes from mmap, all calls go through the
 * gate.
 *
 * A process that installs a seccomp filter of its own is followed with syscall stops from then on,
 * because KILL, TRAP, ERRNO and USER_NOTIF outrank TRACE and a denied attempt would never be seen.
 * A seccomp stop of ours follows the entry stop unless the program's filter refused the call.
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
    bool first;     /* belongs to the first process of the run */
    bool own_text;  /* still has the memory it was forked with: no exec since */
    bool sandboxed; /* a seccomp filter of the program's own is in place */
    uint8_t peer;   /* see struct sr_tracee */
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
    /* A call, reported before, was not made because the program's own seccomp filter refused it.
     * ip, sp and args are 0. Never in attached processes, which have no filter of ours. */
    void (*refused)(void *ctx, const struct sr_stop *stop);
    /* A process (not a thread) made another one. The child's calls may have been reported before.
     */
    void (*fork)(void *ctx, pid_t parent, pid_t pid);
    /* An ELF object was mapped executable. */
    void (*object)(void *ctx, unsigned image, const char *path);
    /* A process runs a new program; image: its number, negative: it has none. */
    void (*exec)(void *ctx, pid_t pid, int image);
    /* A thread got SIGTRAP that may be a breakpoint of ours: true keeps it from the thread. */
    bool (*trap)(void *ctx, pid_t tid);
    /* A process has ended, its last thread too. */
    void (*exit)(void *ctx, pid_t pid);
    /* A signal handler set sr_recorder_ticked (a timer, ^C): time to look at the clock. */
    void (*tick)(void *ctx);
};

struct sr_tracee {
    pid_t tid, pid; /* tid 0: empty slot, -1: deleted */
    int32_t image;  /* -1: unknown */
    bool own_text, first, syscall_mode;
    bool sandboxed;       /* has a seccomp filter of its own */
    bool installs;        /* is about to get one; the exit stop tells */
    bool entered;         /* stopped at an entry, and the seccomp stop has not followed (yet) */
    struct sr_call entry; /* that call */
    bool execed;          /* runs another program than the one it was made by */
    uint8_t peer;         /* 0: descends from the program; else the owner's number for what it is */
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
    bool pause;        /* set by a callback: sr_recorder_wait returns, to be called again */
    bool releasing;    /* every thread is detached at its next stop */
    bool overflow;     /* live_max was exceeded */
    bool guard;        /* keep processes outside the run from harm */
    bool alone;        /* no child of this process was there before; see sr_recorder_wait */
    bool syscalls;     /* no filter (attached processes): syscall stops for all */
    bool ipc;          /* System V IPC or a message queue was used; the owner clears it */
    uint64_t denied;   /* calls that the guard kept away from processes outside the run */
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

/* The same for a process that runs beside the program; peer: what it is, not 0. Its image is asked
 * for when it runs a program of its own. */
int sr_recorder_join(struct sr_recorder *r, pid_t pid, uint8_t peer);

/* Whether a thread is left whose peer number is one of those in mask (bit n: number n). */
bool sr_recorder_has(const struct sr_recorder *r, unsigned mask);

/*
 * Handles events until no tracee is left (or a callback asked for a pause). A process that is
 * killed while it forks leaves a child that no event tells of: a process without other children
 * waits until the kernel says that it has none.
 */
void sr_recorder_wait(struct sr_recorder *r);

/* From a callback or a tick: end all tracees (SIGKILL), or let them all go unharmed. */
void sr_recorder_kill(struct sr_recorder *r);
void sr_recorder_release(struct sr_recorder *r);

/* Reads the executable of a process; returns its length or a negative errno. buf is terminated. */
int sr_read_exe(pid_t pid, char *buf, size_t size);

#endif
