/*
 * The union: claims of slots, merging, files that are no unions, and processes that write at once.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "sysreach/union.h"

static char folder[] = "/tmp/sysreach-test-union.XXXXXX";
static char file[4096];

static struct sr_call call(uint32_t abi, int32_t nr) {
    return (struct sr_call){abi, nr};
}

static void test_images(void **state) {
    struct sr_union *u = sr_union_new();
    char path[600];

    (void)state;
    assert_non_null(u);
    assert_null(sr_union_image_path(u, 0));
    assert_int_equal(sr_union_image(u, "/bin/a"), 0);
    assert_int_equal(sr_union_image(u, "/bin/b"), 1);
    assert_int_equal(sr_union_image(u, "/bin/a"), 0);
    assert_string_equal(sr_union_image_path(u, 1), "/bin/b");
    /* Whoever claimed this slot died before it wrote the name. */
    u->images[2].state = SR_SLOT_CLAIMED;
    assert_int_equal(sr_union_image(u, "/bin/c"), 3);
    assert_int_equal(sr_union_image(u, "/bin/c"), 3);
    assert_null(sr_union_image_path(u, 2));
    /* Given up for good: nobody waits for it again. */
    assert_int_equal(u->images[2].state, SR_SLOT_DEAD);
    /* A path that is too long is cut, and found again. */
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = 0;
    assert_int_equal(sr_union_image(u, path), 4);
    assert_int_equal(sr_union_image(u, path), 4);
    assert_int_equal(strlen(sr_union_image_path(u, 4)), SR_PATH_BYTES - 1);
    for (int i = 5; i < SR_IMAGES_MAX; i++) {
        snprintf(path, sizeof path, "/bin/%d", i);
        assert_int_equal(sr_union_image(u, path), i);
    }
    assert_int_equal(u->names_lost, 0);
    assert_int_equal(sr_union_image(u, "/bin/one-more"), -ENOSPC);
    assert_int_equal(u->names_lost, 1);
    assert_int_equal(sr_union_image(u, "/bin/a"), 0);
    assert_null(sr_union_image_path(u, SR_IMAGES_MAX));
    /* A name without its end, as a damaged file may have it, is no name. */
    memset(u->images[0].path, 'x', SR_PATH_BYTES);
    assert_null(sr_union_image_path(u, 0));
    sr_union_close(u);
}

static void test_objects_and_sites(void **state) {
    struct sr_union *u = sr_union_new();
    char path[32];
    bool is_new;
    int slot;

    (void)state;
    assert_non_null(u);
    assert_true(sr_union_object(u, 3, "/a.so"));
    assert_false(sr_union_object(u, 3, "/a.so"));
    assert_int_equal(u->objects[0].image, 3);
    /* Another image that maps it has an entry of its own. */
    assert_true(sr_union_object(u, 4, "/a.so"));
    assert_false(sr_union_object(u, 4, "/a.so"));
    assert_int_equal(u->objects[1].image, 4);
    for (int i = 2; i < SR_OBJECTS_MAX; i++) {
        snprintf(path, sizeof path, "/%d.so", i);
        assert_true(sr_union_object(u, 0, path));
    }
    assert_false(sr_union_object(u, 0, "/one-more.so"));
    assert_int_equal(u->names_lost, 1);

    slot = sr_union_site(u, 77, &is_new);
    assert_true(slot >= 0 && is_new);
    assert_int_equal(sr_union_site(u, 77, &is_new), slot);
    assert_false(is_new);
    /* The same place in the table, another site. */
    assert_int_not_equal(sr_union_site(u, 77 + SR_SITES_MAX, &is_new), slot);
    assert_true(is_new);
    assert_true(sr_union_site(u, 0, &is_new) >= 0 && is_new);
    assert_int_equal(sr_union_site_count(u), 3);
    for (uint64_t h = 1; sr_union_site_count(u) < SR_SITES_MAX && h <= 1000; h++)
        sr_union_site(u, h * 1000003, &is_new);
    assert_int_equal(sr_union_site_count(u), 1003);
    for (unsigned i = 0; i < SR_SITES_MAX; i++)
        u->sites[i] = i + 1;
    assert_int_equal(sr_union_site(u, UINT64_C(1) << 40, &is_new), -ENOSPC);
    assert_false(is_new);
    assert_int_equal(u->sites_lost, 1);
    sr_union_close(u);
}

