/*
 * The input log's writer: which runs are worth a record, see sysreach/inputlog.h.
 *
 * AFL++ runs an input that it keeps several times in a row (calibration), so the second run of the
 * same bytes is logged, and further ones when they made something else. A run that showed a new
 * call site is logged as well.
 */
#include <time.h>

#include "hook.h"
#include "sys.h"

void sr_hook_log(struct sr_hook *h) {
    struct sr_input_record *rec = h->run.result;
    bool again = h->hash == h->last_hash;
    uint64_t sets = sr_hash64(rec->images, rec->n_images * sizeof rec->images[0]);

    if (!again)
        h->logged_sets = 0;
    h->last_hash = h->hash;
    if ((!again && !h->site_is_new) || sets == h->logged_sets)
        return;
    h->logged_sets = sets;
    rec->hash = h->hash;
    rec->input = h->instance->started;
    rec->time_ms = (uint64_t)sr_clock_ms(CLOCK_REALTIME);
    if (h->site_is_new)
        rec->flags |= SR_INPUT_NEW;
    sr_sys(SYS_write, h->inputs, rec, rec->bytes);
}
