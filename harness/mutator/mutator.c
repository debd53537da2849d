/*
 * The mutator's frame: reads the input as a scenario, applies one or a few edits, prints it.
 *
 * The table below is where the odds are: edits of arguments, files and content are common; what
 * costs time or ends most runs early (limits, signals, fifos, terminals) is rare.
 */
#include "mutator.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "budget.h"
#include "edit.h"

#define EDITS_MAX   8
#define ENTRIES_MAX 10000000 /* of a queue whose depths are remembered */

static const struct {
    sr_edit_fn *run;
    unsigned weight;
} edits[] = {
    {sr_edit_option, 150},        {sr_edit_operand, 40},
    {sr_edit_arg_remove, 50},     {sr_edit_arg_again, 15},
    {sr_edit_arg_swap, 20},       {sr_edit_arg_alter, 40},
    {sr_edit_argv0, 2},           {sr_edit_env, 30},
    {sr_edit_env_remove, 8},      {sr_edit_content_line, 120},
    {sr_edit_content_equal, 25},  {sr_edit_content_alike, 50},
    {sr_edit_content_repeat, 20}, {sr_edit_content_bytes, 25},
    {sr_edit_content_end, 20},    {sr_edit_node_add, 40},
    {sr_edit_node_remove, 25},    {sr_edit_node_again, 25},
    {sr_edit_node_many, 5},       {sr_edit_node_kind, 15},
    {sr_edit_node_name, 15},      {sr_edit_node_mode, 12},
    {sr_edit_node_size, 10},      {sr_edit_node_mtime, 10},
    {sr_edit_node_target, 10},    {sr_edit_stdin, 20},
    {sr_edit_output, 14},         {sr_edit_cwd, 6},
    {sr_edit_umask, 3},           {sr_edit_limit, 8},
    {sr_edit_signal, 20},         {sr_edit_time, 4},
    {sr_edit_splice, 60},         {sr_edit_line, 260},
    {sr_edit_line_file, 6},       {sr_edit_peer_add, 60},
    {sr_edit_peer_remove, 20},    {sr_edit_peer_command, 150},
    {sr_edit_peer_word, 60},      {sr_edit_pace, 3},
};

#define TURN_US 4000000

#define EDITS (sizeof edits / sizeof *edits)

struct mutator {
    struct sr_target target;
    struct sr_scenario s, other;
    struct sr_arena arena, other_arena;
    uint64_t rng;
    unsigned total_weight;
    struct sr_budget budget;
    uint8_t *depths; /* of queue entries by number: one more than enum sr_depth; 0: not known */
    size_t n_depths;
    uint64_t turn_us; /* when the turn of the present entry began */
    char *out;
    size_t out_size;
};

/* xorshift64*: small, quick, and its state is all in the edit. */
uint32_t sr_below(struct sr_edit *e, uint32_t n) {
    e->rng ^= e->rng >> 12;
    e->rng ^= e->rng << 25;
    e->rng ^= e->rng >> 27;
    return (uint32_t)(((e->rng * UINT64_C(0x2545f4914f6cdd1d) >> 32) * n) >> 32);
}

bool sr_one_in(struct sr_edit *e, uint32_t n) {
    return sr_below(e, n) == 0;
}

void *afl_custom_init(void *afl, unsigned seed) {
    struct mutator *m = calloc(1, sizeof *m);
    const char *path = getenv("SYSREACH_TARGET");
    char err[1024];

    (void)afl;
    if (!m)
        return NULL;
    if (path && sr_target_read(path, &m->target, err, sizeof err)) {
        fprintf(stderr, "sysreach: mutator: %s; going on without a target\n", err);
        path = NULL;
    }
    m->arena = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    m->other_arena = (struct sr_arena){.base = malloc(SR_ARENA_BYTES), .size = SR_ARENA_BYTES};
    if ((!path && sr_target_init(&m->target)) || !m->arena.base || !m->other_arena.base) {
        afl_custom_deinit(m);
        return NULL;
    }
    memcpy(m->budget.share, m->target.budget, sizeof m->budget.share);
    /* Spread the seed's few bits; the state must not be 0. */
    m->rng = (seed + UINT64_C(1)) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (size_t i = 0; i < EDITS; i++)
        m->total_weight += edits[i].weight;
    return m;
}

void afl_custom_deinit(void *data) {
    struct mutator *m = data;

    sr_target_free(&m->target);
    free(m->arena.base);
    free(m->other_arena.base);
    free(m->depths);
    free(m->out);
    free(m);
}

static void read_scenario(struct sr_scenario *s, struct sr_arena *arena, const uint8_t *text,
                          size_t len) {
    arena->used = 0;
    sr_scenario_init(s);
    sr_scenario_parse(s, arena, text, len);
}

/* Whether a line "reset" keeps the target's base away from this input. */
static bool has_reset(const char *text, size_t len) {
    static const char line[] = "\nreset\n";
    size_t n = sizeof line - 1;

    return (len >= n - 1 && !memcmp(text, line + 1, n - 1)) || memmem(text, len, line, n) != NULL;
}

