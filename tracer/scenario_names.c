/*
 * The words of the scenario format: descriptor kinds, node kinds, peers, depths, limits and
 * signals.
 *
 * Tables only: this runs in a preloaded library, where libc's own strsignal and sigabbrev_np would
 * bring in locale code. Real-time signals count from glibc's SIGRTMIN (34); 32 and 33 are those
 * that glibc keeps for itself and stand as numbers.
 */
#include <string.h>

#include "sysreach/scenario.h"

static const char *const stdio_names[SR_STDIOS] = {"null",   "file", "pipe", "pty",
                                                   "closed", "full", "inet"};

static const char *const peer_names[SR_PEER_KINDS] = {"before", "client", "serve"};

static const char *const net_names[SR_NETS] = {"tcp", "udp", "unix"};

static const char *const depth_names[SR_DEPTHS] = {"alone", "link", "session"};

static const char *const node_names[SR_NODE_KINDS] = {"file", "dir", "symlink", "fifo"};

static const char *const limit_names[SR_LIMITS] = {"as",      "core",   "cpu",   "data", "fsize",
                                                   "memlock", "nofile", "nproc", "stack"};

#define SIGNAL_MAX   64
#define SIGNAL_RTMIN 34

static const char *const signal_names[SIGNAL_MAX + 1] = {
    NULL,       "HUP",      "INT",      "QUIT",     "ILL",      "TRAP",     "ABRT",     "BUS",
    "FPE",      "KILL",     "USR1",     "SEGV",     "USR2",     "PIPE",     "ALRM",     "TERM",
    "STKFLT",   "CHLD",     "CONT",     "STOP",     "TSTP",     "TTIN",     "TTOU",     "URG",
    "XCPU",     "XFSZ",     "VTALRM",   "PROF",     "WINCH",    "IO",       "PWR",      "SYS",
    "32",       "33",       "RTMIN",    "RTMIN+1",  "RTMIN+2",  "RTMIN+3",  "RTMIN+4",  "RTMIN+5",
    "RTMIN+6",  "RTMIN+7",  "RTMIN+8",  "RTMIN+9",  "RTMIN+10", "RTMIN+11", "RTMIN+12", "RTMIN+13",
    "RTMIN+14", "RTMIN+15", "RTMIN+16", "RTMIN+17", "RTMIN+18", "RTMIN+19", "RTMIN+20", "RTMIN+21",
    "RTMIN+22", "RTMIN+23", "RTMIN+24", "RTMIN+25", "RTMIN+26", "RTMIN+27", "RTMIN+28", "RTMIN+29",
    "RTMIN+30"};

static const struct {
    const char *name;
    int signo;
} signal_aliases[] = {{"IOT", 6}, {"CLD", 17}, {"POLL", 29}};

const char *sr_stdio_name(enum sr_stdio k) {
    return (unsigned)k < SR_STDIOS ? stdio_names[k] : NULL;
}

const char *sr_node_kind_name(enum sr_node_kind k) {
    return (unsigned)k < SR_NODE_KINDS ? node_names[k] : NULL;
}

const char *sr_limit_name(enum sr_limit l) {
    return (unsigned)l < SR_LIMITS ? limit_names[l] : NULL;
}

const char *sr_peer_kind_name(enum sr_peer_kind k) {
    return (unsigned)k < SR_PEER_KINDS ? peer_names[k] : NULL;
}

const char *sr_net_name(enum sr_net n) {
    return (unsigned)n < SR_NETS ? net_names[n] : NULL;
}

const char *sr_depth_name(enum sr_depth d) {
    return (unsigned)d < SR_DEPTHS ? depth_names[d] : NULL;
}

const char *sr_signal_name(int signo) {
    return signo > 0 && signo <= SIGNAL_MAX ? signal_names[signo] : NULL;
}

static bool same(const char *word, const char *p, size_t len) {
    return strlen(word) == len && !memcmp(word, p, len);
}

/* Up to three decimal digits, nothing else; -1 otherwise. */
static int small_number(const char *p, size_t len) {
    int n = 0;

    if (len < 1 || len > 3)
        return -1;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        n = n * 10 + (p[i] - '0');
    }
    return n;
}

int sr_signal_number(const char *name, size_t len) {
    int n = small_number(name, len);

    if (n >= 0)
        return n <= SIGNAL_MAX ? n : 0;
    if (len > 3 && !memcmp(name, "SIG", 3)) {
        name += 3;
        len -= 3;
    }
    for (int i = 1; i <= SIGNAL_MAX; i++)
        if (i != 32 && i != 33 && same(signal_names[i], name, len))
            return i;
    for (size_t i = 0; i < sizeof signal_aliases / sizeof *signal_aliases; i++)
        if (same(signal_aliases[i].name, name, len))
            return signal_aliases[i].signo;
    if (same("RTMAX", name, len))
        return SIGNAL_MAX;
    if (len > 6 && !memcmp(name, "RTMAX-", 6)) {
        n = small_number(name + 6, len - 6);
        if (n >= 0 && n <= SIGNAL_MAX - SIGNAL_RTMIN)
            return SIGNAL_MAX - n;
    }
    return 0;
}
