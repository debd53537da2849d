/*
 * The promises of the scenario format, for any bytes: reading is total and bounded, the canonical
 * text reads back to the same scenario, and printing that again gives the same text.
 *
 * Reads the files given, or stdin; built with afl-clang-fast it loops. Aborts on a broken promise.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysreach/scenario.h"

#define INPUT_MAX (SR_TEXT_MAX + (64u << 10)) /* a little more than the parser reads */

static void require(bool ok, const char *what) {
    if (ok)
        return;
    fprintf(stderr, "fuzz_scenario: %s\n", what);
    abort();
}

static void check_bounds(const struct sr_scenario *s) {
    uint64_t content = sr_content_size(s, s->input);
    size_t strings = s->argv0.p ? s->argv0.len + 1u : 0;

    require(s->n_args <= SR_ARGS_MAX && s->n_envs <= SR_ENVS_MAX && s->n_nodes <= SR_NODES_MAX &&
                s->n_segments <= SR_SEGMENTS_MAX && s->n_signals <= SR_SIGNALS_MAX,
            "a count beyond its bound");
    for (uint32_t i = 0; i < s->n_args; i++)
        strings += s->args[i].len + 1u;
    for (uint32_t i = 0; i < s->n_envs; i++)
        strings += s->envs[i].len + 1u;
    for (uint32_t i = 0; i < s->n_nodes; i++) {
        const struct sr_str name = s->nodes[i].name;
        content += sr_content_size(s, s->nodes[i].content);
        require(s->nodes[i].size <= SR_SIZE_MAX, "a size beyond its bound");
        require(name.len && name.p[0] != '/' && !name.p[name.len] && strlen(name.p) == name.len,
                "a name that is absolute, empty or holds a NUL");
        for (const char *at = name.p; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
            require(*at != '/' && *at && strncmp(at, "../", 3) != 0 && strcmp(at, "..") != 0,
                    "a name with an empty or .. component");
    }
    require(content <= SR_CONTENT_MAX, "content beyond its bound");
    require(strings <= SR_STRINGS_MAX, "argv and environment beyond their bound");
    require(s->time_ms >= 1 && s->time_ms <= SR_TIME_MAX_MS, "time beyond its bound");
    require(s->idle_ms <= SR_TIME_MAX_MS, "idle beyond its bound");
}

static size_t print(const struct sr_scenario *s, char **text) {
    size_t len = sr_scenario_print(s, true, NULL, 0);

    *text = malloc(len + 1);
    require(*text && sr_scenario_print(s, true, *text, len) == len, "two lengths of one text");
    require(len <= SR_TEXT_MAX, "a canonical text beyond the bound of texts");
    return len;
}

static void check(const char *bytes, size_t len) {
    static struct sr_scenario a, b;
    static struct sr_arena arena_a, arena_b;
    char *input = malloc(len + 1), *text_a, *text_b; /* of its own, so that ASan sees the end */

    if (!arena_a.base) {
        arena_a = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
        arena_b = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    }
    require(arena_a.base && arena_b.base && input, "out of memory");
    arena_a.used = arena_b.used = 0;
    memcpy(input, bytes, len);
    sr_scenario_init(&a);
    sr_scenario_parse(&a, &arena_a, input, len);
    check_bounds(&a);
    size_t len_a = print(&a, &text_a);
    sr_scenario_init(&b);
    sr_scenario_parse(&b, &arena_b, text_a, len_a);
    size_t len_b = print(&b, &text_b);
    require(sr_scenario_equal(&a, &b) && sr_scenario_equal(&b, &a), "it reads back as another");
    require(len_a == len_b && !memcmp(text_a, text_b, len_a), "it prints differently again");
    free(text_b);
    free(text_a);
    free(input);
}

static void check_stream(FILE *f) {
    static char bytes[INPUT_MAX];

    check(bytes, fread(bytes, 1, sizeof bytes, f));
}

int main(int argc, char **argv) {
#ifdef __AFL_HAVE_MANUAL_CONTROL
    static char bytes[INPUT_MAX];
    while (__AFL_LOOP(10000)) {
        ssize_t n = read(0, bytes, sizeof bytes);
        check(bytes, n > 0 ? (size_t)n : 0);
    }
#else
    if (argc == 1)
        check_stream(stdin);
#endif
    for (int i = 1; i < argc; i++) {
        FILE *f = fopen(argv[i], "re");
        if (!f) {
            perror(argv[i]);
            return 2;
        }
        check_stream(f);
        fclose(f);
    }
    return 0;
}