static void test_roles(void **state) {
    struct sr_union *u = sr_union_new();
    char name[2 * SR_ROLE_BYTES];

    (void)state;
    assert_non_null(u);
    assert_int_equal(sr_union_image(u, "/bin/a"), 0);
    assert_null(sr_union_role_name(u, 0));
    assert_int_equal(sr_union_role(u, 0, "monitor"), 0);
    assert_int_equal(sr_union_role(u, 1, "monitor"), 1);
    assert_int_equal(sr_union_role(u, 0, ""), 2);
    assert_int_equal(sr_union_role(u, 1, "monitor"), 1);
    assert_int_equal(sr_union_role(u, 0, ""), 2);
    assert_string_equal(sr_union_role_name(u, 1), "monitor");
    assert_string_equal(sr_union_role_name(u, 2), "");
    assert_int_equal(u->roles[1].image, 1);
    /* A name that is too long is cut, and found again. */
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    assert_int_equal(sr_union_role(u, 0, name), 3);
    assert_int_equal(sr_union_role(u, 0, name), 3);
    assert_int_equal(strlen(sr_union_role_name(u, 3)), SR_ROLE_BYTES - 1);
    for (int i = 4; i < SR_ROLES_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(sr_union_role(u, 0, name), i);
    }
    assert_int_equal(sr_union_role(u, 0, "one-more"), -ENOSPC);
    assert_int_equal(u->names_lost, 1);
    assert_null(sr_union_role_name(u, SR_ROLES_MAX));
    memset(u->roles[0].name, 'x', SR_ROLE_BYTES);
    assert_null(sr_union_role_name(u, 0));
    sr_union_close(u);
}

/* The calls of one image of a union that may have it in any slot; NULL: it has it not. */
static const struct sr_union_image *image(const struct sr_union *u, const char *path) {
    for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
        if (sr_union_image_path(u, i) && strcmp(sr_union_image_path(u, i), path) == 0)
            return &u->images[i];
    return NULL;
}

/* The object is there, filed under an image of this path. */
static bool has_object(const struct sr_union *u, const char *image_path, const char *path) {
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *object = sr_union_object_path(u, i);
        const char *of = object ? sr_union_image_path(u, u->objects[i].image) : NULL;

        if (of && strcmp(object, path) == 0 && strcmp(of, image_path) == 0)
            return true;
    }
    return false;
}

/* The role of that name of that image; NULL: it is not there. */
static const struct sr_union_role *role(const struct sr_union *u, const char *image_path,
                                        const char *name) {
    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const char *own = sr_union_role_name(u, i);
        const char *of = own ? sr_union_image_path(u, u->roles[i].image) : NULL;

        if (of && strcmp(own, name) == 0 && strcmp(of, image_path) == 0)
            return &u->roles[i];
    }
    return NULL;
}

static bool same_roles(const struct sr_union *a, const struct sr_union *b) {
    unsigned n[2] = {0, 0};

    for (unsigned i = 0; i < SR_ROLES_MAX; i++) {
        const char *name = sr_union_role_name(a, i);
        const struct sr_union_role *x = &a->roles[i],
                                   *y = name ? role(b, sr_union_image_path(a, x->image), name)
                                             : NULL;

        n[0] += name != NULL;
        n[1] += sr_union_role_name(b, i) != NULL;
        if (name && (!y || x->processes != y->processes || !sr_set_equal(&x->calls, &y->calls) ||
                     !sr_set_equal(&x->attempted, &y->attempted)))
            return false;
    }
    return n[0] == n[1];
}

