/*
 * Runs scenarios on the stock binary, plainly executed, in the sandbox, under the recorder.
 *
 * This is what start-up sets, seed sets, confirmations and `sysreach replay` stand on. It goes
 * through no forkserver and no preload: fork, apply the scenario, exec, record.
 */
#ifndef SR_RUNNER_H
#define SR_RUNNER_H

#include <stdbool.h>
#include <stddef.h>

#include "sysreach/inputlog.h"
#include "sysreach/union.h"

struct sr_runner {
    const char *program;  /* absolute path */
    const char *base;     /* scenario text file that stands before each one; NULL: none */
    const char *extra_ro; /* see struct sr_sandbox */
    const char *campaign; /* its fixtures, binds and capabilities are used; NULL: none */
    unsigned times;       /* how often each scenario runs; at least 1 */
    unsigned grace_ms;    /* for leftover processes */
    bool plain; /* nothing is recorded and nothing traced, so that another tracer can look; output
                   is shown */
};

/* The outcome of a batch; free with sr_batch_free. */
struct sr_batch {
    struct sr_union *u; /* names of images and objects, and all calls; startup: up to main */
    struct sr_input_record **records; /* scenario i, run k: records[i * times + k]; may be NULL
                                         where the run could not be made */
    size_t n_records;
};

/*
 * Runs scenario files (absolute paths), in order. Each record's sets hold the whole run: execve,
 * start-up and all. images[0].startup of u is the part before main (of the first run).
 * 0, or -1 with the reason already printed (sr_error).
 */
int sr_runner_run(const struct sr_runner *r, char *const scenarios[], size_t n,
                  struct sr_batch *out);
void sr_batch_free(struct sr_batch *b);

#endif
