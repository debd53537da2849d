/*
 * Sets as JSON: arrays of numbers or names, OCI profiles, and our own form.
 *
 * An OCI profile is read as what some process under it can do: a call that is allowed for some
 * arguments, capabilities or kernels counts as allowed, and only a rule without conditions denies.
 * Paths in our own form carry the same escapes as in text sets, because JSON has no way to write
 * the bytes that are no UTF-8.
 */
#include <jansson.h>
#include <stdlib.h>

#include "names.h"
#include "setfile.h"

#define VERSION 1

/* What is read, for messages. */
struct source {
    struct sr_setfile *sf;
    const char *name;
    struct sr_setfile_error *err;
};

static bool fail(const struct source *s, const char *where, const char *why) {
    return sr_setfile_fail(s->err, s->name, where, "%s", why);
}

/* One entry of an array: a number as the kernel sees it, or a name. */
static bool add_entry(const struct source *s, struct sr_set *set, const json_t *entry,
                      const char *where) {
    struct sr_call c;

    if (json_is_integer(entry)) {
        json_int_t nr = json_integer_value(entry);

        if (nr < INT32_MIN || nr > INT32_MAX)
            return fail(s, where, "no system-call number; numbers have 32 bits");
        c = sr_call_from_entry(false, (uint32_t)nr);
    } else if (json_is_string(entry)) {
        const char *text = json_string_value(entry);

        if (!sr_call_parse(text, strlen(text), &c))
            return sr_setfile_unknown_call(s->err, s->name, where, text, strlen(text));
    } else {
        return fail(s, where, "neither a number nor a name; write one of them");
    }
    sr_set_add(set, c);
    return sr_set_has(set, c) || fail(s, where,
                                      "more different numbers outside 0 to 1023 than a "
                                      "set holds (16); leave some out");
}

/* An array of calls; what: its name in messages. A missing one is empty. */
static bool read_calls(const struct source *s, struct sr_set *set, const json_t *array,
                       const char *what) {
    char where[64];

    if (!array)
        return true;
    if (!json_is_array(array))
        return fail(s, what, "no array; write an array of names or numbers");
    for (size_t i = 0; i < json_array_size(array); i++) {
        snprintf(where, sizeof where, "%s entry %zu", what, i + 1);
        if (!add_entry(s, set, json_array_get(array, i), where))
            return false;
    }
    return true;
}

/* A path or a header value, without its escapes, in memory from malloc. text NULL: no string. */
static char *read_text(const struct source *s, const char *text, const char *where) {
    char *copy;

    if (!text) {
        fail(s, where, "no string; write one");
        return NULL;
    }
    copy = strdup(text);
    if (copy && !sr_setfile_unescape(copy)) {
        free(copy);
        fail(s, where,
             "an escape that is none of \\n \\t \\r \\\\ \\xHH; write \\\\ for a backslash");
        return NULL;
    }
    if (!copy)
        fail(s, where, "out of memory; free some");
    return copy;
}

static char *read_string(const struct source *s, const json_t *value, const char *where) {
    return read_text(s, json_string_value(value), where);
}

static bool read_id(const struct source *s, char id[SR_BUILD_ID_BYTES], const json_t *value,
                    const char *where) {
    const char *text = json_string_value(value);

    if (!text)
        return true;
    if (!sr_setfile_is_build_id(text))
        return fail(s, where, "no build-id; write hexadecimal digits or null");
    memcpy(id, text, strlen(text) + 1);
    return true;
}

/* {"PATH": "BUILD-ID"} of objects that are in the image's list. */
static bool read_object_ids(const struct source *s, unsigned slot, json_t *ids, const char *where) {
    const char *key;
    json_t *value;

    if (json_object_size(ids) > SR_OBJECTS_MAX)
        return fail(s, where, "more than 1024 object_build_ids; leave some out");
    json_object_foreach(ids, key, value) {
        char *path = read_text(s, key, where);
        int at = path ? sr_setfile_object(s->sf, slot, path) : -1;

        free(path);
        if (!path)
            return false;
        if (at >= 0 && !read_id(s, s->sf->object_id[at], value, where))
            return false;
    }
    return !s->sf->u->names_lost || fail(s, where, "too many objects; leave some out");
}