static bool apply_one(struct mutator *m, struct sr_edit *e) {
    unsigned at = sr_below(e, m->total_weight);
    size_t i = 0;

    while (at >= edits[i].weight)
        at -= edits[i++].weight;
    return edits[i].run(e);
}

static bool apply_edits(struct mutator *m, struct sr_edit *e) {
    unsigned wanted = 1, done = 0;

    while (wanted < EDITS_MAX && sr_one_in(e, 2))
        wanted++;
    /* An edit that has nothing to work on changes nothing: another one is tried, not for ever. */
    for (unsigned tries = 0; done < wanted && tries < 4 * EDITS_MAX; tries++)
        done += apply_one(m, e);
    return done != 0;
}

/* The text into m->out; 0 when it is longer than max_size or there is no memory for it. */
static size_t print(struct mutator *m, const struct sr_scenario *s, bool complete,
                    size_t max_size) {
    size_t len = sr_scenario_print(s, complete, m->out, m->out_size);

    if (len > max_size)
        return 0;
    if (len > m->out_size) {
        char *more = realloc(m->out, 2 * len);
        if (!more)
            return 0;
        m->out = more;
        m->out_size = 2 * len;
        sr_scenario_print(s, complete, m->out, m->out_size);
    }
    return len;
}

static uint64_t now_us(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Sessions take from a twentieth of a second to several: a slow entry's turn ends early. Where
 * there are none the clock is not looked at, and a seed makes the same campaign again. */
static bool turn_is_over(const struct mutator *m) {
    return m->target.session.n && m->turn_us && now_us() - m->turn_us > TURN_US;
}

size_t afl_custom_fuzz(void *data, uint8_t *buf, size_t size, uint8_t **out, uint8_t *add,
                       size_t add_size, size_t max_size) {
    struct mutator *m = data;
    struct sr_edit e = {.s = &m->s, .arena = &m->arena, .target = &m->target, .rng = m->rng};

    *out = buf; /* AFL++ wants some buffer, even where 0 bytes are returned: no input this time */
    if (turn_is_over(m))
        return 0;
    read_scenario(&m->s, &m->arena, buf, size);
    if (add && add_size) {
        read_scenario(&m->other, &m->other_arena, add, add_size);
        e.other = &m->other;
    }
    bool changed = apply_edits(m, &e);
    m->rng = e.rng;
    if (!changed)
        return 0;

    bool complete = has_reset((const char *)buf, size);
    size_t len = print(m, &m->s, complete, max_size);
    if (!len)
        return 0;
    /* Once more, since edits need not care for floors, double names and the order of signals. */
    read_scenario(&m->other, &m->other_arena, (const uint8_t *)m->out, len);
    *out = (uint8_t *)m->out;
    return print(m, &m->other, complete, max_size);
}

/* With the target's base before it as when it runs. */
static enum sr_depth depth_of(struct mutator *m, const void *text, size_t len) {
    read_scenario(&m->s, &m->arena, (const uint8_t *)m->target.base, strlen(m->target.base));
    if (len)
        sr_scenario_parse(&m->s, &m->arena, text, len);
    return sr_scenario_depth(&m->s, (const char *const *)m->target.session.v, m->target.session.n);
}

/*
 * AFL++'s own count is made for programs that take a millisecond: one slow entry would have minutes
 * to itself. Each turn costs about the same time, whatever the depth.
 */
uint32_t afl_custom_fuzz_count(void *data, const uint8_t *buf, size_t len) {
    static const uint32_t turns[SR_DEPTHS] = {
        [SR_DEPTH_ALONE] = 512, [SR_DEPTH_LINK] = 64, [SR_DEPTH_SESSION] = 24};
    struct mutator *m = data;

    m->turn_us = now_us();
    return turns[depth_of(m, buf, len)];
}

static enum sr_depth depth_of_file(struct mutator *m, const char *path) {
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(SR_TEXT_MAX) : NULL;
    enum sr_depth depth = depth_of(m, text, f && text ? fread(text, 1, SR_TEXT_MAX, f) : 0);

    free(text);
    if (f)
        fclose(f);
    return depth;
}

/* An entry's file never changes, and AFL++ asks often: "…/id:000123,…" is read once. */
static enum sr_depth depth_of_entry(struct mutator *m, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t id = strncmp(name, "id:", 3) ? SIZE_MAX : strtoul(name + 3, NULL, 10);

    if (id >= ENTRIES_MAX)
        return depth_of_file(m, path);
    if (id >= m->n_depths) {
        size_t n = 2 * id + 64;
        uint8_t *more = realloc(m->depths, n);
        if (!more)
            return depth_of_file(m, path);
        memset(more + m->n_depths, 0, n - m->n_depths);
        m->depths = more;
        m->n_depths = n;
    }
    if (!m->depths[id])
        m->depths[id] = (uint8_t)(depth_of_file(m, path) + 1);
    return (enum sr_depth)(m->depths[id] - 1);
}

uint8_t afl_custom_queue_get(void *data, const uint8_t *filename) {
    struct mutator *m = data;

    return sr_budget_take(&m->budget, depth_of_entry(m, (const char *)filename), now_us());
}
