/*
 * argv and environment of a scenario as a program's main expects them.
 */
#ifndef SR_ARGBLOCK_H
#define SR_ARGBLOCK_H

#include "sysreach/scenario.h"

struct sr_argblock {
    int argc;
    char **argv, **envp;
    size_t bytes; /* of the mapping, which begins at argv */
};

/*
 * Lays them out in one mapping, strings one after the other as the kernel does: programs that write
 * their title over argv rely on that. auxv: copied behind envp (NULL: none; ends with AT_NULL).
 * To be made before a scenario's limits count, which may leave no memory for it.
 * program: argv[0] where the scenario names none. Returns 0 or a negative errno.
 */
int sr_argblock_make(struct sr_argblock *b, const struct sr_scenario *s, const char *program,
                     const unsigned long *auxv);

void sr_argblock_free(struct sr_argblock *b);

#endif
