/*
 * Paths, places and the set file of a bound, see bound_view.h.
 */
#include "bound_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SR_UNRESOLVED_LISTED 32 /* in a set's header */

/* The path below root of a file whose links are resolved; in place. */
static void strip_root(char *path, const char *root) {
    char *top = root && *root ? realpath(root, NULL) : NULL;
    size_t n = top ? strlen(top) : 0;

    if (n > 1 && strncmp(path, top, n) == 0 && path[n] == '/')
        memmove(path, path + n, strlen(path + n) + 1);
    free(top);
}

char *sr_bound_path(const struct sr_object *o, const char *root) {
    char *path = realpath(o->file, NULL);

    if (!path)
        return strdup(o->path);
    strip_root(path, root);
    return path;
}

bool sr_bound_view_init(struct sr_bound_view *v, const struct sr_bound *bound,
                        const struct sr_bound_request *request) {
    *v = (struct sr_bound_view){
        .bound = bound,
        .result = sr_bound_result(bound),
        .closure = sr_bound_closure(bound),
        .request = request,
    };
    v->paths = calloc(v->closure->n, sizeof *v->paths);
    for (size_t i = 0; v->paths && i < v->closure->n; i++)
        if (!(v->paths[i] = sr_bound_path(v->closure->objects[i], request->closure.root))) {
            sr_bound_view_free(v);
            return false;
        }
    return v->paths != NULL;
}

void sr_bound_view_free(struct sr_bound_view *v) {
    for (size_t i = 0; v->paths && i < v->closure->n; i++)
        free(v->paths[i]);
    free(v->paths);
    v->paths = NULL;
}

const char *sr_policy_name(enum sr_policy policy) {
    return policy == SR_POLICY_SOUND ? "sound" : "tight";
}

const char *sr_bound_file(const struct sr_bound_view *v, uint32_t object) {
    const char *path = v->paths[object], *slash = strrchr(path, '/');

    return slash && slash[1] ? slash + 1 : path;
}

void sr_bound_place(const struct sr_bound_view *v, uint32_t object, uint64_t at, char *buf,
                    size_t size) {
    char name[SR_PLACE_BYTES], hex[24];
    size_t len, end;

    sr_bound_name(v->bound, object, at, name, sizeof name);
    snprintf(hex, sizeof hex, "+0x%" PRIx64, at);
    len = strlen(name);
    end = strlen(hex);
    /* A place without a name is an object and the address already. */
    if (!len || (len >= end && strcmp(name + len - end, hex) == 0))
        snprintf(buf, size, "%s%s", sr_bound_file(v, object), hex);
    else
        snprintf(buf, size, "%s (%s%s)", name, sr_bound_file(v, object), hex);
}

bool sr_bound_closed(const struct sr_bound_view *v) {
    return v->result->closed && !v->result->set.lost;
}

struct sr_bound_object sr_bound_total(const struct sr_bound_result *result) {
    struct sr_bound_object sum = {0};

    for (size_t i = 0; i < result->n_objects; i++) {
        const struct sr_bound_object *o = &result->objects[i];

        sum.functions += o->functions;
        sum.reachable_functions += o->reachable_functions;
        sum.code_bytes += o->code_bytes;
        sum.decoded_bytes += o->decoded_bytes;
        sum.reachable_bytes += o->reachable_bytes;
        sum.sites += o->sites;
        sum.reachable_sites += o->reachable_sites;
    }
    return sum;
}

/* The sites themselves, as far as a header holds them; --unresolved lists all. */
static bool add_unresolved(struct sr_setfile *sf, const struct sr_bound_view *v) {
    char key[32], place[SR_PLACE_BYTES];
    size_t n = v->result->n_unresolved;

    for (size_t i = 0; i < n && i < SR_UNRESOLVED_LISTED; i++) {
        const struct sr_bound_unresolved *u = &v->result->unresolved[i];

        snprintf(key, sizeof key, "unresolved-%zu", i + 1);
        sr_bound_place(v, u->object, u->at, place, sizeof place);
        if (!sr_setfile_key(sf, key, "%s: %s", place, u->why))
            return false;
    }
    return n <= SR_UNRESOLVED_LISTED ||
           sr_setfile_key(sf, "unresolved-more", "%zu, see --unresolved", n - SR_UNRESOLVED_LISTED);
}

static bool add_keys(struct sr_setfile *sf, const struct sr_bound_view *v) {
    struct sr_bound_object sum = sr_bound_total(v->result);
    const char *root = v->request->closure.root;
    size_t modules = 0;

    for (size_t i = 0; i < v->closure->n; i++)
        modules += v->closure->module[i];
    return sr_setfile_key(sf, "made-by", "sysreach bound") &&
           sr_setfile_key(sf, "policy", "%s", sr_policy_name(v->request->policy)) &&
           (!root || !*root || sr_setfile_key(sf, "root", "%s", root)) &&
           sr_setfile_key(sf, "modules", "%zu", modules) &&
           sr_setfile_key(sf, "functions", "%" PRIu64 " of %" PRIu64, sum.reachable_functions,
                          sum.functions) &&
           sr_setfile_key(sf, "code-bytes", "%" PRIu64 " of %" PRIu64, sum.reachable_bytes,
                          sum.code_bytes) &&
           sr_setfile_key(sf, "sites", "%" PRIu64 " of %" PRIu64, v->result->reachable_sites,
                          v->result->sites) &&
           sr_setfile_key(sf, "closed", "%s", sr_bound_closed(v) ? "yes" : "no") &&
           sr_setfile_key(sf, "unresolved", "%zu", v->result->n_unresolved) &&
           add_unresolved(sf, v);
}

static bool add_image(struct sr_setfile *sf, const struct sr_bound_view *v) {
    int image = sr_union_image(sf->u, v->paths[0]);

    if (image < 0)
        return false;
    sf->u->images[image].calls = v->result->set;
    memcpy(sf->build_id[image], v->closure->objects[0]->build_id, SR_BUILD_ID_BYTES);
    for (size_t i = 1; i < v->closure->n; i++) {
        int at = sr_setfile_object(sf, (unsigned)image, v->paths[i]);

        if (at >= 0)
            memcpy(sf->object_id[at], v->closure->objects[i]->build_id, SR_BUILD_ID_BYTES);
    }
    return true;
}

struct sr_setfile *sr_bound_view_set(const struct sr_bound_view *v) {
    struct sr_setfile *sf = sr_setfile_new();

    if (!sf || !add_keys(sf, v) || !add_image(sf, v)) {
        sr_setfile_free(sf);
        return NULL;
    }
    sf->body = v->result->set;
    return sf;
}
