/*
 * A bound as JSON, see bound_json.h.
 */
#include "bound_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bound_print.h"

#define VERSION 1

/* With the escapes of set files, since a path may be no UTF-8. */
static json_t *text_of(const char *text) {
    char *safe = sr_setfile_escape(text, false);
    json_t *value = safe ? json_string(safe) : NULL;

    if (safe && !value) {
        free(safe);
        safe = sr_setfile_escape(text, true);
        value = safe ? json_string(safe) : NULL;
    }
    free(safe);
    return value;
}

static json_t *hex_of(uint64_t address) {
    char text[24];

    snprintf(text, sizeof text, "0x%" PRIx64, address);
    return json_string(text);
}

static json_t *count_of(uint64_t n) {
    return json_integer((json_int_t)n);
}

static json_t *name_of(const struct sr_bound_view *v, uint32_t object, uint64_t at) {
    char name[SR_PLACE_BYTES];

    sr_bound_name(v->bound, object, at, name, sizeof name);
    return text_of(name);
}

/* Appends; a value that could not be made gives the array up. */
static bool append(json_t **array, json_t *value) {
    if (*array && json_array_append_new(*array, value) == 0)
        return true;
    json_decref(*array);
    *array = NULL;
    return false;
}

/* What every answer begins with. */
static json_t *answer(const struct sr_bound_view *v, const char *kind) {
    return json_pack("{s:s, s:i, s:s, s:o, s:s, s:b, s:o}", "sysreach", kind, "version", VERSION,
                     "arch", "x86-64", "program", text_of(v->paths[0]), "policy",
                     sr_policy_name(v->request->policy), "closed", sr_bound_closed(v),
                     "unresolved_sites", count_of(v->result->n_unresolved));
}

static json_t *counts_of(const struct sr_bound_object *o) {
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "functions", count_of(o->functions),
                     "reachable_functions", count_of(o->reachable_functions), "code_bytes",
                     count_of(o->code_bytes), "decoded_bytes", count_of(o->decoded_bytes),
                     "reachable_bytes", count_of(o->reachable_bytes), "sites", count_of(o->sites),
                     "reachable_sites", count_of(o->reachable_sites));
}

static json_t *total_of(const struct sr_bound_view *v) {
    struct sr_bound_object sum = sr_bound_total(v->result);

    return counts_of(&sum);
}

static json_t *objects_of(const struct sr_bound_view *v) {
    json_t *array = json_array();

    for (size_t i = 0; array && i < v->result->n_objects; i++) {
        const struct sr_bound_object *o = &v->result->objects[i];
        const char *id = o->object->build_id;
        json_t *value = counts_of(o), *head;

        head = json_pack("{s:o, s:s?, s:b}", "path", text_of(v->paths[i]), "build_id",
                         *id ? id : NULL, "module", o->module);
        if (head && json_object_update(head, value)) {
            json_decref(head);
            head = NULL;
        }
        json_decref(value);
        append(&array, head);
    }
    return array;
}

static json_t *unresolved_of(const struct sr_bound_view *v) {
    json_t *array = json_array();

    for (size_t i = 0; array && i < v->result->n_unresolved; i++) {
        const struct sr_bound_unresolved *u = &v->result->unresolved[i];

        append(&array,
               json_pack("{s:o, s:o, s:o, s:s}", "object", text_of(v->paths[u->object]), "address",
                         hex_of(u->at), "function", name_of(v, u->object, u->at), "why", u->why));
    }
    return array;
}

static json_t *notes_of(const struct sr_bound_view *v) {
    json_t *array = json_array();

    for (size_t i = 0; array && i < v->closure->n_notes; i++)
        append(&array, text_of(v->closure->notes[i]));
    return array;
}

