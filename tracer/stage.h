/*
 * The stage: where a scenario is set up and what stands around the program while it runs.
 *
 * The parent keeps descriptors that outlive single runs (pipes for output, /dev/null) and serves
 * the other ends (feeds stdin, fifos and the terminal, drains output). The child sets up everything
 * that is a process's own: session, tree of files, descriptors, limits. All calls go through the
 * gate.
 */
#ifndef SR_STAGE_H
#define SR_STAGE_H

#include <stdbool.h>

#include "content.h"
#include "sysreach/scenario.h"

/* A writer that waits for room or, for a fifo, for a reader. */
struct sr_feed {
    int fd;   /* -1: a fifo that nobody has opened yet */
    int node; /* index of the fifo, -1: stdin */
    bool done;
    struct sr_content content;
    struct sr_content_at at;
    char pending[4096]; /* read from the content, not written yet */
    uint32_t from, to;
};

#define SR_FEEDS_MAX 8

struct sr_stage {
    const char *root; /* the top of the tree; the folder above it is private and wiped too */
    int above, top;   /* both as descriptors */
    unsigned above_mode;
    int run, sshd, shm; /* other private folders of the sandbox; -1: not in it */
    int null, full;
    int out[2][2];    /* [stdout, stderr][read, write] */
    int in_read;      /* what the child gets as stdin, -1: none of this run's own */
    int file[3];      /* regular files at standard descriptors */
    int pty;          /* the terminal's other side */
    int inet;         /* stdin inet: the listener that the child accepts from; -1: none */
    bool made;        /* the tree is there already, since peers came first */
    int echo;         /* where output is copied to, -1: nowhere */
    bool typed;       /* the terminal got its end of file */
    int64_t quiet_ms; /* since when the terminal has been quiet */
    long heard;       /* bytes that it showed since the last line was typed, its echo taken off */
    uint32_t n_feeds;
    struct sr_feed feeds[SR_FEEDS_MAX];
};

/* Makes root (its parent exists, is private and is wiped between runs). 0 or a negative errno. */
int sr_stage_init(struct sr_stage *st, const char *root);
void sr_stage_free(struct sr_stage *st);

/*
 * Once, in the sandbox and nowhere else: from now on /run (but for what the harness put there) and
 * /dev/shm are wiped between runs as well. 0 or a negative errno.
 */
int sr_stage_box(struct sr_stage *st);

/* Parent, before the fork: what this scenario's standard descriptors need. 0 or a negative errno.
 */
int sr_stage_open(struct sr_stage *st, const struct sr_scenario *s);

/* Child: everything. Closes all descriptors but 0 to 2. 0 or a negative errno; whatever a scenario
 * asks for that cannot be had (a limit, a file) is left out. */
int sr_stage_enter(const struct sr_stage *st, const struct sr_scenario *s);

/* Parent, where something runs before the program: makes the tree that the child would make. */
void sr_stage_make(struct sr_stage *st, const struct sr_scenario *s);

/* Child that becomes a peer: session, folder, umask; stdio (or /dev/null, -1) as standard input,
 * the same or the program's drained output as standard output. 0 or a negative errno. */
int sr_stage_enter_peer(const struct sr_stage *st, const struct sr_scenario *s, int stdio);

/* Parent, while it runs: feeds and drains without blocking. */
void sr_stage_serve(struct sr_stage *st, const struct sr_scenario *s);

/* Parent: whether a user who types line by line has not come to the end yet. */
bool sr_stage_will_type(const struct sr_stage *st, const struct sr_scenario *s);

/* Parent, when all processes are gone: drains, closes, removes all files. */
void sr_stage_close(struct sr_stage *st);

/* tree.c: makes the nodes below a directory. */
void sr_tree_make(int top, const struct sr_scenario *s);

/* Removes everything in a directory (fd stays valid) but the names in keep (NULL at its end; may be
 * NULL itself); it gets its mode back, and its owner. */
void sr_tree_wipe(int dir, unsigned mode, const char *const keep[]);

/* Opens a name below top without following symlinks or leaving it; openat2(2). */
int sr_tree_open(int top, const char *name, int flags);

#endif
