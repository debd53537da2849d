/*
 * Sets as text: "# key: value" header lines and one name a line.
 *
 * The header has a meaning in files that begin as ours do; in any other list a line with # is a
 * comment. Image and object lines are bounded in number, since each costs a search, and a call that
 * a set cannot hold is an error and not a loss.
 */
#include <stdlib.h>

#include "names.h"
#include "setfile.h"

#define MAGIC     "# sysreach set "
#define VERSION   "1"
#define SLOTS_MAX 65536 /* image and object lines of one file: each may search all slots */

/* The state of reading one text set. */
struct reader {
    struct sr_setfile *sf;
    struct sr_setfile_error *err;
    const char *name;
    unsigned line, slots;
    bool ours;  /* begins as our own files do: its header has a meaning */
    int image;  /* slot of the last image line, or -1 */
    int object; /* of the last object line of that image, or -1 */
};

static bool fail_line(struct reader *r, const char *what, const char *next) {
    char where[32];

    snprintf(where, sizeof where, "line %u", r->line);
    return sr_setfile_fail(r->err, r->name, where, "%s; %s", what, next);
}

static bool add_call(struct reader *r, struct sr_set *set, const char *p, size_t len) {
    char where[32];
    struct sr_call c;

    snprintf(where, sizeof where, "line %u", r->line);
    if (!sr_call_parse(p, len, &c))
        return sr_setfile_unknown_call(r->err, r->name, where, p, len);
    sr_set_add(set, c);
    return sr_set_has(set, c) || fail_line(r,
                                           "more different numbers outside 0 to 1023 than a set "
                                           "holds (16)",
                                           "leave some out");
}

static bool add_calls(struct reader *r, struct sr_set *set, const char *p) {
    while (*p) {
        size_t len = strcspn(p, " ");

        if (len && !add_call(r, set, p, len))
            return false;
        p += len + (p[len] == ' ');
    }
    return true;
}

static bool read_image(struct reader *r, const char *path) {
    r->image = *path ? sr_union_image(r->sf->u, path) : -1;
    r->object = -1;
    if (++r->slots > SLOTS_MAX || r->image < 0)
        return fail_line(r, *path ? "too many images" : "no path",
                         "correct the line or leave it out");
    return true;
}

static bool read_object(struct reader *r, const char *path) {
    if (!*path || ++r->slots > SLOTS_MAX)
        return fail_line(r, *path ? "too many objects" : "no path",
                         "correct the line or leave it out");
    r->object = sr_setfile_object(r->sf, (unsigned)r->image, path);
    return !r->sf->u->names_lost || fail_line(r, "too many objects", "leave some out");
}

static bool read_build_id(struct reader *r, char id[SR_BUILD_ID_BYTES], const char *value) {
    if (!sr_setfile_is_build_id(value))
        return fail_line(r, "no build-id", "write hexadecimal digits or leave the line out");
    memcpy(id, value, strlen(value) + 1);
    return true;
}

/* "# key: value" of a file of ours; value is a copy that may be changed. */
static bool read_header(struct reader *r, const char *key, char *value) {
    struct sr_union_image *image = r->image >= 0 ? &r->sf->u->images[r->image] : NULL;

    if (!sr_setfile_unescape(value))
        return fail_line(r, "an escape that is none of \\n \\t \\r \\\\ \\xHH",
                         "write \\\\ for a backslash");
    if (strcmp(key, "arch") == 0)
        return strcmp(value, "x86-64") == 0 ||
               fail_line(r, "the set is of another architecture", "only x86-64 is known");
    if (strcmp(key, "image") == 0)
        return read_image(r, value);
    if (strcmp(key, "incomplete") == 0) {
        (image ? &image->calls : &r->sf->body)->lost = 1;
        return true;
    }
    if (sr_setfile_is_key(key)) {
        if (!sr_setfile_key(r->sf, key, "%s", value))
            return fail_line(r, "too many header lines", "leave some out");
        return true;
    }
    if (strcmp(key, "build-id") != 0 && strcmp(key, "calls") != 0 && strcmp(key, "startup") != 0 &&
        strcmp(key, "attempted") != 0 && strcmp(key, "object") != 0 &&
        strcmp(key, "object-build-id") != 0)
        return true; /* a comment that has a colon in it */
    if (!image)
        return fail_line(r, "belongs to no image", "put it after a line \"# image: PATH\"");
    if (strcmp(key, "calls") == 0)
        return add_calls(r, &image->calls, value);
    if (strcmp(key, "startup") == 0)
        return add_calls(r, &image->startup, value);
    if (strcmp(key, "attempted") == 0)
        return add_calls(r, &image->attempted, value);
    if (strcmp(key, "object") == 0)
        return read_object(r, value);
    if (strcmp(key, "build-id") == 0)
        return read_build_id(r, r->sf->build_id[r->image], value);
    if (r->object < 0)
        return fail_line(r, "belongs to no object", "put it after a line \"# object: PATH\"");
    return read_build_id(r, r->sf->object_id[r->object], value);
}

