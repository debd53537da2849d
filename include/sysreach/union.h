/*
 * The union: what all inputs of all instances of a campaign made, per image, in shared memory.
 *
 * One file in the campaign folder (or anonymous memory for a single trace), mapped by every
 * forkserver and by the supervisor. It only ever grows: calls are OR-ed in, names are claimed in a
 * free slot and then stay. So writers need no lock, merging is idempotent and commutative, and
 * killing any process at any moment leaves a file that is valid and holds what was merged before.
 * A slot whose claimant died while it wrote the name stays unused.
 */
#ifndef SYSREACH_UNION_H
#define SYSREACH_UNION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sysreach/depth.h"
#include "sysreach/set.h"

#define SR_UNION_MAGIC   "sysreach-union"
#define SR_UNION_VERSION 2
#define SR_IMAGES_MAX    256
#define SR_OBJECTS_MAX   1024
#define SR_INSTANCES_MAX 64
#define SR_SITES_MAX     16384 /* also the number of map entries that AFL++ sees for call sites */
#define SR_PATH_BYTES    504
#define SR_ROLES_MAX     64
#define SR_ROLE_BYTES    40

/* CLAIMED becomes USED, or DEAD where its claimer took too long: killed, or it tries another one.
 */
enum sr_slot { SR_SLOT_FREE, SR_SLOT_CLAIMED, SR_SLOT_USED, SR_SLOT_DEAD };

/* An executable file whose processes made calls. Slot 0 is the program under test. */
struct sr_union_image {
    uint32_t state; /* enum sr_slot */
    uint32_t reserved;
    char path[SR_PATH_BYTES]; /* as the program's own mount namespace names it; cut if longer */
    struct sr_set calls;      /* made by inputs (a trace: by the command), after start-up */
    struct sr_set startup;    /* made by a plain exec before main */
    struct sr_set attempted;  /* part of calls: the program's own seccomp filter refused it at least
                                 once */
};

/* What processes of one image do that play the same part (a server's listener, its session child):
 * told apart by the target's rules when a run is over. */
struct sr_union_role {
    uint32_t state;
    uint32_t image;           /* slot */
    char name[SR_ROLE_BYTES]; /* empty: what no rule names */
    uint64_t processes;       /* seen so far */
    struct sr_set calls, attempted;
};

/* An ELF object that was mapped executable. */
struct sr_union_object {
    uint32_t state;
    uint32_t image; /* slot of the image that mapped it; an object has an entry for each */
    char path[SR_PATH_BYTES];
};

/* Counters of one forkserver slot; they go on over restarts. */
struct sr_union_instance {
    char name[32];
    uint64_t started;     /* inputs begun */
    uint64_t finished;    /* inputs whose record is complete or was ended by a limit */
    uint64_t calls;       /* calls recorded */
    uint64_t timeouts;    /* inputs ended by their own time limit */
    uint64_t leftover;    /* inputs with processes that had to be ended afterwards */
    uint64_t crashes;     /* inputs ended by a signal that the scenario did not send */
    uint64_t denied;      /* signals to processes outside the run that were not delivered */
    uint64_t cut;         /* inputs ended by too many processes or by afl-fuzz */
    uint64_t restarts;    /* times that a forkserver began on this slot */
    uint64_t unwitnessed; /* discoveries whose evidence could not be written */
    uint64_t depth_inputs[SR_DEPTHS]; /* finished ones, by depth */
    uint64_t depth_us[SR_DEPTHS];     /* what they took, microseconds of wall time */
    uint64_t reserved[11];
};

struct sr_union {
    char magic[16];
    uint32_t version;
    uint32_t bytes;      /* of the whole file */
    uint64_t sites_lost; /* call sites for which no slot was left */
    uint64_t names_lost; /* images and objects for which no slot was left */
    uint64_t roles_cut;  /* runs with more processes than can be told apart */
    uint64_t reserved[10];
    uint64_t sites[SR_SITES_MAX]; /* hash of (image, call, callers), 0 is free */
    struct sr_union_instance instances[SR_INSTANCES_MAX];
    struct sr_union_image images[SR_IMAGES_MAX];
    struct sr_union_object objects[SR_OBJECTS_MAX];
    struct sr_union_role roles[SR_ROLES_MAX];
};

/*
 * Opens (create: makes, if it is missing) and maps a union file. Returns 0 or a negative errno;
 * -EINVAL: not a union of this version, or truncated. A file is created whole under another name
 * and renamed, so nobody sees half of one.
 */
int sr_union_open(const char *path, bool create, struct sr_union **out);

/* Maps read-only; for status, report and set. Errors as above. */
int sr_union_open_ro(const char *path, const struct sr_union **out);

/* Anonymous memory, private. NULL: out of memory. */
struct sr_union *sr_union_new(void);
void sr_union_close(const struct sr_union *u);

/* Slot of an image, claimed if new. -ENOSPC: none left (counted in names_lost). */
int sr_union_image(struct sr_union *u, const char *path);

/* Remembers a mapped object. Returns true when it was new. */
bool sr_union_object(struct sr_union *u, unsigned image, const char *path);

/* Slot of a call site by its hash, claimed if new (*is_new says so). -ENOSPC: none left. */
int sr_union_site(struct sr_union *u, uint64_t hash, bool *is_new);
unsigned sr_union_site_count(const struct sr_union *u);

/* Slot of a role, claimed if new. -ENOSPC: none left (counted in names_lost). */
int sr_union_role(struct sr_union *u, unsigned image, const char *name);
/* Name of a used role slot; NULL where it is not in use. */
const char *sr_union_role_name(const struct sr_union *u, unsigned slot);

/* Path of a used image or object slot, never unterminated; NULL where the slot is not in use. */
const char *sr_union_image_path(const struct sr_union *u, unsigned slot);
const char *sr_union_object_path(const struct sr_union *u, unsigned slot);

/* into |= from: images by path, calls, start-up, attempted, roles, objects. Sites and counters are
 * not merged; of a role's processes the larger number stands. */
void sr_union_merge(struct sr_union *into, const struct sr_union *from);
/* The same of attempted calls and roles alone. */
void sr_union_merge_parts(struct sr_union *into, const struct sr_union *from);

#endif
