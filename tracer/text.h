/*
 * Small text pieces without stdio: paths in /proc, numbers. For code that runs in the hook.
 */
#ifndef SR_TEXT_H
#define SR_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A buffer that is filled from the left and cut at its end; p is always terminated. */
struct sr_text {
    char *p;
    size_t size, len;
};

static inline void sr_text_bytes(struct sr_text *t, const char *s, size_t n) {
    if (t->len + n >= t->size)
        n = t->size - 1 - t->len;
    memcpy(t->p + t->len, s, n);
    t->len += n;
    t->p[t->len] = 0;
}

static inline void sr_text_str(struct sr_text *t, const char *s) {
    sr_text_bytes(t, s, strlen(s));
}

static inline void sr_text_number(struct sr_text *t, uint64_t v, unsigned base) {
    char tmp[24];
    size_t at = sizeof tmp;

    do
        tmp[--at] = "0123456789abcdef"[v % base];
    while ((v /= base) != 0);
    sr_text_bytes(t, tmp + at, sizeof tmp - at);
}

static inline void sr_text_int(struct sr_text *t, int64_t v) {
    if (v < 0)
        sr_text_str(t, "-");
    sr_text_number(t, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
}

/* "/proc/PID/" and the rest */
static inline void sr_text_proc(struct sr_text *t, int pid, const char *rest) {
    sr_text_str(t, "/proc/");
    sr_text_int(t, pid);
    sr_text_str(t, "/");
    sr_text_str(t, rest);
}

#endif
