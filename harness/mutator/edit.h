/*
 * Inside the mutator: one edit of one scenario, and what edits are made of.
 *
 * Every edit takes a struct sr_edit and returns whether it changed something. Strings and pieces of
 * content are never changed in place but made anew at the arena's end, so nodes may share them.
 * Chance comes from the edit's own generator alone: the same seed and inputs give the same outputs.
 */
#ifndef SR_MUTATOR_EDIT_H
#define SR_MUTATOR_EDIT_H

#include "sysreach/scenario.h"
#include "target.h"

struct sr_edit {
    struct sr_scenario *s;
    const struct sr_scenario *other; /* to take parts from, or NULL */
    struct sr_arena *arena;
    const struct sr_target *target;
    uint64_t rng;
};

/* mutator.c: numbers below n (n >= 1); true once in n times; one element of an array. */
uint32_t sr_below(struct sr_edit *e, uint32_t n);
bool sr_one_in(struct sr_edit *e, uint32_t n);
#define sr_pick(e, array) ((array)[sr_below((e), (uint32_t)(sizeof(array) / sizeof *(array)))])

/* values.c: strings that grow at the arena's end; one at a time. */
struct sr_build {
    struct sr_arena *arena;
    char *p;
    size_t len;
    bool full;
};

struct sr_build sr_build_begin(struct sr_edit *e);
void sr_build_add(struct sr_build *b, const char *p, size_t len);
bool sr_build_end(struct sr_build *b, struct sr_str *out); /* false: no room; out is untouched */

/* Fitting values, names that exist in the tree, names that may not. */
bool sr_value_fill(struct sr_edit *e, const char *prefix, const struct sr_template *t,
                   struct sr_str *out);
bool sr_value_of(struct sr_edit *e, const char *kind, const char *prefix, struct sr_str *out);
bool sr_value_new_name(struct sr_edit *e, struct sr_str *out);
bool sr_value_directory(struct sr_edit *e, struct sr_str *out);

/* content.c */
struct sr_content *sr_content_pick(struct sr_edit *e); /* NULL: nothing has content */
struct sr_str sr_content_line(struct sr_edit *e);      /* some line, without its newline */
/* Piece i becomes a new one; i == c->n: it is added. false: no room. */
bool sr_content_set(struct sr_edit *e, struct sr_content *c, uint32_t i, struct sr_segment new);

/* lines.c: whether this is the content of a file that the target knows lines of. */
bool sr_lines_known(const struct sr_edit *e, const struct sr_content *c);

typedef bool sr_edit_fn(struct sr_edit *e);
sr_edit_fn sr_edit_content_line, sr_edit_content_equal, sr_edit_content_alike,
    sr_edit_content_repeat, sr_edit_content_bytes, sr_edit_content_end;

/* lines.c */
sr_edit_fn sr_edit_line, sr_edit_line_file;

/* peers.c */
sr_edit_fn sr_edit_peer_add, sr_edit_peer_remove, sr_edit_peer_command, sr_edit_peer_word,
    sr_edit_pace;

/* args.c */
sr_edit_fn sr_edit_option, sr_edit_operand, sr_edit_arg_remove, sr_edit_arg_again, sr_edit_arg_swap,
    sr_edit_arg_alter, sr_edit_argv0, sr_edit_env, sr_edit_env_remove;

/* tree.c */
sr_edit_fn sr_edit_node_add, sr_edit_node_remove, sr_edit_node_again, sr_edit_node_kind,
    sr_edit_node_many, sr_edit_node_name, sr_edit_node_mode, sr_edit_node_size, sr_edit_node_mtime,
    sr_edit_node_target;

/* run.c */
sr_edit_fn sr_edit_stdin, sr_edit_output, sr_edit_cwd, sr_edit_umask, sr_edit_limit, sr_edit_signal,
    sr_edit_time;

/* splice.c */
sr_edit_fn sr_edit_splice;

#endif
