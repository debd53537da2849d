/*
 * Edits of everything around a run: standard descriptors, working directory, umask, limits,
 * signals.
 */
#include <string.h>

#include "edit.h"

bool sr_edit_stdin(struct sr_edit *e) {
    struct sr_scenario *s = e->s;
    struct sr_content *like = sr_content_pick(e);
    uint32_t n = sr_below(e, 40);

    if (s->stdio[0] == SR_STDIO_INET && !sr_one_in(e, 8))
        return false; /* a client waits at the other end */
    s->stdio[0] = n < 18   ? SR_STDIO_PIPE
                  : n < 30 ? SR_STDIO_FILE
                  : n < 34 ? SR_STDIO_NULL
                  : n < 37 ? SR_STDIO_CLOSED
                  : n < 39 ? SR_STDIO_FULL
                           : SR_STDIO_PTY;
    if (n >= 30 && n < 39)
        s->input.n = 0;
    else if (like && (!s->input.n || sr_one_in(e, 4)))
        s->input = *like;
    return true;
}

bool sr_edit_output(struct sr_edit *e) {
    static const enum sr_stdio kinds[] = {SR_STDIO_PIPE, SR_STDIO_PIPE,   SR_STDIO_FILE,
                                          SR_STDIO_FILE, SR_STDIO_CLOSED, SR_STDIO_FULL,
                                          SR_STDIO_NULL, SR_STDIO_PTY};
    uint32_t fd = sr_one_in(e, 3) ? 2 : 1;
    enum sr_stdio kind = sr_pick(e, kinds);

    if (e->s->stdio[fd] == kind || (e->s->stdio[fd] == SR_STDIO_INET && !sr_one_in(e, 8)))
        return false;
    e->s->stdio[fd] = kind;
    return true;
}

bool sr_edit_cwd(struct sr_edit *e) {
    struct sr_scenario *s = e->s;

    if (!s->cwd.p || sr_one_in(e, 2))
        return sr_value_directory(e, &s->cwd);
    s->cwd = (struct sr_str){NULL, 0};
    return true;
}

bool sr_edit_umask(struct sr_edit *e) {
    static const uint32_t masks[] = {0, 022, 077, 0777, 0277, 0400};

    e->s->has_umask = true;
    e->s->umask = sr_pick(e, masks);
    return true;
}

bool sr_edit_limit(struct sr_edit *e) {
    static const uint64_t values[] = {0,        1,         2,         8,         9,     10,
                                      16,       64,        1000,      4096,      65536, 1u << 20,
                                      8u << 20, 32u << 20, 64u << 20, UINT64_MAX};
    uint32_t i = sr_below(e, SR_LIMITS);

    for (uint32_t k = 0; k < SR_LIMITS && sr_one_in(e, 3); k++)
        if (e->s->has_limit[k]) {
            e->s->has_limit[k] = false;
            return true;
        }
    e->s->has_limit[i] = true;
    e->s->limit[i] = sr_pick(e, values);
    return true;
}

bool sr_edit_signal(struct sr_edit *e) {
    /* Those that stop the program cost the whole time of a run. */
    static const int common[] = {1, 2, 3, 10, 12, 13, 14, 15, 17, 18, 23, 28};
    struct sr_scenario *s = e->s;

    if (s->n_signals && sr_one_in(e, 2)) {
        uint32_t i = sr_below(e, s->n_signals);
        s->n_signals--;
        memmove(&s->signals[i], &s->signals[i + 1], (s->n_signals - i) * sizeof *s->signals);
        return true;
    }
    if (s->n_signals == SR_SIGNALS_MAX)
        return false;
    int signo = sr_one_in(e, 20) ? 1 + (int)sr_below(e, 64) : sr_pick(e, common);
    uint32_t after = 1 + sr_below(e, sr_one_in(e, 4) ? 1000 : 60);
    s->signals[s->n_signals++] = (struct sr_signal){signo, after};
    return true;
}

/* Back to the usual time, now and then; nothing makes it longer. */
bool sr_edit_time(struct sr_edit *e) {
    if (e->s->time_ms <= SR_TIME_DEFAULT_MS)
        return false;
    e->s->time_ms = SR_TIME_DEFAULT_MS;
    return true;
}
