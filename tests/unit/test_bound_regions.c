/*
 * Where data is cut, against the symbols that Debian ships for libc apart from it (package
 * libc6-dbg): the analysis sees the stripped file only.
 */
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bound/regions.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"

struct counts {
    unsigned objects, cut, addresses, code;
};

/* What the words of [lo, hi) hold: addresses at all, addresses of code. */
static void count_words(const struct sr_object *o, uint64_t lo, uint64_t hi, struct counts *c) {
    bool any = false, code = false;

    for (size_t i = sr_object_reloc_from(o, lo); i < o->n_relocs && o->relocs[i].where < hi; i++) {
        any = true;
        code |= o->relocs[i].kind == SR_RELOC_RELATIVE && sr_object_is_code(o, o->relocs[i].target);
    }
    c->addresses += any;
    c->code += code;
}

static void count_symbol(const struct sr_object *o, const struct sr_regions *r, const GElf_Sym *s,
                         struct counts *c) {
    int64_t first = sr_regions_find(r, s->st_value);

    if (GELF_ST_TYPE(s->st_info) != STT_OBJECT || !s->st_size ||
        !sr_object_is_data(o, s->st_value) || first < 0)
        return;
    c->objects++;
    if (first == sr_regions_find(r, s->st_value + s->st_size - 1))
        return;
    c->cut++;
    count_words(o, r->cuts[first + 1], s->st_value + s->st_size, c);
}

static bool count_file(const char *path, const struct sr_object *o, const struct sr_regions *r,
                       struct counts *c) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    Elf *elf =
        fd < 0 || elf_version(EV_CURRENT) == EV_NONE ? NULL : elf_begin(fd, ELF_C_READ, NULL);
    bool found = false;

    for (Elf_Scn *s = elf ? elf_nextscn(elf, NULL) : NULL; s; s = elf_nextscn(elf, s)) {
        GElf_Shdr sh;
        Elf_Data *data =
            gelf_getshdr(s, &sh) && sh.sh_type == SHT_SYMTAB ? elf_getdata(s, NULL) : NULL;
        GElf_Sym sym;

        for (int i = 0; data && gelf_getsym(data, i, &sym); i++)
            count_symbol(o, r, &sym, c);
        found |= data != NULL;
    }
    elf_end(elf);
    if (fd >= 0)
        close(fd);
    return found;
}

static void libc_is_cut_between_objects(void **state) {
    struct sr_object_error err;
    struct sr_object *o = sr_object_open(LIBC, NULL, &err);
    struct sr_code *code;
    struct sr_regions r;
    struct counts c = {0};
    char path[256];

    (void)state;
    if (!o)
        skip();
    snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%.2s/%s.debug", o->build_id,
             o->build_id + 2);
    code = sr_code_scan(o);
    assert_non_null(code);
    assert_true(sr_regions_make(&r, code));
    bool found = count_file(path, o, &r, &c);
    if (found) {
        print_message("%u objects in %zu regions: %u cut inside, %u with addresses behind the cut, "
                      "%u of them code\n",
                      c.objects, r.n, c.cut, c.addresses, c.code);
        assert_true(c.objects > 500);
        assert_true(r.n > 300);
        assert_int_equal(c.code, 0);
        assert_int_equal(c.addresses, 0);
    }
    sr_regions_free(&r);
    sr_code_free(code);
    sr_object_close(o);
    if (!found)
        skip();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libc_is_cut_between_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
