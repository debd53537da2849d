/*
 * Words, numbers and escapes of the scenario's text, see scenario_lex.h.
 */
#include <string.h>

#include "scenario_lex.h"

bool sr_lex_is(struct sr_span w, const char *word) {
    return w.n == strlen(word) && !memcmp(w.p, word, w.n);
}

struct sr_span sr_lex_word(struct sr_span *rest) {
    while (rest->n && (*rest->p == ' ' || *rest->p == '\t')) {
        rest->p++;
        rest->n--;
    }
    struct sr_span word = {rest->p, 0};
    while (word.n < rest->n && word.p[word.n] != ' ' && word.p[word.n] != '\t')
        word.n++;
    rest->p += word.n;
    rest->n -= word.n;
    return word;
}

bool sr_lex_number(struct sr_span w, unsigned radix, bool scaled, uint64_t *out) {
    uint64_t v = 0;
    unsigned shift = 0;

    if (scaled && w.n > 1) {
        char unit = w.p[w.n - 1];
        shift = unit == 'k' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
        if (shift)
            w.n--;
    }
    if (!w.n)
        return false;
    for (size_t i = 0; i < w.n; i++) {
        unsigned digit = (unsigned)(unsigned char)w.p[i] - '0';
        if (digit >= radix)
            return false;
        if (__builtin_mul_overflow(v, radix, &v) || __builtin_add_overflow(v, digit, &v))
            v = UINT64_MAX;
    }
    *out = v > UINT64_MAX >> shift ? UINT64_MAX : v << shift;
    return true;
}

bool sr_lex_seconds(struct sr_span w, int64_t *out) {
    bool negative = w.n && *w.p == '-';
    uint64_t v;

    if (negative) {
        w.p++;
        w.n--;
    }
    if (!sr_lex_number(w, 10, false, &v))
        return false;
    if (v > INT64_MAX)
        v = INT64_MAX;
    *out = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte that an escape at p[0] == '\\' stands for; *used: how many bytes it takes. */
static char unescape(const char *p, size_t n, size_t *used) {
    *used = 2;
    switch (n > 1 ? p[1] : 0) {
    case 'n':
        return '\n';
    case 't':
        return '\t';
    case 'r':
        return '\r';
    case 'e':
        return 033;
    case '\\':
        return '\\';
    case 'x':
        if (n > 3 && hex_digit(p[2]) >= 0 && hex_digit(p[3]) >= 0) {
            *used = 4;
            return (char)((unsigned)hex_digit(p[2]) << 4 | (unsigned)hex_digit(p[3]));
        }
    }
    *used = 1;
    return '\\';
}

size_t sr_lex_decode(struct sr_span text, char *out, size_t room) {
    size_t len = 0;

    while (text.n) {
        const char *stop = memchr(text.p, '\\', text.n);
        size_t plain = stop ? (size_t)(stop - text.p) : text.n;
        if (plain + (stop != NULL) > room - len)
            return SIZE_MAX;
        memcpy(out + len, text.p, plain);
        len += plain;
        text.p += plain;
        text.n -= plain;
        if (stop) {
            size_t used;
            out[len++] = unescape(text.p, text.n, &used);
            text.p += used;
            text.n -= used;
        }
    }
    return len;
}
