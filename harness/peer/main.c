/*
 * Chooses the subcommand, see peer.h.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "peer.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    int least; /* words behind the name */
    const char *help;
} commands[] = {
    {"dns", sr_peer_dns, 0, "[ZONE]: a name server on standard input (datagrams or a stream)"},
    {"nscd", sr_peer_nscd, 0, ": a name service cache on standard input"},
    {"pass", sr_peer_pass, 2, "HOST PORT: connects and passes the descriptor over standard output"},
    {"tcp", sr_peer_tcp, 2, "HOST PORT: connects; standard input there, what comes to output"},
    {"unix", sr_peer_unix, 1, "PATH: the same with a unix socket"},
    {"socks", sr_peer_socks, 4, "4|4a|5|5n PROXY-PORT HOST PORT: the same through a SOCKS proxy"},
    {"x11", sr_peer_x11, 0, "[refuse]: an X server that greets, on standard input"},
    {"xclient", sr_peer_xclient, 2, "DISPLAY COOKIE: greets an X server, prints its answer"},
};

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].least)
            return commands[i].run(argc - 2, argv + 2);
    fputs("usage: sysreach-peer COMMAND [WORD...]\n", stderr);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].help);
    return 2;
}
