/*
 * Fuzz target: opens any bytes as an ELF object, and checks what the header promises of one.
 *
 * fuzz_elf FILE. Aborts when a table is not in order or points outside; every string is read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bound/object.h"

#define BYTES_MAX (1u << 20)

static void require(bool that) {
    if (!that)
        abort();
}

static size_t read_strings(const struct sr_object *o) {
    size_t n = strlen(o->build_id);

    for (size_t i = 0; i < o->n_needed; i++)
        n += strlen(o->needed[i]);
    for (size_t i = 0; i < o->n_dynsym; i++)
        n += strnlen(o->dynsym[i].name, 64) +
             (o->dynsym[i].version ? strnlen(o->dynsym[i].version, 64) : 0);
    for (size_t i = 0; i < o->n_symtab; i++)
        n += strnlen(o->symtab[i].name, 64);
    n += o->interp ? strlen(o->interp) : 0;
    n += o->soname ? strlen(o->soname) : 0;
    n += o->rpath ? strlen(o->rpath) : 0;
    return n + (o->runpath ? strlen(o->runpath) : 0);
}

static void check_segments(const struct sr_object *o) {
    volatile uint8_t sum = 0;

    require(o->n_segments > 0 && o->n_segments <= 64);
    for (size_t i = 0; i < o->n_segments; i++) {
        const struct sr_segment *s = &o->segments[i];

        require(s->lo < s->hi && s->file_bytes <= s->hi - s->lo);
        require(i == 0 || s[-1].hi <= s->lo);
        if (s->file_bytes)
            sum ^= s->bytes[0] ^ s->bytes[s->file_bytes - 1];
    }
    for (size_t i = 1; i < o->n_borders; i++)
        require(o->borders[i - 1] < o->borders[i]);
}

static void check_tables(const struct sr_object *o) {
    for (size_t i = 0; i < o->n_relocs; i++) {
        const struct sr_reloc *r = &o->relocs[i];

        require(i == 0 || r[-1].where <= r->where);
        require(r->symbol == 0 || r->symbol < o->n_dynsym);
        require(sr_object_reloc(o, r->where)->where == r->where);
    }
    for (size_t i = 0; i < o->n_fdes; i++) {
        uint64_t off = 0;
        const char *name = sr_object_name_at(o, o->fdes[i].lo, &off);

        require(o->fdes[i].lo < o->fdes[i].hi && (i == 0 || o->fdes[i - 1].hi <= o->fdes[i].lo));
        require(sr_object_is_code(o, o->fdes[i].lo) && sr_object_is_code(o, o->fdes[i].hi - 1));
        require(!name || off <= o->fdes[i].lo);
    }
    for (size_t i = 1; i < o->n_handlers; i++)
        require(o->handlers[i - 1].function <= o->handlers[i].function);
    for (size_t i = 0; i < o->n_inits; i++)
        require(sr_object_is_code(o, o->inits[i]));
}

int main(int argc, char **argv) {
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : stdin;
    struct sr_object_error err;
    struct sr_object *o;
    uint8_t *bytes;
    size_t n;

    if (!f)
        return 2;
    /* Its own block of the very size, so that a read past its end is seen. */
    bytes = malloc(BYTES_MAX);
    require(bytes != NULL);
    n = fread(bytes, 1, BYTES_MAX, f);
    fclose(f);
    bytes = realloc(bytes, n ? n : 1);
    require(bytes != NULL);
    o = sr_object_parse("input", bytes, n, &err);
    if (o) {
        check_segments(o);
        check_tables(o);
        printf("%zu characters\n", read_strings(o));
        sr_object_close(o);
    } else {
        require(strchr(err.text, ';') != NULL);
        puts(err.text);
    }
    free(bytes);
    return 0;
}