static bool read_objects(const struct source *s, unsigned slot, const json_t *objects,
                         const char *where) {
    if (!objects)
        return true;
    if (!json_is_array(objects) || json_array_size(objects) > SR_OBJECTS_MAX)
        return fail(s, where, "objects is no array of up to 1024 paths; correct it");
    for (size_t i = 0; i < json_array_size(objects); i++) {
        char *path = read_string(s, json_array_get(objects, i), where);

        if (!path)
            return false;
        sr_union_object(s->sf->u, slot, path);
        free(path);
    }
    return !s->sf->u->names_lost || fail(s, where, "too many objects; leave some out");
}

static bool read_image(const struct source *s, const json_t *image, size_t i) {
    char where[64], what[96], *path;
    struct sr_union_image *slot;
    int at;

    snprintf(where, sizeof where, "images entry %zu", i + 1);
    path = read_string(s, json_object_get(image, "path"), where);
    if (!path)
        return false;
    at = *path ? sr_union_image(s->sf->u, path) : -1;
    free(path);
    if (at < 0)
        return fail(s, where, "no path, or more images than 256; correct it");
    slot = &s->sf->u->images[at];
    if (!read_id(s, s->sf->build_id[at], json_object_get(image, "build_id"), where))
        return false;
    if (json_is_true(json_object_get(image, "incomplete")))
        slot->calls.lost = 1;
    snprintf(what, sizeof what, "%s: calls", where);
    if (!read_calls(s, &slot->calls, json_object_get(image, "calls"), what))
        return false;
    snprintf(what, sizeof what, "%s: startup", where);
    if (!read_calls(s, &slot->startup, json_object_get(image, "startup"), what))
        return false;
    snprintf(what, sizeof what, "%s: attempted", where);
    return read_calls(s, &slot->attempted, json_object_get(image, "attempted"), what) &&
           read_objects(s, (unsigned)at, json_object_get(image, "objects"), where) &&
           read_object_ids(s, (unsigned)at, json_object_get(image, "object_build_ids"), where);
}

static bool read_ours(const struct source *s, json_t *root) {
    const json_t *images = json_object_get(root, "images"), *calls = json_object_get(root, "calls");
    const char *kind = json_string_value(json_object_get(root, "sysreach")),
               *arch = json_string_value(json_object_get(root, "arch")), *key;
    json_t *value;

    if (!kind || strcmp(kind, "set") != 0 ||
        json_integer_value(json_object_get(root, "version")) != VERSION)
        return fail(s, "", "no set of version 1; this sysreach reads no other");
    if (!arch || strcmp(arch, "x86-64") != 0)
        return fail(s, "", "the set is of another architecture; only x86-64 is known");
    if (images && (!json_is_array(images) || json_array_size(images) > SR_IMAGES_MAX))
        return fail(s, "", "images is no array of up to 256 objects; correct it");
    for (size_t i = 0; i < json_array_size(images); i++)
        if (!read_image(s, json_array_get(images, i), i))
            return false;
    if (!read_calls(s, &s->sf->body, calls, "calls"))
        return false;
    if (!calls)
        sr_setfile_sum(s->sf);
    if (json_is_true(json_object_get(root, "incomplete")))
        s->sf->body.lost = 1;
    json_object_foreach(json_object_get(root, "header"), key, value) {
        char *text = read_string(s, value, "header");

        if (!text)
            return false;
        if (sr_setfile_is_key(key) && !sr_setfile_key(s->sf, key, "%s", text)) {
            free(text);
            return fail(s, "header", "too many entries; leave some out");
        }
        free(text);
    }
    return true;
}

