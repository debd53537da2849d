/*
 * The report as JSON; docs/campaign.md lists the keys, docs/file-formats.md those of its bound.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "bound_json.h"
#include "names.h"
#include "report.h"

static json_t *names_of(const struct sr_set *set) {
    struct sr_names *names = malloc(sizeof *names);
    json_t *a = json_array();

    if (names)
        sr_names_of(set, names);
    for (size_t i = 0; names && i < names->n; i++)
        json_array_append_new(a, json_string(names->name[i]));
    free(names);
    return a;
}

static json_t *integer(uint64_t n) {
    return json_integer((json_int_t)n);
}

/* Paths are bytes; what is no UTF-8 becomes '?' so that the document stays valid. */
static json_t *text(const char *s) {
    char buf[PATH_MAX];
    json_t *j = json_string(s);

    if (j)
        return j;
    snprintf(buf, sizeof buf, "%s", s);
    for (char *p = buf; *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    return json_string(buf);
}

static json_t *json_of_call(const struct sr_report *r, const struct sr_report_call *c) {
    char name[SR_CALL_NAME_BYTES];
    json_t *j = json_object();

    json_object_set_new(j, "call", json_string(sr_call_name(c->call, name)));
    json_object_set_new(j, "image", text(r->images[c->image].path));
    json_object_set_new(j, "abi", json_integer(c->call.abi));
    json_object_set_new(j, "nr", json_integer(c->call.nr));
    json_object_set_new(j, "origin", json_string(sr_origin_name(c->origin)));
    json_object_set_new(j, "seconds",
                        c->found ? json_real((double)c->d.time_ms / 1000.0) : json_null());
    json_object_set_new(j, "input", c->found ? integer(c->d.input) : json_null());
    json_object_set_new(j, "instance", c->found ? text(c->d.instance) : json_null());
    json_object_set_new(j, "witness", c->witness[0] ? text(c->witness) : json_null());
    json_object_set_new(j, "replays", json_integer(c->d.replays));
    json_object_set_new(j, "replayed", json_integer(c->d.replayed));
    json_object_set_new(j, "state",
                        c->found ? json_string(sr_state_name(c->d.state)) : json_null());
    return j;
}

static json_t *json_of_roles(const struct sr_report *r, unsigned slot) {
    struct sr_report_role *roles = calloc(SR_ROLES_MAX, sizeof *roles);
    size_t n = roles ? sr_report_roles(r, slot, roles) : 0;
    json_t *a = json_array();

    for (size_t i = 0; i < n; i++) {
        json_t *j = json_object();

        json_object_set_new(j, "name", *roles[i].name ? text(roles[i].name) : json_null());
        json_object_set_new(j, "processes", integer(roles[i].role->processes));
        json_object_set_new(j, "calls", names_of(&roles[i].role->calls));
        json_object_set_new(j, "attempted", names_of(&roles[i].role->attempted));
        json_object_set_new(j, "only", names_of(&roles[i].only));
        json_array_append_new(a, j);
    }
    free(roles);
    return a;
}

static json_t *json_of_images(const struct sr_report *r) {
    json_t *a = json_array();

    for (unsigned i = 0; i < r->n_images; i++) {
        const struct sr_report_image *image = &r->images[i];
        struct sr_set beyond = sr_report_beyond(image);
        json_t *j = json_object(), *objects = json_array();

        json_object_set_new(j, "path", text(image->path));
        json_object_set_new(j, "startup", names_of(&image->startup));
        json_object_set_new(j, "seeds", r->store ? names_of(&image->seeds) : json_null());
        json_object_set_new(j, "observed", names_of(&image->observed));
        json_object_set_new(j, "added", names_of(&beyond));
        json_object_set_new(j, "attempted", names_of(&image->attempted));
        json_object_set_new(j, "roles", json_of_roles(r, image->slot));
        for (unsigned k = 0; k < SR_OBJECTS_MAX; k++) {
            const char *path = sr_union_object_path(r->u, k);
            if (path && r->u->objects[k].image == image->slot)
                json_array_append_new(objects, text(path));
        }
        json_object_set_new(j, "objects", objects);
        json_array_append_new(a, j);
    }
    return a;
}

/* Why calls of the reference were not observed, where something is known. */
static json_t *json_of_reasons(const struct sr_report *r, const struct sr_set *missing) {
    json_t *j = json_object();
    char name[SR_CALL_NAME_BYTES];
    struct sr_call c;

    for (unsigned at = 0; sr_set_next(missing, &at, &c);) {
        const char *reason = sr_report_reason(r, c);

        if (reason)
            json_object_set_new(j, sr_call_name(c, name), json_string(reason));
    }
    return j;
}

static json_t *json_of_reference(const struct sr_report *r) {
    struct sr_set all, both, missing, unknown, extra;
    struct sr_call c;
    json_t *j;

    if (!r->has_reference)
        return json_null();
    sr_set_clear(&all);
    sr_set_clear(&unknown);
    for (unsigned i = 0; i < r->n_images; i++)
        sr_set_merge(&all, &r->images[i].observed);
    both = sr_set_intersect(&r->reference, &all);
    missing = sr_set_minus(&r->reference, &all);
    extra = sr_set_minus(&all, &r->reference);
    for (unsigned at = 0; sr_set_next(&missing, &at, &c);)
        if (!sr_call_known(c))
            sr_set_add(&unknown, c);
    j = json_object();
    json_object_set_new(j, "name", text(r->c.reference));
    json_object_set_new(j, "calls", names_of(&r->reference));
    json_object_set_new(j, "both", names_of(&both));
    json_object_set_new(j, "only_reference", names_of(&missing));
    json_object_set_new(j, "reasons", json_of_reasons(r, &missing));
    json_object_set_new(j, "unknown", names_of(&unknown));
    json_object_set_new(j, "only_observed", names_of(&extra));
    return j;
}

static json_t *json_of_candidates(const struct sr_report *r) {
    json_t *a = json_array();
    char name[SR_CALL_NAME_BYTES];

    for (long i = 0; r->c.instrumented && i < r->n_discoveries; i++) {
        const struct sr_discovery *d = &r->discoveries[i];
        const char *image = sr_union_image_path(r->hooked, d->image);
        json_t *j;

        if (d->state != SR_STATE_REFUTED && d->state != SR_STATE_PENDING)
            continue;
        j = json_object();
        json_object_set_new(j, "call", json_string(sr_call_name(d->call, name)));
        json_object_set_new(j, "image", image ? text(image) : json_null());
        json_object_set_new(j, "state", json_string(sr_state_name(d->state)));
        json_object_set_new(j, "replays", json_integer(d->replays));
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_curve(const struct sr_report *r) {
    json_t *a = json_array();
    uint64_t last = 0;

    for (long i = 0; i < r->n_samples; i++) {
        const struct sr_sample *s = &r->samples[i];
        json_t *j;

        if (!sr_report_curve_takes(r, i, &last))
            continue;
        j = json_object();
        json_object_set_new(j, "seconds", json_real((double)s->time_ms / 1000.0));
        json_object_set_new(j, "inputs", integer(s->execs));
        json_object_set_new(j, "calls", integer(s->calls));
        json_object_set_new(j, "calls_program", integer(s->calls_program));
        json_object_set_new(j, "sites", integer(s->sites));
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_counters(const struct sr_report *r) {
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {{"inputs", r->sum.finished},
                {"calls_recorded", r->sum.calls},
                {"sites", r->sites},
                {"crashes", r->sum.crashes},
                {"timeouts", r->sum.timeouts},
                {"leftover", r->sum.leftover},
                {"cut", r->sum.cut},
                {"denied", r->sum.denied},
                {"forkservers", r->sum.restarts},
                {"unwitnessed", r->sum.unwitnessed},
                {"roles_cut", r->hooked->roles_cut},
                {"sites_lost", r->hooked->sites_lost},
                {"names_lost", r->hooked->names_lost},
                {"sets_lost", r->sets_lost}};
    json_t *j = json_object();

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        json_object_set_new(j, rows[i].key, integer(rows[i].value));
    json_object_set_new(j, "kept", r->kept >= 0 ? json_integer(r->kept) : json_null());
    json_object_set_new(j, "seeds", r->seeds >= 0 ? json_integer(r->seeds) : json_null());
    return j;
}

json_t *sr_report_json_depths(const struct sr_report *r) {
    json_t *a = json_array();

    for (int d = 0; d < SR_DEPTHS; d++) {
        struct sr_report_depth depth;
        json_t *j;

        if (!sr_report_depth(r, (enum sr_depth)d, &depth))
            continue;
        j = json_object();
        json_object_set_new(j, "depth", json_string(sr_depth_name((enum sr_depth)d)));
        json_object_set_new(j, "inputs", integer(depth.inputs));
        json_object_set_new(j, "seconds", json_real(depth.seconds));
        json_object_set_new(j, "share", json_real(depth.share));
        json_object_set_new(j, "inputs_per_second", json_real(depth.rate));
        json_array_append_new(a, j);
    }
    return a;
}

/* A bound with its calls and how many of them were observed. */
static json_t *json_of_policy(const struct sr_report_bound *b, enum sr_policy policy) {
    const struct sr_bound_view *v = &b->view[policy];
    json_t *members = sr_bound_json_members(v), *j = json_incref(json_object_get(members, "bound"));

    json_decref(members);
    json_object_set_new(j, "calls", names_of(&v->result->set));
    json_object_set_new(j, "observed", json_integer(sr_report_bound_seen(b, policy)));
    return j;
}

static json_t *json_of_gap(const struct sr_report_bound *b) {
    json_t *a = json_array();
    char name[SR_CALL_NAME_BYTES];

    for (size_t i = 0; i < b->n_gap; i++) {
        const struct sr_report_gap *g = &b->gap[i];
        const struct sr_bound_view *v = &b->view[g->in_tight ? SR_POLICY_TIGHT : SR_POLICY_SOUND];
        json_t *j = json_object(),
               *chain = sr_bound_json_chain(v, sr_call_name(g->call, name), g->steps, g->n);

        json_object_set_new(j, "call", json_string(name));
        json_object_set_new(j, "in_tight", json_boolean(g->in_tight));
        json_object_set_new(j, "steps", json_integer(g->n));
        json_object_set_new(j, "by_address", json_integer(g->kinds.taken + g->kinds.data));
        json_object_set(j, "chain", json_object_get(chain, "steps"));
        json_decref(chain);
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_frames(const struct sr_report_violation *v) {
    json_t *a = json_array();
    char address[24];

    for (size_t i = 0; i < v->n; i++) {
        const struct sr_report_frame *f = &v->frames[i];
        json_t *j = json_object();

        snprintf(address, sizeof address, "0x%" PRIx64, f->address);
        json_object_set_new(j, "object", text(f->object));
        json_object_set_new(j, "name", text(f->name));
        json_object_set_new(j, "address", json_string(address));
        json_object_set_new(j, "verdict", json_string(sr_frame_verdict_name(f->verdict)));
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_violations(const struct sr_report_bound *b) {
    json_t *a = json_array();
    char name[SR_CALL_NAME_BYTES];

    for (size_t i = 0; i < b->n_violations; i++) {
        const struct sr_report_violation *v = &b->violations[i];
        json_t *j = json_object();

        json_object_set_new(j, "call", json_string(sr_call_name(v->call, name)));
        json_object_set_new(j, "in_sound", json_boolean(v->in_sound));
        json_object_set_new(j, "witness", v->witness[0] ? text(v->witness) : json_null());
        json_object_set_new(j, "cause", v->cause < 0 ? json_null() : json_integer(v->cause));
        json_object_set_new(j, "frames", json_of_frames(v));
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_explained(const struct sr_report_bound *b) {
    json_t *a = json_array();
    char name[SR_CALL_NAME_BYTES];

    for (size_t i = 0; i < b->n_explained; i++) {
        json_t *j = json_object();

        json_object_set_new(j, "call", json_string(sr_call_name(b->explained[i].call, name)));
        json_object_set_new(j, "reason", json_string(b->explained[i].reason));
        json_array_append_new(a, j);
    }
    return a;
}

static json_t *json_of_bound(const struct sr_report_bound *b) {
    json_t *j, *notes;

    if (!b)
        return json_null();
    j = json_object();
    notes = json_array();
    for (size_t i = 0; i < b->notes.n; i++)
        json_array_append_new(notes, text(b->notes.items[i]));
    json_object_set_new(j, "tight", b->computed ? json_of_policy(b, SR_POLICY_TIGHT) : json_null());
    json_object_set_new(j, "sound", b->computed ? json_of_policy(b, SR_POLICY_SOUND) : json_null());
    json_object_set_new(j, "gap", b->computed ? json_of_gap(b) : json_null());
    json_object_set_new(j, "violations", b->computed ? json_of_violations(b) : json_null());
    json_object_set_new(j, "explained", b->computed ? json_of_explained(b) : json_null());
    json_object_set_new(j, "notes", notes);
    return j;
}

static void add_environment(void *arg, const char *key, const char *value) {
    json_object_set_new(arg, key, text(value));
}

static void add_note(void *arg, const char *key, const char *value) {
    json_t *j = json_object();

    json_object_set_new(j, "seconds", json_real(strtod(key, NULL) / 1000.0));
    json_object_set_new(j, "text", text(value));
    json_array_append_new(arg, j);
}

int sr_report_json(const struct sr_report *r, FILE *to) {
    json_t *j = json_object(), *calls = json_array(), *environment = json_object(),
           *notes = json_array();
    int err;

    json_object_set_new(j, "campaign", text(r->c.dir));
    json_object_set_new(j, "program", text(r->c.program));
    json_object_set_new(j, "target", r->c.target[0] ? text(r->c.target) : json_null());
    json_object_set_new(j, "mode", json_string(r->c.instrumented ? "instrumented" : "stock"));
    json_object_set_new(j, "state", json_string(sr_report_state(r)));
    json_object_set_new(j, "seconds", json_real((double)r->elapsed_ms / 1000.0));
    json_object_set_new(j, "instances", json_integer(r->c.instances));
    json_object_set_new(j, "inputs_per_second", json_real(sr_report_rate(r)));
    json_object_set_new(j, "database", r->store ? json_null() : text(r->why_no_store));
    if (r->store) {
        sr_store_each_environment(r->store, add_environment, environment);
        sr_store_each_note(r->store, add_note, notes);
    }
    json_object_set_new(j, "environment", environment);
    json_object_set_new(j, "counters", json_of_counters(r));
    json_object_set_new(j, "depths", sr_report_json_depths(r));
    json_object_set_new(j, "images", json_of_images(r));
    for (size_t i = 0; i < r->n_calls; i++)
        json_array_append_new(calls, json_of_call(r, &r->calls[i]));
    json_object_set_new(j, "discoveries", calls);
    json_object_set_new(j, "candidates", json_of_candidates(r));
    json_object_set_new(j, "reference", json_of_reference(r));
    json_object_set_new(j, "bound", json_of_bound(r->bound));
    json_object_set_new(j, "curve", json_of_curve(r));
    json_object_set_new(j, "notes", notes);
    err = json_dumpf(j, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    fputc('\n', to);
    json_decref(j);
    return err || ferror(to) ? -1 : 0;
}