static bool same(const struct sr_union *a, const struct sr_union *b) {
    unsigned n[2] = {0, 0};

    for (unsigned i = 0; i < SR_IMAGES_MAX; i++) {
        const char *path = sr_union_image_path(a, i);
        const struct sr_union_image *other = path ? image(b, path) : NULL;

        n[0] += path != NULL;
        n[1] += sr_union_image_path(b, i) != NULL;
        if (path && (!other || !sr_set_equal(&other->calls, &a->images[i].calls) ||
                     !sr_set_equal(&other->startup, &a->images[i].startup) ||
                     !sr_set_equal(&other->attempted, &a->images[i].attempted) ||
                     other->calls.lost != a->images[i].calls.lost))
            return false;
    }
    for (unsigned i = 0; i < SR_OBJECTS_MAX; i++) {
        const char *path = sr_union_object_path(a, i);

        n[0] += path != NULL;
        n[1] += sr_union_object_path(b, i) != NULL;
        if (path && !has_object(b, sr_union_image_path(a, a->objects[i].image), path))
            return false;
    }
    return n[0] == n[1] && same_roles(a, b);
}

/* Some images, shared between the two kinds or not, with pseudo-random calls. */
static struct sr_union *filled(unsigned seed) {
    struct sr_union *u = sr_union_new();
    char path[32];

    assert_non_null(u);
    for (unsigned i = 0; i < 6; i++) {
        int slot, at;

        snprintf(path, sizeof path, "/bin/%u", (seed % 2 ? 7 - i : 2 * i));
        slot = sr_union_image(u, path);
        assert_true(slot >= 0);
        for (int k = 0; k < 30; k++) {
            sr_set_add(&u->images[slot].calls,
                       call((unsigned)rand_r(&seed) % SR_ABIS, rand_r(&seed) % SR_SET_NRS));
            sr_set_add(&u->images[slot].startup, call(0, rand_r(&seed) % SR_SET_NRS));
        }
        sr_set_add(&u->images[slot].calls, call(0, -1 - (int)(seed % 4)));
        sr_set_add(&u->images[slot].attempted, call(0, rand_r(&seed) % SR_SET_NRS));
        snprintf(path, sizeof path, i % 2 ? "role-%u" : "", seed % 3);
        at = sr_union_role(u, (unsigned)slot, path);
        assert_true(at >= 0);
        u->roles[at].processes = (unsigned)rand_r(&seed) % 100;
        sr_set_add(&u->roles[at].calls, call(0, rand_r(&seed) % SR_SET_NRS));
        sr_set_add(&u->roles[at].attempted, call(0, rand_r(&seed) % SR_SET_NRS));
        snprintf(path, sizeof path, "/%u-%u.so", seed % 5, i);
        sr_union_object(u, (unsigned)slot, path);
    }
    return u;
}

static void test_merge(void **state) {
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        struct sr_union *a = filled(2 * round), *b = filled(2 * round + 1), *ab = sr_union_new(),
                        *ba = sr_union_new(), *once = sr_union_new();

        assert_true(ab && ba && once);
        sr_union_merge(once, a);
        assert_true(same(once, a));
        assert_false(same(a, b));
        sr_union_merge(ab, a);
        sr_union_merge(ab, b);
        sr_union_merge(ba, b);
        sr_union_merge(ba, a);
        assert_true(same(ab, ba) && same(ba, ab));
        sr_union_merge(ab, a);
        sr_union_merge(ab, b);
        sr_union_merge(ab, ab);
        assert_true(same(ab, ba));
        for (unsigned i = 0; i < 6; i++) {
            struct sr_set missing =
                sr_set_minus(&a->images[i].calls, &image(ab, sr_union_image_path(a, i))->calls);

            assert_int_equal(sr_set_count(&missing), 0);
        }
        sr_union_close(a);
        sr_union_close(b);
        sr_union_close(ab);
        sr_union_close(ba);
        sr_union_close(once);
    }
}