/* What an action of a profile does with a call: 1 lets it through, 0 does not, -1: no action. */
static int action_allows(const char *action) {
    static const struct {
        const char *name;
        int allows;
    } actions[] = {
        {"SCMP_ACT_ALLOW", 1},  {"SCMP_ACT_LOG", 1},         {"SCMP_ACT_TRACE", 1},
        {"SCMP_ACT_NOTIFY", 1}, {"SCMP_ACT_ERRNO", 0},       {"SCMP_ACT_TRAP", 0},
        {"SCMP_ACT_KILL", 0},   {"SCMP_ACT_KILL_THREAD", 0}, {"SCMP_ACT_KILL_PROCESS", 0},
    };

    for (size_t i = 0; action && i < sizeof actions / sizeof *actions; i++)
        if (strcmp(action, actions[i].name) == 0)
            return actions[i].allows;
    return -1;
}

static bool array_has(const json_t *array, const char *text) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *entry = json_string_value(json_array_get(array, i));

        if (entry && strcmp(entry, text) == 0)
            return true;
    }
    return false;
}

static bool not_empty(const json_t *value) {
    return json_array_size(value) || json_object_size(value) ||
           (json_is_string(value) && *json_string_value(value));
}

/* A condition besides the architecture: "caps" or "minKernel" in includes or excludes. */
static bool has_condition(const json_t *clause) {
    return not_empty(json_object_get(clause, "caps")) ||
           not_empty(json_object_get(clause, "minKernel"));
}

/* The profile lists this architecture, or none at all. */
static bool profile_is_for_us(const json_t *root) {
    const json_t *list = json_object_get(root, "architectures"),
                 *map = json_object_get(root, "archMap");

    if (json_array_size(list))
        return array_has(list, "SCMP_ARCH_X86_64");
    for (size_t i = 0; i < json_array_size(map); i++) {
        const json_t *entry = json_array_get(map, i);
        const char *arch = json_string_value(json_object_get(entry, "architecture"));

        if ((arch && strcmp(arch, "SCMP_ARCH_X86_64") == 0) ||
            array_has(json_object_get(entry, "subArchitectures"), "SCMP_ARCH_X86_64"))
            return true;
    }
    return !json_array_size(map);
}

/* Calls by what the profile's rules say of them. */
struct verdicts {
    struct sr_set allowed, allowed_if, denied;
};

static void add_rule(const struct source *s, struct sr_set *to, const char *name) {
    struct sr_call c;

    /* Numbers are no names of a profile, and its x32 and i386 entries go by the same names. */
    if (name && sr_call_parse(name, strlen(name), &c) && c.abi == SR_ABI_X86_64 &&
        sr_call_known(c) && (*name < '0' || *name > '9') && *name != '#')
        sr_set_add(to, c);
    else
        s->sf->skipped++;
}

static bool read_rule(const struct source *s, const json_t *rule, size_t i, struct verdicts *v) {
    const json_t *names = json_object_get(rule, "names"), *one = json_object_get(rule, "name"),
                 *includes = json_object_get(rule, "includes"),
                 *excludes = json_object_get(rule, "excludes"),
                 *arches = json_object_get(includes, "arches");
    int allows = action_allows(json_string_value(json_object_get(rule, "action")));
    bool conditional = not_empty(json_object_get(rule, "args")) || has_condition(includes) ||
                       has_condition(excludes);
    char where[64];

    snprintf(where, sizeof where, "syscalls entry %zu", i + 1);
    if (allows < 0)
        return fail(s, where, "no action that is known; write SCMP_ACT_ALLOW or another of them");
    if (!json_is_array(names) && !json_is_string(one))
        return fail(s, where, "no names; write \"names\": [...]");
    if ((json_array_size(arches) && !array_has(arches, "amd64")) ||
        array_has(json_object_get(excludes, "arches"), "amd64"))
        return true;
    if (!allows && conditional)
        return true;
    for (size_t n = 0; n < json_array_size(names); n++)
        add_rule(s,
                 !allows       ? &v->denied
                 : conditional ? &v->allowed_if
                               : &v->allowed,
                 json_string_value(json_array_get(names, n)));
    if (one)
        add_rule(s,
                 !allows       ? &v->denied
                 : conditional ? &v->allowed_if
                               : &v->allowed,
                 json_string_value(one));
    return true;
}

