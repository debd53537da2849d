/*
 * The peers of a run, see peers.h: listeners, when what is started, when a server is told to end.
 *
 * Connections are taken at the clock's ticks, and without waiting for one where the recorder has
 * just seen a call that may have connected. Everything here runs in the parent, through the gate.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "peers.h"
#include "run.h"
#include "sys.h"
#include "text.h"
#include "tracees.h"

#define BACKLOG 16
/* How many calls after one that may have connected it is looked for a connection. */
#define POKES 4
/* Without a recorder nobody sees that a server waits: clients start after so long. */
#define PLAIN_CLIENT_MS 100

void sr_peers_init(struct sr_peers *p) {
    memset(p, 0, sizeof *p);
    for (unsigned i = 0; i < SR_PEERS_MAX; i++)
        p->listener[i] = -1;
    p->inet = -1;
}

/* A listening (udp: bound) socket that does not block, above all standard descriptors. */
static int listen_at(int domain, int type, const void *address, size_t len) {
    const int on = 1, off = 0;
    long fd = sr_sys(SYS_socket, domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), up, err;

    if (fd < 0)
        return (int)fd;
    sr_sys(SYS_setsockopt, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* Accepted sockets inherit it: without, each small answer waits for a delayed acknowledgement.
     */
    if (domain != AF_UNIX && type == SOCK_STREAM)
        sr_sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (domain == AF_INET6)
        sr_sys(SYS_setsockopt, fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    err = sr_sys(SYS_bind, fd, address, len);
    if (!err && type == SOCK_STREAM)
        err = sr_sys(SYS_listen, fd, BACKLOG);
    up = err ? err : sr_sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 256);
    sr_sys(SYS_close, fd);
    return (int)up;
}

/* On all addresses of loopback, both families; IPv4 alone where the kernel has no IPv6. */
static int listen_port(enum sr_net net, uint32_t port) {
    int type = net == SR_NET_TCP ? SOCK_STREAM : SOCK_DGRAM;
    const struct sockaddr_in6 both = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = listen_at(AF_INET6, type, &both, sizeof both);

    return fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL
               ? listen_at(AF_INET, type, &four, sizeof four)
               : fd;
}

static int listen_unix(const struct sr_run *run, const char *name) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct sr_text path = {at.sun_path, sizeof at.sun_path, 0};

    sr_text_str(&path, run->stage.root);
    sr_text_str(&path, "/");
    sr_text_str(&path, name);
    return listen_at(AF_UNIX, SOCK_STREAM, &at, sizeof at);
}

static bool wants_inet(const struct sr_scenario *s) {
    return s->stdio[0] == SR_STDIO_INET || s->stdio[1] == SR_STDIO_INET ||
           s->stdio[2] == SR_STDIO_INET;
}

void sr_peers_open(struct sr_run *run) {
    const struct sr_scenario *s = &run->scenario;
    struct sr_peers *p = &run->peers;
    bool may_come = false;

    sr_peers_init(p);
    if (s->n_peers)
        sr_stage_make(&run->stage, s);
    for (uint32_t i = 0; i < s->n_peers; i++) {
        const struct sr_peer *peer = &s->peers[i];

        if (peer->kind == SR_PEER_SERVE)
            p->listener[i] = peer->net == SR_NET_UNIX ? listen_unix(run, peer->name.p)
                                                      : listen_port(peer->net, peer->port);
        else
            may_come = true;
        p->clients_left += peer->kind == SR_PEER_CLIENT;
    }
    if (wants_inet(s))
        p->inet = listen_port(SR_NET_TCP, SR_INET_PORT);
    /* Nobody who could connect: the program's accept fails at once instead of waiting. */
    if (may_come && p->inet >= 0)
        sr_sys(SYS_fcntl, p->inet, F_SETFL, 0);
    run->stage.inet = p->inet;
}

static pid_t start(struct sr_run *run, unsigned i, int stdio) {
    return sr_run_fork_peer(run, &run->scenario.peers[i], stdio);
}