/* What merging must take from a damaged union: nothing that lies outside of it. */
static void test_merge_damaged(void **state) {
    struct sr_union *bad = filled(3), *into = sr_union_new();

    (void)state;
    assert_non_null(into);
    bad->objects[0].image = 0xffffffff;
    bad->objects[1].state = 77;
    bad->images[0].state = 77;
    bad->images[1].calls.odd[3] = UINT64_MAX;
    memset(bad->images[2].path, 'y', SR_PATH_BYTES);
    bad->roles[0].image = 0xffffffff;
    memset(bad->roles[1].name, 'y', SR_ROLE_BYTES);
    bad->roles[2].state = 77;
    sr_union_merge(into, bad);
    for (unsigned i = 0; i < SR_ROLES_MAX; i++)
        assert_true(!sr_union_role_name(into, i) ||
                    sr_union_image_path(into, into->roles[i].image));
    assert_non_null(image(into, "/bin/6"));
    assert_non_null(image(into, "/bin/4"));
    assert_null(image(into, "/bin/7"));
    assert_null(image(into, "/bin/5"));
    sr_union_close(bad);
    sr_union_close(into);
}

static void test_file(void **state) {
    struct sr_union *u, *again;
    const struct sr_union *ro;
    struct stat st;
    FILE *f;

    (void)state;
    assert_int_equal(sr_union_open(file, false, &u), -ENOENT);
    assert_int_equal(sr_union_open_ro(file, &ro), -ENOENT);
    assert_int_equal(sr_union_open(file, true, &u), 0);
    assert_int_equal(sr_union_image(u, "/bin/a"), 0);
    assert_true(sr_set_add(&u->images[0].calls, call(0, 5)));
    /* Made already: the same one, with what it holds. */
    assert_int_equal(sr_union_open(file, true, &again), 0);
    assert_true(sr_set_has(&again->images[0].calls, call(0, 5)));
    assert_true(sr_set_add(&again->images[0].calls, call(0, 6)));
    assert_true(sr_set_has(&u->images[0].calls, call(0, 6)));
    sr_union_close(u);
    sr_union_close(again);
    assert_int_equal(sr_union_open_ro(file, &ro), 0);
    assert_int_equal(sr_set_count(&ro->images[0].calls), 2);
    sr_union_close(ro);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_size, sizeof *u);

    /* Truncated, longer, and of another version or kind. */
    for (off_t size = 0; size < (off_t)sizeof *u; size = size * 5 + 1) {
        assert_int_equal(truncate(file, size), 0);
        assert_int_equal(sr_union_open_ro(file, &ro), -EINVAL);
        assert_int_equal(sr_union_open(file, true, &u), -EINVAL);
    }
    assert_int_equal(truncate(file, sizeof *u - 1), 0);
    assert_int_equal(sr_union_open_ro(file, &ro), -EINVAL);
    assert_int_equal(truncate(file, sizeof *u + 1), 0);
    assert_int_equal(sr_union_open_ro(file, &ro), -EINVAL);
    assert_int_equal(unlink(file), 0);
    for (size_t at = 0; at < offsetof(struct sr_union, sites_lost); at++) {
        assert_int_equal(sr_union_open(file, true, &u), 0);
        ((unsigned char *)u)[at] ^= 0x40;
        sr_union_close(u);
        /* Behind the magic's NUL there is one byte of padding that says nothing. */
        assert_int_equal(sr_union_open_ro(file, &ro), at == 15 ? 0 : -EINVAL);
        if (at == 15)
            sr_union_close(ro);
        assert_int_equal(unlink(file), 0);
    }
    f = fopen(file, "we");
    assert_non_null(f);
    fclose(f);
    assert_int_equal(sr_union_open(file, true, &u), -EINVAL);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(sr_union_open_ro(folder, &ro), -EINVAL);
    assert_true(sr_union_open("/proc/no-such-folder/union", true, &u) < 0);
}