static bool read_profile(const struct source *s, json_t *root) {
    const json_t *rules = json_object_get(root, "syscalls");
    int by_default = action_allows(json_string_value(json_object_get(root, "defaultAction")));
    struct verdicts v;
    struct sr_set only_if;

    memset(&v, 0, sizeof v);
    if (by_default < 0)
        return fail(s, "defaultAction", "no action that is known; write SCMP_ACT_ERRNO or another");
    if (!profile_is_for_us(root))
        return fail(s, "", "the profile is not for x86-64; only x86-64 is known");
    if (rules && !json_is_array(rules) && !json_is_null(rules))
        return fail(s, "syscalls", "no array; write an array of rules");
    for (size_t i = 0; i < json_array_size(rules); i++)
        if (!read_rule(s, json_array_get(rules, i), i, &v))
            return false;
    if (by_default) {
        struct sr_set all;

        sr_set_clear(&all);
        for (int32_t nr = 0; (nr = sr_call_next_known(SR_ABI_X86_64, nr)) >= 0; nr++)
            sr_set_add(&all, (struct sr_call){SR_ABI_X86_64, nr});
        s->sf->body = sr_set_minus(&all, &v.denied);
    }
    only_if = by_default ? sr_set_intersect(&v.allowed_if, &v.denied) : v.allowed_if;
    only_if = sr_set_minus(&only_if, &v.allowed);
    s->sf->conditional = sr_set_count(&only_if);
    sr_set_merge(&s->sf->body, &v.allowed);
    sr_set_merge(&s->sf->body, &v.allowed_if);
    return true;
}

bool sr_setjson_parse(struct sr_setfile *sf, const char *name, const char *bytes, size_t len,
                      struct sr_setfile_error *err) {
    struct source s = {sf, name, err};
    json_error_t e;
    json_t *root;
    bool ok;

    if (len > SR_SETJSON_BYTES_MAX)
        return sr_setfile_fail(err, name, "", "JSON larger than %u MiB, so no set; check the name",
                               SR_SETJSON_BYTES_MAX >> 20);
    root = json_loadb(bytes, len, 0, &e);
    if (!root)
        return sr_setfile_fail(err, name, "", "line %d column %d: %s; correct the JSON", e.line,
                               e.column, e.text);
    if (json_is_array(root))
        ok = read_calls(&s, &sf->body, root, "array");
    else if (json_object_get(root, "sysreach"))
        ok = read_ours(&s, root);
    else if (json_object_get(root, "defaultAction"))
        ok = read_profile(&s, root);
    else
        ok = fail(&s, "",
                  "an object that is neither a seccomp profile (defaultAction) nor a set of "
                  "sysreach's; name another file");
    json_decref(root);
    return ok;
}

static json_t *string_of(const char *s) {
    char *text = sr_setfile_escape(s, false);
    json_t *value = text ? json_string(text) : NULL;

    /* No UTF-8: the same with escapes for those bytes. */
    if (text && !value) {
        free(text);
        text = sr_setfile_escape(s, true);
        value = text ? json_string(text) : NULL;
    }
    free(text);
    return value;
}