/* Until one process has ended; what goes on beside it does not matter. */
static void wait_for(struct sr_run *run, pid_t pid) {
    run->peers.awaited = pid;
    if (run->record)
        sr_recorder_wait(&run->recorder);
    else
        sr_run_wait_plainly(run, pid, false);
    run->peers.awaited = 0;
    /* Out of time: the program still gets its start, and the clock ends it at once. */
    run->recorder.killing = false;
}

/* The program's accept fails at once instead of waiting. */
static void nobody_comes(const struct sr_run *run) {
    if (run->peers.inet >= 0)
        sr_sys(SYS_fcntl, run->peers.inet, F_SETFL, O_NONBLOCK);
}

void sr_peers_before(struct sr_run *run) {
    for (unsigned i = 0; i < run->scenario.n_peers; i++) {
        pid_t pid;

        if (run->scenario.peers[i].kind != SR_PEER_BEFORE)
            continue;
        pid = start(run, i, -1);
        if (pid > 0)
            wait_for(run, pid);
    }
    if (run->record && !run->recorder.live && !run->peers.clients_left)
        nobody_comes(run);
}

static void start_clients(struct sr_run *run) {
    struct sr_peers *p = &run->peers;

    p->clients_started = true;
    for (unsigned i = 0; i < run->scenario.n_peers; i++) {
        if (run->scenario.peers[i].kind != SR_PEER_CLIENT)
            continue;
        p->pid[i] = start(run, i, -1);
        if (p->pid[i] <= 0)
            p->clients_left--;
    }
}

void sr_peers_begin(struct sr_run *run, pid_t program) {
    struct sr_peers *p = &run->peers;

    if (p->clients_left && p->inet >= 0)
        start_clients(run);
    else if (!run->record)
        p->server = program; /* nobody sees who listens */
}

static bool may_connect(const struct sr_call *c) {
    return c->abi == SR_ABI_X86_64 && (c->nr == SYS_connect || c->nr == SYS_sendto ||
                                       c->nr == SYS_sendmsg || c->nr == SYS_sendmmsg);
}

static bool may_wait(const struct sr_call *c) {
    static const uint16_t waits[] = {SYS_poll,   SYS_ppoll,        SYS_select,     SYS_pselect6,
                                     SYS_accept, SYS_accept4,      SYS_epoll_wait, SYS_epoll_pwait,
                                     SYS_pause,  SYS_rt_sigsuspend};

    for (size_t i = 0; c->abi == SR_ABI_X86_64 && i < sizeof waits / sizeof *waits; i++)
        if (c->nr == waits[i])
            return true;
    return false;
}

void sr_peers_on_call(struct sr_run *run, const struct sr_stop *stop) {
    struct sr_peers *p = &run->peers;

    if (p->poke) {
        p->poke--;
        sr_peers_serve(run);
    }
    if (may_connect(&stop->call)) {
        p->poke = POKES;
    } else if (!stop->peer && stop->call.abi == SR_ABI_X86_64 && stop->call.nr == SYS_listen) {
        /* Later ones are a session's own, for what it forwards. */
        if (!p->clients_started || !sr_tracees_find(&run->recorder, p->server))
            p->server = stop->pid;
    } else if (p->clients_left && !p->clients_started && p->server && !stop->peer &&
               may_wait(&stop->call)) {
        start_clients(run);
    }
}

/* The last client has gone: nobody will come any more. */
static void no_more_clients(struct sr_run *run) {
    struct sr_peers *p = &run->peers;
    struct pollfd waiting = {p->inet, POLLIN, 0};

    /* In case that none connected at all; one that waits still, although gone, is to be taken. */
    if (p->inet >= 0 && sr_sys(SYS_poll, &waiting, 1, 0) != 1)
        sr_sys(SYS_shutdown, p->inet, SHUT_RDWR);
    if (!p->server || (run->record && !sr_tracees_find(&run->recorder, p->server)))
        return;
    sr_sys(SYS_kill, p->server, SIGTERM);
    p->told_end = run->signalled = true;
}

