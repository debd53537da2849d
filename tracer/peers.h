/*
 * The peers of a run: what else a scenario starts beside the program.
 *
 * `before` commands run to their end first. `serve` lines are sockets that listen before the
 * program begins; a command is started for each connection, as inetd does it. `client` commands
 * start as soon as there is somebody to reach: at once where the program itself is given a
 * connection (stdin inet), else when a process of the program that has called listen is about to
 * wait. All of them are followed by the recorder like the program itself. When the last client has
 * ended, a server that still waits gets SIGTERM, as from its administrator.
 */
#ifndef SR_PEERS_H
#define SR_PEERS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder.h"
#include "sysreach/scenario.h"

struct sr_run;

#define SR_PEER_STARTS_MAX 32 /* commands of serve lines in one run */

struct sr_peers {
    int listener[SR_PEERS_MAX]; /* serve: the listening socket; -1: none */
    pid_t pid[SR_PEERS_MAX];    /* before and client, and serve udp: its process; 0: not started */
    int inet;                   /* stdin inet: the program's listener; -1: none */
    uint32_t starts;            /* commands of serve lines */
    unsigned clients_left;      /* not ended yet */
    bool clients_started;
    pid_t server;  /* the program's process that called listen last; 0: none */
    bool told_end; /* it got SIGTERM */
    pid_t awaited; /* a before command that has to end first */
    unsigned poke; /* somebody may have connected: look at the next calls */
};

void sr_peers_init(struct sr_peers *p);

/* Parent, before any fork: opens the listeners. What cannot listen is left out. */
void sr_peers_open(struct sr_run *run);

/* Parent, before the program's fork: runs the before commands to their end, in their order. */
void sr_peers_before(struct sr_run *run);

/* Parent, after the program's fork: starts the clients, unless they have to wait. */
void sr_peers_begin(struct sr_run *run, pid_t program);

/* Parent: a call of any process, before it is made. */
void sr_peers_on_call(struct sr_run *run, const struct sr_stop *stop);

/* Parent: a process has ended. */
void sr_peers_on_exit(struct sr_run *run, pid_t pid);

/* Parent: takes connections; at each tick, and when somebody has connected. */
void sr_peers_serve(struct sr_run *run);

/* Whether a connection may come, so that the clock has to tick quickly. */
bool sr_peers_listen(const struct sr_run *run);

/* Whether there are clients to wait for although the program's first process has ended. */
bool sr_peers_busy(const struct sr_run *run);

/* Parent, after the run: closes all. */
void sr_peers_close(struct sr_run *run);

/* run.c: forks one beside the program; stdio: the descriptor that it gets as standard input and
 * output, -1: none. Its pid, already followed, or a negative errno. */
pid_t sr_run_fork_peer(struct sr_run *run, const struct sr_peer *peer, int stdio);

#endif