static json_t *calls_of(const struct sr_set *set, struct sr_names *names) {
    json_t *array = json_array();

    sr_names_of(set, names);
    for (size_t i = 0; i < names->n; i++)
        if (json_array_append_new(array, json_string(names->name[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

/* Objects of an image: their paths, and the build-ids of those where it is known. */
static bool objects_of(const struct sr_setfile *sf, unsigned slot, json_t *paths, json_t *ids) {
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *path = sr_union_object_path(sf->u, i);
        json_t *text;

        if (!path || sf->u->objects[i].image != slot)
            continue;
        text = string_of(path);
        if (json_array_append(paths, text) ||
            (sf->object_id[i][0] &&
             json_object_set_new(ids, json_string_value(text), json_string(sf->object_id[i])))) {
            json_decref(text);
            return false;
        }
        json_decref(text);
    }
    return true;
}

/* What the roles of an image made; empty where it has none. */
static json_t *roles_of(const struct sr_setfile *sf, unsigned slot, struct sr_names *names) {
    json_t *roles = json_array();

    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const struct sr_union_role *role = &sf->u->roles[i];
        const char *name = sr_union_role_name(sf->u, i);

        if (name && role->image == slot)
            json_array_append_new(roles, json_pack("{s:o, s:I, s:o, s:o}", "name",
                                                   *name ? string_of(name) : json_null(),
                                                   "processes", (json_int_t)role->processes,
                                                   "calls", calls_of(&role->calls, names),
                                                   "attempted", calls_of(&role->attempted, names)));
    }
    return roles;
}

static json_t *image_of(const struct sr_setfile *sf, unsigned slot, struct sr_names *names) {
    const struct sr_union_image *image = &sf->u->images[slot];
    json_t *objects = json_array(), *ids = json_object(), *out = NULL;
    json_t *roles = roles_of(sf, slot, names);
    bool startup = sr_set_count(&image->startup) != 0,
         attempted = sr_set_count(&image->attempted) != 0,
         lost = image->calls.lost || image->startup.lost, ok;

    ok = objects_of(sf, slot, objects, ids);
    if (ok)
        out =
            json_pack("{s:o, s:s?, s:o, s:O}", "path", string_of(sr_union_image_path(sf->u, slot)),
                      "build_id", sf->build_id[slot][0] ? sf->build_id[slot] : NULL, "calls",
                      calls_of(&image->calls, names), "objects", objects);
    ok = out &&
         (!startup || json_object_set_new(out, "startup", calls_of(&image->startup, names)) == 0) &&
         (!attempted ||
          json_object_set_new(out, "attempted", calls_of(&image->attempted, names)) == 0) &&
         (!json_array_size(roles) || json_object_set(out, "roles", roles) == 0) &&
         (!lost || json_object_set_new(out, "incomplete", json_true()) == 0) &&
         (!json_object_size(ids) || json_object_set(out, "object_build_ids", ids) == 0);
    json_decref(objects);
    json_decref(roles);
    json_decref(ids);
    if (ok)
        return out;
    json_decref(out);
    return NULL;
}

bool sr_setfile_write_json(FILE *to, const struct sr_setfile *sf) {
    struct sr_names *names = malloc(sizeof *names);
    json_t *images = json_array(), *header = json_object(), *out = NULL;
    bool ok = names && images && header;

    for (unsigned i = 0; ok && i < sf->n_keys; i++)
        ok = json_object_set_new(header, sf->keys[i].key, string_of(sf->keys[i].value)) == 0;
    for (unsigned i = 0; ok && i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, i))
            ok = json_array_append_new(images, image_of(sf, i, names)) == 0;
    if (ok)
        out =
            json_pack("{s:s, s:i, s:s, s:O, s:o, s:b, s:O}", "sysreach", "set", "version", VERSION,
                      "arch", "x86-64", "header", header, "calls", calls_of(&sf->body, names),
                      "incomplete", sf->body.lost != 0, "images", images);
    ok = out && (!sf->more || json_object_update_missing(out, sf->more) == 0);
    if (ok) {
        json_dumpf(out, to, JSON_INDENT(2));
        putc('\n', to);
    }
    json_decref(out);
    json_decref(images);
    json_decref(header);
    free(names);
    return ok;
}
