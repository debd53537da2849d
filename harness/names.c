/*
 * Names of calls: one table per entry, filled from libseccomp number by number.
 *
 * Asking libseccomp for the name of each number, and never for the number of a name, keeps its
 * pseudo numbers out: for a name that an architecture has not, and for i386's socket and IPC calls,
 * it answers with negative numbers that no kernel knows.
 */
#include "names.h"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>

struct table {
    bool ready;
    unsigned n;
    uint16_t sorted[SR_SET_NRS]; /* the n known numbers, by name */
    char name[SR_SET_NRS][SR_CALL_NAME_BYTES - 8];
};

static struct table tables[SR_ABIS];
static const char *const prefixes[SR_ABIS] = {"", "x32:", "i386:"};

static int by_name(const void *a, const void *b, void *t) {
    const struct table *table = t;

    return strcmp(table->name[*(const uint16_t *)a], table->name[*(const uint16_t *)b]);
}

static const struct table *table_of(uint32_t abi) {
    static const uint32_t arch[SR_ABIS] = {SCMP_ARCH_X86_64, SCMP_ARCH_X32, SCMP_ARCH_X86};
    struct table *t = &tables[abi];

    if (t->ready)
        return t;
    for (unsigned nr = 0; nr < SR_SET_NRS; nr++) {
        unsigned raw = abi == SR_ABI_X32 ? nr | SR_X32_BIT : nr;
        char *name = seccomp_syscall_resolve_num_arch(arch[abi], (int)raw);

        if (!name)
            continue;
        if (*name && strlen(name) < sizeof t->name[nr]) {
            memcpy(t->name[nr], name, strlen(name) + 1);
            t->sorted[t->n++] = (uint16_t)nr;
        }
        free(name);
    }
    qsort_r(t->sorted, t->n, sizeof t->sorted[0], by_name, t);
    t->ready = true;
    return t;
}

bool sr_call_known(struct sr_call c) {
    return c.abi < SR_ABIS && c.nr >= 0 && c.nr < SR_SET_NRS && table_of(c.abi)->name[c.nr][0];
}

int32_t sr_call_next_known(enum sr_abi abi, int32_t nr) {
    for (; nr < SR_SET_NRS; nr++)
        if (sr_call_known((struct sr_call){abi, nr}))
            return nr;
    return -1;
}

unsigned sr_call_table_count(enum sr_abi abi) {
    return table_of(abi)->n;
}

const char *sr_call_source(void) {
    static char text[64];
    const struct scmp_version *v = seccomp_version();

    snprintf(text, sizeof text, "libseccomp %u.%u.%u", v->major, v->minor, v->micro);
    return text;
}

const char *sr_call_name(struct sr_call c, char buf[SR_CALL_NAME_BYTES]) {
    const char *prefix = c.abi < SR_ABIS ? prefixes[c.abi] : "?:";

    if (sr_call_known(c))
        snprintf(buf, SR_CALL_NAME_BYTES, "%s%s", prefix, table_of(c.abi)->name[c.nr]);
    else
        snprintf(buf, SR_CALL_NAME_BYTES, "%s#%d", prefix, c.nr);
    return buf;
}

const char *sr_call_number(struct sr_call c, char buf[SR_CALL_NAME_BYTES]) {
    snprintf(buf, SR_CALL_NAME_BYTES, "%s%d", c.abi < SR_ABIS ? prefixes[c.abi] : "?:", c.nr);
    return buf;
}

/* Decimal, with a sign or not, of 32 bits. */
static bool parse_number(const char *text, size_t len, int32_t *out) {
    char digits[16], *end;
    size_t sign = len && text[0] == '-';
    long value;

    if (len <= sign || len >= sizeof digits)
        return false;
    for (size_t i = sign; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    memcpy(digits, text, len);
    digits[len] = 0;
    errno = 0;
    value = strtol(digits, &end, 10);
    if (errno || *end || value < INT32_MIN || value > INT32_MAX)
        return false;
    *out = (int32_t)value;
    return true;
}

static bool parse_name(uint32_t abi, const char *text, size_t len, int32_t *out) {
    const struct table *t = table_of(abi);
    unsigned lo = 0, hi = t->n;

    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        const char *name = t->name[t->sorted[mid]];
        int order = strncmp(name, text, len);

        if (order == 0 && name[len])
            order = 1;
        if (order == 0) {
            *out = t->sorted[mid];
            return true;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

bool sr_call_parse(const char *text, size_t len, struct sr_call *out) {
    uint32_t abi = SR_ABI_X86_64;
    int32_t nr;

    if (memchr(text, 0, len))
        return false;
    for (uint32_t a = SR_ABI_X32; a < SR_ABIS; a++) {
        size_t n = strlen(prefixes[a]);

        if (len > n && memcmp(text, prefixes[a], n) == 0) {
            abi = a;
            text += n;
            len -= n;
            break;
        }
    }
    if (parse_number(text, len, &nr) ||
        (len && *text == '#' && parse_number(text + 1, len - 1, &nr))) {
        *out = abi == SR_ABI_X86_64 ? sr_call_from_entry(false, (uint32_t)nr)
                                    : (struct sr_call){abi, nr};
        return true;
    }
    if (!len || !parse_name(abi, text, len, &nr))
        return false;
    *out = (struct sr_call){abi, nr};
    return true;
}

static int by_bytes(const void *a, const void *b) {
    return strcmp(a, b);
}

void sr_names_of(const struct sr_set *set, struct sr_names *out) {
    struct sr_call c;

    out->n = 0;
    for (unsigned at = 0; out->n < SR_SET_CALLS_MAX && sr_set_next(set, &at, &c);)
        sr_call_name(c, out->name[out->n++]);
    qsort(out->name, out->n, sizeof out->name[0], by_bytes);
}
