/*
 * The build-id of an ELF file: which build of a program a set belongs to.
 */
#ifndef SR_BUILDID_H
#define SR_BUILDID_H

#include <stdbool.h>

#define SR_BUILD_ID_BYTES 129 /* hexadecimal digits of 64 bytes, and a NUL */

/* False, and an empty string: no file that can be read, no ELF file, or one without a build-id. */
bool sr_build_id(const char *path, char buf[SR_BUILD_ID_BYTES]);

#endif
