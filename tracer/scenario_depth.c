/*
 * How deep a scenario goes, told from its text: the mutator shares out time by it, the hook counts
 * by it, so both must say the same without having run it.
 */
#include <string.h>

#include "sysreach/scenario.h"

static bool names_one(struct sr_str text, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (text.p && strstr(text.p, words[i]))
            return true;
    return false;
}

enum sr_depth sr_scenario_depth(const struct sr_scenario *s, const char *const *words, size_t n) {
    bool beside = s->n_peers > 0;

    for (uint32_t i = 0; i < s->n_peers; i++)
        if (names_one(s->peers[i].command, words, n))
            return SR_DEPTH_SESSION;
    for (uint32_t i = 0; i < s->n_args; i++)
        if (names_one(s->args[i], words, n))
            return SR_DEPTH_SESSION;
    for (int i = 0; i < 3; i++)
        beside |= s->stdio[i] == SR_STDIO_INET;
    return beside ? SR_DEPTH_LINK : SR_DEPTH_ALONE;
}
