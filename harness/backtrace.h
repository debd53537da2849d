/*
 * The call stack of a discovery, unwound from what the hook saved while the process stood at it.
 *
 * The hook depends on libc alone, so it saves raw evidence (registers, memory map, the bytes of the
 * stack) and the supervisor reads it here, long after the process has gone. The evidence comes from
 * a program under test and may be damaged: then there are fewer frames, never a failure of ours.
 */
#ifndef SR_BACKTRACE_H
#define SR_BACKTRACE_H

#define SR_BACKTRACE_FRAMES 64 /* frames written at most */

/*
 * Reads `evidence` (its lines "reg NAME 0xVALUE"), `maps` and `stack` (bytes from rsp on) of a
 * discovery folder and writes `backtrace` there, whole or not at all, one frame a line:
 *
 *     #0  0x00007f0c5b2f6a40 write+0x10  /usr/lib/x86_64-linux-gnu/libc.so.6 (0xf7a40)
 *
 * The last number is the address in the object's own terms, as addr2line takes it. "-" stands where
 * no symbol or no object is known. A file that is not there any more, or has another inode than the
 * one that was mapped, gives no symbols. Looks at local files only, whatever DEBUGINFOD_URLS says.
 *
 * 0, or a negative errno: -EINVAL where the evidence has no instruction pointer, else what opening
 * `evidence` or writing `backtrace` said. `maps` and `stack` may be missing.
 */
int sr_backtrace_write(const char *discovery_dir);

#endif
