/*
 * /etc/ld.so.cache: which file a library's name stands for.
 *
 * Read here and not through ldconfig -p, because a tree given with --root has its own cache, and
 * the order of preference (glibc-hwcaps) is the loader's business.
 */
#ifndef SR_BOUND_LDCACHE_H
#define SR_BOUND_LDCACHE_H

#include <stddef.h>

struct sr_ldcache;

/* Takes bytes over (from malloc, bytes[len] is a NUL), also where it fails. NULL: no cache in
 * glibc's format 1.1, damaged, or no memory. */
struct sr_ldcache *sr_ldcache_parse(char *bytes, size_t len);
void sr_ldcache_free(struct sr_ldcache *c);

/* The file for name, or NULL. hwcaps: names of the glibc-hwcaps subdirectories that count, the best
 * first, ended by NULL. The answer lives as long as the cache. */
const char *sr_ldcache_find(const struct sr_ldcache *c, const char *name,
                            const char *const *hwcaps);

#endif