json_t *sr_bound_json_members(const struct sr_bound_view *v) {
    json_t *bound =
        json_pack("{s:s, s:b, s:o, s:o, s:o, s:o}", "policy", sr_policy_name(v->request->policy),
                  "closed", sr_bound_closed(v), "total", total_of(v), "objects", objects_of(v),
                  "unresolved", unresolved_of(v), "notes", notes_of(v));

    return json_pack("{s:o}", "bound", bound);
}

static const char *const kinds[] = {
    [SR_STEP_ENTRY] = "entry", [SR_STEP_CALL] = "call", [SR_STEP_SLOT] = "slot",
    [SR_STEP_TAKEN] = "taken", [SR_STEP_DATA] = "data", [SR_STEP_NAMES] = "names",
    [SR_STEP_SITE] = "site",
};

static json_t *step_of(const struct sr_bound_view *v, const struct sr_step *s) {
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:s?}", "kind",
                     s->kind < sizeof kinds / sizeof *kinds ? kinds[s->kind] : "", "object",
                     text_of(v->paths[s->object]), "name", name_of(v, s->object, s->at), "address",
                     hex_of(s->at), "is_data", s->data, "from",
                     s->from ? hex_of(s->from) : json_null(), "why", s->why);
}

json_t *sr_bound_json_chain(const struct sr_bound_view *v, const char *name,
                            const struct sr_step *steps, int n) {
    struct sr_chain_kinds k = sr_chain_kinds(steps, n);
    json_t *array = json_array();

    for (int i = 0; array && i < n; i++)
        append(&array, step_of(v, &steps[i]));
    return json_pack("{s:s, s:b, s:i, s:i, s:o}", "call", name, "in_bound", n > 0, "taken", k.taken,
                     "held_by_data", k.data, "steps", array);
}

/* answer with one more member, which it takes over. */
static json_t *with(json_t *out, const char *key, json_t *value) {
    if (json_object_set_new(out, key, value) == 0)
        return out;
    json_decref(out);
    return NULL;
}

json_t *sr_bound_json_chains(const struct sr_bound_view *v, json_t *chains) {
    return with(answer(v, "bound-chains"), "chains", chains);
}

json_t *sr_bound_json_unresolved(const struct sr_bound_view *v) {
    return with(answer(v, "bound-unresolved"), "unresolved", unresolved_of(v));
}

json_t *sr_bound_json_stats(const struct sr_bound_view *v) {
    json_t *out = answer(v, "bound-stats");

    out = with(out, "calls", count_of(sr_set_count(&v->result->set)));
    out = with(out, "objects", objects_of(v));
    out = with(out, "total", total_of(v));
    out = with(out, "cpu_seconds", json_real(v->result->seconds));
    return with(out, "peak_kib", json_integer(sr_bound_peak_kib()));
}

/* A frame that is not reachable, or whose object is not in the closure. */
static json_t *frame_of(const struct sr_bound_view *v, const struct sr_bound_frame *f) {
    bool known = f->verdict == SR_FRAME_NOT_REACHABLE;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "object", text_of(f->object), "offset",
                     hex_of(f->offset), "address", known ? hex_of(f->address) : json_null(), "name",
                     known ? name_of(v, (uint32_t)f->index, f->address) : json_null(), "frames",
                     count_of(f->count));
}

json_t *sr_bound_json_check(const struct sr_bound_view *v, const struct sr_bound_check *c) {
    json_t *missed = json_array(), *outside = json_array(), *out = answer(v, "bound-check");

    for (size_t i = 0; i < c->n; i++) {
        const struct sr_bound_frame *f = &c->frames[i];

        if (f->verdict == SR_FRAME_OUTSIDE)
            append(&outside, frame_of(v, f));
        else if (f->verdict != SR_FRAME_REACHABLE)
            append(&missed, frame_of(v, f));
    }
    out = with(out, "frames", count_of(c->total));
    out = with(out, "distinct", count_of(c->n));
    out = with(out, "not_reachable", missed);
    return with(out, "outside", outside);
}