/* Nothing but the union may stay behind, and one that somebody else made first must stand. */
static void test_create_leaves_nothing(void **state) {
    struct sr_union *u;

    (void)state;
    assert_int_equal(sr_union_open(file, true, &u), 0);
    sr_union_close(u);
    assert_int_equal(unlink(file), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(sr_union_open(file, true, &u), -ENOENT);
    assert_int_equal(mkdir(folder, 0700), 0);
}

/* Adds everything to a shared union; what it was told is new, it counts in its instance. */
static void add_all(struct sr_union *u, unsigned me, unsigned others) {
    struct sr_union_instance *count = &u->instances[me];
    char path[32];

    __atomic_fetch_add(&u->reserved[0], 1, __ATOMIC_SEQ_CST);
    for (long spin = 0; spin < 2000000000L; spin++) /* all begin at the same moment */
        if (__atomic_load_n(&u->reserved[0], __ATOMIC_SEQ_CST) == others)
            break;
    for (uint32_t abi = 0; abi < SR_ABIS; abi++)
        for (int32_t nr = 0; nr < SR_SET_NRS; nr++)
            count->calls += sr_set_add(&u->images[0].calls, call(abi, nr));
    for (int32_t nr = 1; nr <= SR_SET_ODD; nr++)
        count->calls += sr_set_add(&u->images[0].calls, call(0, -nr));
    for (uint64_t h = 1; h <= 2000; h++) {
        bool is_new;

        sr_union_site(u, h * UINT64_C(0x9e3779b97f4a7c15), &is_new);
        count->started += is_new;
    }
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/%d.so", i);
        count->finished += sr_union_object(u, 0, path);
        sr_union_image(u, path);
    }
}

static void test_concurrent(void **state) {
    enum { WRITERS = 2, ROUNDS = 15 };

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t calls = 0, sites = 0, objects = 0;
        pid_t pids[WRITERS];
        struct sr_union *u;
        unsigned images = 0;
        int status;

        assert_int_equal(sr_union_open(file, true, &u), 0);
        for (unsigned w = 0; w < WRITERS; w++) {
            pids[w] = fork();
            assert_true(pids[w] >= 0);
            if (pids[w] == 0) {
                /* A mapping of its own, as every forkserver has one. */
                struct sr_union *mine;

                if (sr_union_open(file, false, &mine))
                    _exit(1);
                add_all(mine, w, WRITERS);
                _exit(0);
            }
        }
        for (unsigned w = 0; w < WRITERS; w++) {
            assert_int_equal(waitpid(pids[w], &status, 0), pids[w]);
            assert_int_equal(status, 0);
            calls += u->instances[w].calls;
            sites += u->instances[w].started;
            objects += u->instances[w].finished;
        }
        /* Each new thing was new to exactly one of them. */
        assert_int_equal(calls, SR_ABIS * SR_SET_NRS + SR_SET_ODD);
        assert_int_equal(calls, sr_set_count(&u->images[0].calls));
        assert_int_equal(u->images[0].calls.lost, 0);
        assert_int_equal(sites, 2000);
        assert_int_equal(sr_union_site_count(u), 2000);
        assert_int_equal(objects, 200);
        for (unsigned i = 0; i < SR_IMAGES_MAX; i++)
            images += sr_union_image_path(u, i) != NULL;
        assert_int_equal(images, 200);
        sr_union_close(u);
        assert_int_equal(unlink(file), 0);
    }
}

static int make_folder(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(file, sizeof file, "%s/union", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder); /* fails if something was left behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_images),     cmocka_unit_test(test_objects_and_sites),
        cmocka_unit_test(test_merge),      cmocka_unit_test(test_merge_damaged),
        cmocka_unit_test(test_file),       cmocka_unit_test(test_create_leaves_nothing),
        cmocka_unit_test(test_concurrent), cmocka_unit_test(test_roles),
    };

    return cmocka_run_group_tests_name("union", tests, make_folder, remove_folder);
}
