/*
 * What the scenario parser reads lines with: words, numbers, escapes. No allocation.
 */
#ifndef SR_SCENARIO_LEX_H
#define SR_SCENARIO_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A part of the text that is being read. */
struct sr_span {
    const char *p;
    size_t n;
};

bool sr_lex_is(struct sr_span w, const char *word);

/* Takes the next word off the front; an empty one at the end. */
struct sr_span sr_lex_word(struct sr_span *rest);

/* All of w as an unsigned number, cut to UINT64_MAX; scaled: k, M or G may follow. */
bool sr_lex_number(struct sr_span w, unsigned radix, bool scaled, uint64_t *out);

/* Seconds with an optional minus sign. */
bool sr_lex_seconds(struct sr_span w, int64_t *out);

/* Decodes the escapes of text to out; its length, or SIZE_MAX when there is not room enough. */
size_t sr_lex_decode(struct sr_span text, char *out, size_t room);

#endif