static bool read_comment(struct reader *r, const char *p, size_t len) {
    char *line, *colon;
    bool ok = true;

    if (len >= strlen(MAGIC) && memcmp(p, MAGIC, strlen(MAGIC)) == 0) {
        r->image = r->object = -1;
        if (r->line == 1)
            r->ours = true;
        if (r->ours && (len != strlen(MAGIC VERSION) || memcmp(p, MAGIC VERSION, len) != 0))
            return fail_line(r, "a set file of another version",
                             "this sysreach reads version " VERSION);
        return true;
    }
    if (!r->ours || len < 2 || p[1] != ' ' || memchr(p, 0, len))
        return true;
    line = strndup(p + 2, len - 2);
    if (!line)
        return fail_line(r, "out of memory", "free some");
    colon = strstr(line, ": ");
    if (colon) {
        *colon = 0;
        ok = read_header(r, line, colon + 2);
    }
    free(line);
    return ok;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

bool sr_settext_parse(struct sr_setfile *sf, const char *name, const char *p, size_t len,
                      struct sr_setfile_error *err) {
    struct reader state = {.sf = sf, .err = err, .name = name, .image = -1, .object = -1},
                  *r = &state;
    const char *end = p + len;

    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end, *next = stop;

        r->line++;
        if (stop > p && stop[-1] == '\r')
            stop--;
        /* "#-1" and "#999" are calls; any other line with a # is a comment or a header line. */
        if (p < stop && *p == '#' && !(stop - p > 1 && strchr("-0123456789", p[1]) && p[1])) {
            if (!read_comment(r, p, (size_t)(stop - p)))
                return false;
        } else {
            while (p < stop && is_blank(*p))
                p++;
            while (stop > p && is_blank(stop[-1]))
                stop--;
            if (p < stop && !add_call(r, &r->sf->body, p, (size_t)(stop - p)))
                return false;
        }
        p = next + 1;
    }
    return true;
}

static bool write_line(FILE *to, const char *key, const char *value) {
    char *text = sr_setfile_escape(value, false);

    if (!text)
        return false;
    fprintf(to, "# %s: %s\n", key, text);
    free(text);
    return true;
}

static void write_calls(FILE *to, const char *key, const struct sr_set *set,
                        struct sr_names *names) {
    sr_names_of(set, names);
    fprintf(to, "# %s:", key);
    for (size_t i = 0; i < names->n; i++)
        fprintf(to, " %s", names->name[i]);
    if (!names->n)
        putc(' ', to);
    putc('\n', to);
}

static void write_lost(FILE *to, const struct sr_set *set) {
    if (set->lost)
        fputs("# incomplete: more different numbers outside 0 to 1023 than a set holds\n", to);
}

static bool write_image(FILE *to, const struct sr_setfile *sf, unsigned slot,
                        struct sr_names *names) {
    const struct sr_union_image *image = &sf->u->images[slot];
    bool ok = write_line(to, "image", sr_union_image_path(sf->u, slot));

    if (sf->build_id[slot][0])
        fprintf(to, "# build-id: %s\n", sf->build_id[slot]);
    write_lost(to, image->startup.lost ? &image->startup : &image->calls);
    write_calls(to, "calls", &image->calls, names);
    if (sr_set_count(&image->startup))
        write_calls(to, "startup", &image->startup, names);
    if (sr_set_count(&image->attempted))
        write_calls(to, "attempted", &image->attempted, names);
    for (unsigned i = 0; ok && i < SR_OBJECTS_MAX; i++) {
        const char *path = sr_union_object_path(sf->u, i);

        if (path && sf->u->objects[i].image == slot)
            ok = write_line(to, "object", path);
        if (path && sf->u->objects[i].image == slot && sf->object_id[i][0])
            fprintf(to, "# object-build-id: %s\n", sf->object_id[i]);
    }
    return ok;
}

bool sr_setfile_write(FILE *to, const struct sr_setfile *sf) {
    struct sr_names *names = malloc(sizeof *names);
    bool ok = names != NULL;

    fputs(MAGIC VERSION "\n# arch: x86-64\n", to);
    for (unsigned i = 0; ok && i < sf->n_keys; i++)
        ok = write_line(to, sf->keys[i].key, sf->keys[i].value);
    if (ok)
        write_lost(to, &sf->body);
    for (unsigned i = 0; ok && i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(sf->u, i))
            ok = write_image(to, sf, i, names);
    if (ok) {
        sr_names_of(&sf->body, names);
        for (size_t i = 0; i < names->n; i++)
            fprintf(to, "%s\n", names->name[i]);
    }
    free(names);
    return ok;
}
