/*
 * sysreach-peer: small counterparts for the scenarios of network programs, one subcommand a file.
 *
 * They stand where a scenario's `serve`, `client` or `before` line would need a program that is not
 * on every machine: a name server, a name service cache, an X server, a SOCKS client, a proxy that
 * passes a descriptor. They know loopback addresses only, need no configuration, and are started
 * very often, so they are linked statically and use libc alone.
 */
#ifndef SR_PEER_H
#define SR_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each gets the words behind the subcommand's name and returns the exit status. */
int sr_peer_dns(int argc, char **argv);
int sr_peer_nscd(int argc, char **argv);
int sr_peer_pass(int argc, char **argv);
int sr_peer_tcp(int argc, char **argv);
int sr_peer_unix(int argc, char **argv);
int sr_peer_socks(int argc, char **argv);
int sr_peer_x11(int argc, char **argv);
int sr_peer_xclient(int argc, char **argv);

/* A stream to a numeric IPv4 or IPv6 address ("localhost" is 127.0.0.1), or -1. */
int sr_peer_connect(const char *host, const char *port);

/* All of n bytes. False: the other end is gone. */
bool sr_peer_read(int fd, void *buf, size_t n);
bool sr_peer_write(int fd, const void *buf, size_t n);

/* Standard input to fd and fd to standard output, until fd ends. */
void sr_peer_copy(int fd);

#endif
