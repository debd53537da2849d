/*
 * What the scenario parser and printer share: how many bytes a string takes once it is escaped.
 *
 * The parser needs it to keep its promise that the canonical text of whatever it accepts is itself
 * within SR_TEXT_MAX, so that reading it again loses nothing.
 */
#ifndef SR_SCENARIO_TEXT_H
#define SR_SCENARIO_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* word: a name or target, in which spaces are escaped too. */
size_t sr_text_escaped_size(const char *p, size_t len, bool word);

/* Default of umask(2) in a scenario. */
#define SR_UMASK_DEFAULT 022u

#endif
