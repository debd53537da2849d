/*
 * The mutator library's interface, as AFL++ 4.04c expects it of AFL_CUSTOM_MUTATOR_LIBRARY.
 *
 * SYSREACH_TARGET in the environment names a target file for options and their values; without one
 * the edits are those that fit any program. Bytes are left to AFL++'s own havoc stage.
 */
#ifndef SR_MUTATOR_H
#define SR_MUTATOR_H

#include <stddef.h>
#include <stdint.h>

#define SR_EXPORT __attribute__((visibility("default")))

SR_EXPORT void *afl_custom_init(void *afl, unsigned seed);
SR_EXPORT size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t size, uint8_t **out, uint8_t *add,
                                 size_t add_size, size_t max_size);
/* How many mutations of an input are tried in its turn. */
SR_EXPORT uint32_t afl_custom_fuzz_count(void *data, const uint8_t *buf, size_t len);
/* Whether the queue entry in this file is to be worked on: the target's budget (budget.h). */
SR_EXPORT uint8_t afl_custom_queue_get(void *data, const uint8_t *filename);
SR_EXPORT void afl_custom_deinit(void *data);

#endif
