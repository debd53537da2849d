/*
 * Instrumented builds of a target: the exact Debian source of the installed program, compiled with
 * afl-clang-fast. The work is done by build-instrumented.sh; see docs/instrumented.md.
 */
#ifndef SR_INSTRUMENT_H
#define SR_INSTRUMENT_H

#include <stddef.h>

/*
 * Builds program (absolute path) of the installed Debian package, or finds the build of an earlier
 * time, below $XDG_CACHE_HOME/sysreach or ~/.cache/sysreach.
 *
 * script: path of build-instrumented.sh; built: where the build leaves the program in the source
 * tree; depends: packages that the build needs, separated by spaces; lines: shell lines that
 * prepare the source tree for make instead of ./configure; NULL for none. The path of the result
 * goes to path_out. Progress and the reason of a failure go to stderr. Returns SR_EXIT_OK,
 * SR_EXIT_USAGE (the target's package, program or built do not fit together) or SR_EXIT_ENV (it
 * cannot be built here).
 */
int sr_instrument_build(const char *script, const char *program, const char *package,
                        const char *built, const char *depends, const char *lines, char *path_out,
                        size_t size);

#endif
