/*
 * sysreach status: how a campaign stands, running or not.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "commands.h"
#include "names.h"
#include "onedir.h"
#include "report.h"

static const char doc[] = "Prints how the campaign in DIR stands: time, rates, calls, the "
                          "last discovery, instances, problems.";

/* The last discovery that start-up does not make anyway. */
static const struct sr_discovery *last_news(const struct sr_report *r) {
    for (long i = r->n_discoveries - 1; i >= 0; i--) {
        const struct sr_discovery *d = &r->discoveries[i];

        if (d->image < SR_IMAGES_MAX && !sr_set_has(&r->hooked->images[d->image].startup, d->call))
            return d;
    }
    return NULL;
}

/* Over the last minute of the series, or what there is of it. */
static double recent_rate(const struct sr_report *r) {
    long last = r->n_samples - 1, first = last;

    while (first > 0 && r->samples[last].time_ms - r->samples[first].time_ms < 60000)
        first--;
    if (first >= last || r->samples[last].execs < r->samples[first].execs ||
        r->samples[last].time_ms <= r->samples[first].time_ms)
        return 0;
    return (double)(r->samples[last].execs - r->samples[first].execs) * 1000.0 /
           (double)(r->samples[last].time_ms - r->samples[first].time_ms);
}

static unsigned calls_of(const struct sr_report *r) {
    struct sr_set all = sr_union_all(r->u);

    return sr_set_count(&all);
}

static void put_text(const struct sr_report *r) {
    const struct sr_discovery *d = last_news(r);
    char when[32], name[SR_CALL_NAME_BYTES];

    printf("%s: %s%s%s\n", r->c.dir, sr_report_state(r), r->running || !r->ended ? "" : ": ",
           r->running ? "" : r->end_reason);
    if (!r->running && !r->ended)
        printf("  it did not come to its end; go on: sysreach fuzz --resume %s\n", r->c.dir);
    printf("  program    %s%s\n", r->c.program, r->c.instrumented ? " (instrumented build)" : "");
    printf("  time       %s\n", sr_time_print(r->elapsed_ms, when));
    printf("  inputs     %" PRIu64 ", %.0f/s, last minute %.0f/s\n", r->sum.finished,
           sr_report_rate(r), recent_rate(r));
    sr_report_put_depths(r, "             ", stdout);
    printf("  calls      %u, all images and start-up; %" PRIu64 " call sites\n", calls_of(r),
           r->sites);
    if (d)
        printf("  last       %s at %s (input %" PRIu64 ", %s)\n", sr_call_name(d->call, name),
               sr_time_print(d->time_ms, when), d->input, d->instance);
    else
        printf("  last       no discovery yet\n");
    for (unsigned i = 0; i < r->c.instances; i++) {
        const struct sr_union_instance *in = &r->hooked->instances[i];

        printf("  instance   %.31s: %" PRIu64 " inputs, %" PRIu64 " crashes, %" PRIu64
               " over their time, %" PRIu64 " forkservers\n",
               in->name[0] ? in->name : "(not started)", in->finished, in->crashes, in->timeouts,
               in->restarts);
    }
    if (r->sum.unwitnessed)
        printf("  unwitnessed  %" PRIu64 " discoveries whose evidence could not be written\n",
               r->sum.unwitnessed);
    if (r->store)
        printf("  problems   %ld\n", sr_store_count(r->store, "notes"));
    else
        printf("  problems   the database cannot be used: %s\n", r->why_no_store);
}

static int put_json(const struct sr_report *r) {
    const struct sr_discovery *d = last_news(r);
    json_t *j = json_object(), *instances = json_array(), *last = json_null();
    char name[SR_CALL_NAME_BYTES];
    int err;

    json_object_set_new(j, "campaign", json_string(r->c.dir));
    json_object_set_new(j, "program", json_string(r->c.program));
    json_object_set_new(j, "state", json_string(sr_report_state(r)));
    json_object_set_new(j, "end", r->end_reason[0] ? json_string(r->end_reason) : json_null());
    json_object_set_new(j, "seconds", json_real((double)r->elapsed_ms / 1000.0));
    json_object_set_new(j, "inputs", json_integer((json_int_t)r->sum.finished));
    json_object_set_new(j, "inputs_per_second", json_real(sr_report_rate(r)));
    json_object_set_new(j, "inputs_per_second_last_minute", json_real(recent_rate(r)));
    json_object_set_new(j, "depths", sr_report_json_depths(r));
    json_object_set_new(j, "unwitnessed", json_integer((json_int_t)r->sum.unwitnessed));
    json_object_set_new(j, "calls", json_integer(calls_of(r)));
    json_object_set_new(j, "sites", json_integer((json_int_t)r->sites));
    if (d) {
        last = json_object();
        json_object_set_new(last, "call", json_string(sr_call_name(d->call, name)));
        json_object_set_new(last, "seconds", json_real((double)d->time_ms / 1000.0));
        json_object_set_new(last, "input", json_integer((json_int_t)d->input));
        json_object_set_new(last, "instance", json_string(d->instance));
    }
    json_object_set_new(j, "last_discovery", last);
    for (unsigned i = 0; i < r->c.instances; i++) {
        const struct sr_union_instance *in = &r->hooked->instances[i];
        char own_name[sizeof in->name + 1];
        json_t *one = json_object();

        snprintf(own_name, sizeof own_name, "%.*s", (int)sizeof in->name, in->name);
        json_object_set_new(one, "name", json_string(own_name));
        json_object_set_new(one, "inputs", json_integer((json_int_t)in->finished));
        json_object_set_new(one, "crashes", json_integer((json_int_t)in->crashes));
        json_object_set_new(one, "timeouts", json_integer((json_int_t)in->timeouts));
        json_object_set_new(one, "forkservers", json_integer((json_int_t)in->restarts));
        json_array_append_new(instances, one);
    }
    json_object_set_new(j, "instances", instances);
    json_object_set_new(j, "problems",
                        r->store ? json_integer(sr_store_count(r->store, "notes")) : json_null());
    json_object_set_new(j, "database", r->store ? json_null() : json_string(r->why_no_store));
    err = json_dumpf(j, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(j);
    return err ? SR_EXIT_ENV : SR_EXIT_OK;
}

int sr_cmd_status(int argc, char **argv) {
    struct sr_onedir q;
    struct sr_report *r;
    int status = SR_EXIT_OK;

    if (!sr_onedir_parse(argc, argv, doc, &q))
        return SR_EXIT_USAGE;
    r = calloc(1, sizeof *r);
    if (!r) {
        sr_error("out of memory");
        return SR_EXIT_ENV;
    }
    if (sr_report_read(q.dir, r)) {
        status = SR_EXIT_USAGE;
    } else {
        if (q.json)
            status = put_json(r);
        else
            put_text(r);
        sr_report_free(r);
    }
    free(r);
    return status;
}
