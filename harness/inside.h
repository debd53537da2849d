/*
 * The part of a replay that runs in the sandbox: plain executions under the recorder.
 */
#ifndef SR_INSIDE_H
#define SR_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#define SR_OUT_SCENARIO "scenario-%zu" /* in SR_BOX_OUT: what to run, from 0 */
#define SR_OUT_BASE     "base"
#define SR_OUT_ROLES    "roles"   /* rules, see sr_roles_rule; may be missing */
#define SR_OUT_UNION    "union"   /* what came out */
#define SR_OUT_RECORDS  "records" /* struct sr_input_record, in order */

struct sr_inside {
    const char *program, *dir; /* dir: SR_BOX_OUT */
    unsigned long scenarios, times, grace_ms;
    uint64_t keep_caps; /* that the program keeps; caps.h */
    bool record;        /* false: nothing is recorded, so that another tracer can look */
    bool echo;          /* the program's output goes to our stdout */
};

/* Returns the exit status. */
int sr_inside_run(const struct sr_inside *in);

#endif
