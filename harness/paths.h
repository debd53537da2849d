/*
 * Where our own files lie: beside the program in a build tree, under PREFIX when installed.
 *
 * The build tree is told by the hook library beside the program; targets and seeds are then those
 * of the source tree: the build folder's parent, or else the current directory. Installed, the
 * program is PREFIX/bin/sysreach, the libraries lie in PREFIX/lib/sysreach and the rest in
 * PREFIX/share/sysreach. So an installed tree may be moved as a whole.
 */
#ifndef SR_PATHS_H
#define SR_PATHS_H

#include <stddef.h>

#define SR_HOOK_LIBRARY    "libsysreach-hook.so"
#define SR_MUTATOR_LIBRARY "libsysreach-mutator.so"

/* The folder of the libraries; absolute, never NULL, not checked for existence. */
const char *sr_paths_lib(void);

/* The running program itself, absolute. */
const char *sr_paths_self(void);

/* Target file and default seeds folder of a target's name into buf. 0, or -1: there is none. */
int sr_paths_target(const char *name, char *buf, size_t size);
int sr_paths_seeds(const char *name, char *buf, size_t size);

/* A script of ours ("build-instrumented.sh") into buf. 0, or -1: it is not there. */
int sr_paths_script(const char *name, char *buf, size_t size);

/* Full path of a program as a shell finds it: with a '/' as it is, else from PATH; symbolic links
 * resolved. 0 or -1. */
int sr_paths_program(const char *name, char *buf, size_t size);

#endif