void sr_peers_on_exit(struct sr_run *run, pid_t pid) {
    struct sr_peers *p = &run->peers;

    if (pid == p->awaited)
        run->recorder.pause = true;
    for (unsigned i = 0; i < run->scenario.n_peers; i++) {
        if (p->pid[i] != pid)
            continue;
        p->pid[i] = 0;
        if (run->scenario.peers[i].kind == SR_PEER_CLIENT && --p->clients_left == 0)
            no_more_clients(run);
    }
}

/* A connection, or the socket of a first packet. */
static int take(const struct sr_peers *p, const struct sr_peer *peer, unsigned i) {
    if (peer->net != SR_NET_UDP)
        return (int)sr_sys(SYS_accept4, p->listener[i], 0, 0, SOCK_CLOEXEC);
    return (int)sr_sys(SYS_fcntl, p->listener[i], F_DUPFD_CLOEXEC, 3);
}

/* False: there was nothing, or it could not be taken. */
static bool serve_one(struct sr_run *run, unsigned i) {
    const struct sr_peer *peer = &run->scenario.peers[i];
    struct sr_peers *p = &run->peers;
    int fd = take(p, peer, i);
    pid_t pid;

    if (fd < 0)
        return false;
    pid = start(run, i, fd);
    p->starts++;
    if (pid > 0 && peer->net == SR_NET_UDP)
        p->pid[i] = pid;
    sr_sys(SYS_close, fd);
    return true;
}

/* Listeners where something is to be taken, a bit each. Whoever has an udp socket takes all its
 * packets until it ends. One call for all: it is asked often, and mostly in vain. */
static unsigned ready_listeners(const struct sr_run *run) {
    const struct sr_peers *p = &run->peers;
    struct pollfd polled[SR_PEERS_MAX];
    unsigned mask = 0, n = run->scenario.n_peers;

    if (!sr_peers_listen(run))
        return 0;
    for (unsigned i = 0; i < n; i++) {
        bool busy = run->scenario.peers[i].net == SR_NET_UDP && p->pid[i];

        polled[i] = (struct pollfd){busy ? -1 : p->listener[i], POLLIN, 0};
    }
    if (sr_sys(SYS_poll, polled, n, 0) > 0)
        for (unsigned i = 0; i < n; i++)
            mask |= polled[i].revents ? 1u << i : 0;
    return mask;
}

void sr_peers_serve(struct sr_run *run) {
    struct sr_peers *p = &run->peers;
    bool more = true;

    while (more && !run->recorder.killing) {
        unsigned ready = ready_listeners(run);

        more = false;
        for (unsigned i = 0; i < run->scenario.n_peers; i++)
            if (ready >> i & 1 && p->starts < SR_PEER_STARTS_MAX)
                more |= serve_one(run, i);
    }
    if (!run->record && p->clients_left && !p->clients_started &&
        sr_clock_ms(CLOCK_MONOTONIC) - run->began_ms >= PLAIN_CLIENT_MS)
        start_clients(run);
}

bool sr_peers_listen(const struct sr_run *run) {
    for (unsigned i = 0; i < run->scenario.n_peers; i++)
        if (run->peers.listener[i] >= 0)
            return true;
    return false;
}

bool sr_peers_busy(const struct sr_run *run) {
    const struct sr_peers *p = &run->peers;
    const unsigned program = 1u;

    /* Not started yet: a daemon's first process has ended, the server may still be on its way. */
    return p->clients_left && (p->clients_started || sr_recorder_has(&run->recorder, program));
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        sr_sys(SYS_close, *fd);
    *fd = -1;
}

void sr_peers_close(struct sr_run *run) {
    for (unsigned i = 0; i < run->scenario.n_peers; i++)
        close_fd(&run->peers.listener[i]);
    close_fd(&run->peers.inet);
    run->stage.inet = -1;
    run->stage.made = false;
}
