/*
 * Mutated configuration files, for tests/integration/config_accept.py.
 *
 *   config_mutate N SEED OUT GLOB SCENARIO...     (SYSREACH_TARGET names the target file)
 *
 * Drives the mutator as afl-fuzz does: each of the N inputs is one of the scenarios, changed once.
 * With N of 0 every scenario is taken as it is.
 * Files of the result whose name matches the glob are written to OUT/0000001, OUT/0000002, ...
 */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutator/mutator.h"
#include "sysreach/scenario.h"
#include "target.h"

#define FILES_MAX 10000

struct text {
    char *p;
    size_t len;
};

static struct sr_scenario s;
static struct sr_arena arena;
static unsigned written;

static struct text read_file(const char *path) {
    struct text t = {malloc(SR_TEXT_MAX), 0};
    FILE *f = fopen(path, "r");

    if (!t.p || !f) {
        perror(path);
        exit(2);
    }
    t.len = fread(t.p, 1, SR_TEXT_MAX, f);
    fclose(f);
    return t;
}

static void write_content(const char *dir, struct sr_content c) {
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%07u", dir, ++written);
    if (!(f = fopen(path, "w"))) {
        perror(path);
        exit(2);
    }
    for (uint32_t i = 0; i < c.n; i++) {
        const struct sr_segment *seg = &s.segments[c.first + i];
        for (uint32_t k = 0; k < seg->repeat; k++)
            fwrite(seg->text.p, 1, seg->text.len, f);
    }
    fclose(f);
}

static void write_matching(const char *dir, const char *glob, const uint8_t *out, size_t len) {
    arena.used = 0;
    sr_scenario_init(&s);
    sr_scenario_parse(&s, &arena, out, len);
    for (uint32_t i = 0; i < s.n_nodes; i++) {
        const char *slash = strrchr(s.nodes[i].name.p, '/');
        const char *name = slash ? slash + 1 : s.nodes[i].name.p;
        if (s.nodes[i].kind == SR_NODE_FILE && !fnmatch(glob, name, FNM_EXTMATCH))
            write_content(dir, s.nodes[i].content);
    }
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fputs("usage: config_mutate N SEED OUT GLOB SCENARIO...\n", stderr);
        return 2;
    }
    const char *target = getenv("SYSREACH_TARGET");
    struct sr_target t;
    char err[1024];
    if (target && sr_target_read(target, &t, err, sizeof err)) { /* the mutator would go on */
        fprintf(stderr, "%s\n", err);
        return 2;
    }
    if (target)
        sr_target_free(&t);
    unsigned long n = strtoul(argv[1], NULL, 10);
    void *m = afl_custom_init(NULL, (unsigned)strtoul(argv[2], NULL, 10));
    unsigned files = (unsigned)argc - 5;
    static struct text texts[FILES_MAX];

    arena = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    if (!m || files > FILES_MAX || !arena.base)
        return 2;
    for (unsigned i = 0; i < files; i++)
        texts[i] = read_file(argv[5 + i]);
    for (unsigned i = 0; !n && i < files; i++)
        write_matching(argv[3], argv[4], (const uint8_t *)texts[i].p, texts[i].len);
    for (unsigned long i = 0; i < n; i++) {
        struct text in = texts[i % files], add = texts[i / files % files];
        uint8_t *out;
        size_t len = afl_custom_fuzz(m, (uint8_t *)in.p, in.len, &out, (uint8_t *)add.p, add.len,
                                     SR_TEXT_MAX);
        write_matching(argv[3], argv[4], out, len);
    }
    for (unsigned i = 0; i < files; i++)
        free(texts[i].p);
    free(arena.base);
    afl_custom_deinit(m);
    return 0;
}
