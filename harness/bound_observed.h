/*
 * Modules that a program was seen to load: what a trace or a campaign observed mapped, less what is
 * there at start anyway.
 */
#ifndef SR_BOUND_OBSERVED_H
#define SR_BOUND_OBSERVED_H

#include "bound/closure.h"

struct sr_list {
    char **items;
    size_t n;
};

/* A list of words. False: out of memory. What is there already is not added again. */
bool sr_list_add(struct sr_list *list, const char *item);
void sr_list_free(struct sr_list *list);

struct sr_observed {
    struct sr_list *modules;
    size_t left_out; /* objects that were mapped and that no module stands for */
    struct sr_list
        *remarks; /* gets what is to be known about objects and the image; NULL: stderr */
};

/*
 * Adds what the program's image mapped executable according to source (whatever sr_setfile_read
 * takes) and what is not in the closure at start. What is left out and why is a remark; what is
 * wrong goes to stderr. SR_EXIT_OK, or the exit status that fits.
 */
int sr_bound_observed(const char *source, const struct sr_closure *start, const char *root,
                      struct sr_observed *out);

#endif
