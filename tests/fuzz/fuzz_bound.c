/*
 * Fuzz target: the static bound of any bytes, in a tree of its own, so that no library is found but
 * the file itself.
 *
 * fuzz_bound FILE. Aborts when tight is not within sound, when a call of a set has no chain that
 * ends at a system-call instruction, or when an unresolved site is not listed.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound/bound.h"

static void require(bool that) {
    if (!that)
        abort();
}

static void check_chains(const struct sr_bound *b) {
    const struct sr_bound_result *r = sr_bound_result(b);
    struct sr_step *steps;
    struct sr_call call;
    char name[256];

    for (unsigned at = 0; sr_set_next(&r->set, &at, &call);) {
        int n = sr_bound_why(b, call, &steps);

        require(n >= 2 && steps[0].kind == SR_STEP_ENTRY && steps[n - 1].kind == SR_STEP_SITE);
        for (int i = 0; i < n; i++)
            sr_bound_name(b, steps[i].object, steps[i].at, name, sizeof name);
        free(steps);
    }
    require(r->closed == (r->n_unresolved == 0));
    for (size_t i = 0; i < r->n_unresolved; i++) {
        require(sr_bound_why_unresolved(b, i, &steps) >= 2);
        free(steps);
    }
}

static void check(struct sr_bound *both[2]) {
    const struct sr_bound_result *sound = sr_bound_result(both[SR_POLICY_SOUND]),
                                 *tight = sr_bound_result(both[SR_POLICY_TIGHT]);
    struct sr_set beyond = sr_set_minus(&tight->set, &sound->set);

    require(sr_set_count(&beyond) == 0 || tight->set.lost || sound->set.lost);
    require(tight->reachable_sites <= sound->reachable_sites &&
            sound->reachable_sites <= sound->sites);
    for (int i = 0; i < 2; i++) {
        check_chains(both[i]);
        sr_bound_free(both[i]);
    }
}

int main(int argc, char **argv) {
    struct sr_closure_request r = {0};
    struct sr_object_error err = {0};
    struct sr_bound *both[2];
    char dir[4096], name[4096];

    if (argc < 2 || strlen(argv[1]) >= sizeof dir - 1)
        return 2;
    strcpy(dir, argv[1]);
    snprintf(name, sizeof name, "/%s", basename(dir));
    strcpy(dir, argv[1]);
    r.root = dirname(dir);
    r.program = name;
    if (sr_bound_both(&r, both, &err))
        check(both);
    else
        require(strchr(err.text, ';') != NULL);
    return 0;
}
