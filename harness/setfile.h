/*
 * Sets on disk and where they come from.
 *
 * In memory a set file is a body (the set as a whole), the images that the calls belong to with the
 * objects they mapped, and header lines. A plain list of names has a body only. Whatever holds a
 * set is read by one function: text sets, JSON, OCI profiles, campaign folders.
 * docs/file-formats.md describes them.
 */
#ifndef SR_SETFILE_H
#define SR_SETFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "buildid.h"
#include "sysreach/union.h"

struct json_t; /* jansson's */

#define SR_SETFILE_BYTES_MAX (64u << 20) /* of input */
#define SR_SETJSON_BYTES_MAX (8u << 20)  /* of JSON, which takes much more room in memory */
#define SR_SETFILE_KEYS      64
#define SR_SETFILE_DIFFERS   "differs" /* in place of a build-id: files of several builds merged */

struct sr_setfile {
    struct sr_set body;
    struct sr_union *u; /* images with calls, start-up calls and objects; may hold none */
    char build_id[SR_IMAGES_MAX][SR_BUILD_ID_BYTES];   /* by image slot; empty: not known */
    char object_id[SR_OBJECTS_MAX][SR_BUILD_ID_BYTES]; /* the same by object slot */
    unsigned n_keys;
    struct {
        char *key, *value;
    } keys[SR_SETFILE_KEYS]; /* "made-by" and others that nothing here gives a meaning to */
    struct json_t *more;     /* members that the JSON form gets besides; NULL: none */
    unsigned skipped;        /* names of an OCI profile that this architecture has not */
    unsigned conditional; /* calls of an OCI profile that depend on arguments, capabilities … */
};

/* What is wrong with an input: "FILE: line 3: why; what to do next". */
struct sr_setfile_error {
    char text[1024];
};

/* NULL: out of memory. */
struct sr_setfile *sr_setfile_new(void);
void sr_setfile_free(struct sr_setfile *sf);

/* Appends a header line. False: no room (SR_SETFILE_KEYS), or no fit name for one. */
bool sr_setfile_key(struct sr_setfile *sf, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For a recorder that has filled u: body |= all that the images made; and the build-ids of the
 * images' files, as they are on this system now. */
void sr_setfile_sum(struct sr_setfile *sf);
void sr_setfile_find_build_ids(struct sr_setfile *sf);

/* Calls and start-up calls of an image. */
struct sr_set sr_setfile_image_set(const struct sr_setfile *sf, unsigned slot);

/* Slot of an image by its path, or by the last part of it where that is unambiguous.
 * -ENOENT: none; -ENOTUNIQ: several. */
int sr_setfile_image(const struct sr_setfile *sf, const char *name);

/* Slot of an object that an image maps, added if it is new. -ENOSPC: none is left (counted in
 * u->names_lost). */
int sr_setfile_object(struct sr_setfile *sf, unsigned image, const char *path);

/* Leaves one image, what it mapped, and its calls as the body. */
bool sr_setfile_keep_image(struct sr_setfile *sf, unsigned slot);

/* into |= from, header lines apart. False: there are more images or objects than a set holds. */
bool sr_setfile_merge(struct sr_setfile *into, const struct sr_setfile *from);

/* Reads whatever the path names ("-": stdin), or bytes that stand in memory (name: for messages).
 * NULL: *err says why. */
struct sr_setfile *sr_setfile_read(const char *path, struct sr_setfile_error *err);
struct sr_setfile *sr_setfile_parse(const char *name, const char *bytes, size_t len,
                                    struct sr_setfile_error *err);

/* The text form, and the JSON form of the same. Errors of the stream are for the caller to find
 * (ferror). False: out of memory. */
bool sr_setfile_write(FILE *to, const struct sr_setfile *sf);
bool sr_setfile_write_json(FILE *to, const struct sr_setfile *sf);

/* Writes a file as a whole: another name first, then renamed, so that an old one stands until the
 * new one is complete. path NULL or "-": stdout. 0 or a negative errno. */
int sr_setfile_save(const char *path, const struct sr_setfile *sf, bool json);

/* Between setfile.c, settext.c and setjson.c. */

/* C-style escapes for control characters and backslash; ascii: for all bytes from 0x80 on as well.
 * Memory from malloc; NULL: out of memory. */
char *sr_setfile_escape(const char *s, bool ascii);
/* In place. False: no escape that is known, or one that makes a NUL. */
bool sr_setfile_unescape(char *s);
/* Sets err; returns false. where may be empty. */
bool sr_setfile_fail(struct sr_setfile_error *err, const char *name, const char *where,
                     const char *format, ...) __attribute__((format(printf, 4, 5)));
bool sr_setfile_unknown_call(struct sr_setfile_error *err, const char *name, const char *where,
                             const char *call, size_t len);
bool sr_setfile_is_key(const char *key);
bool sr_setfile_is_build_id(const char *text); /* or SR_SETFILE_DIFFERS */
bool sr_settext_parse(struct sr_setfile *sf, const char *name, const char *p, size_t len,
                      struct sr_setfile_error *err);
bool sr_setjson_parse(struct sr_setfile *sf, const char *name, const char *bytes, size_t len,
                      struct sr_setfile_error *err);

#endif
