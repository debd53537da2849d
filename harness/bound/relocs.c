/*
 * Relocations: every word of the object that the loader fills in, by address.
 *
 * DT_RELA, DT_JMPREL and DT_RELR. A static program relocates itself (IRELATIVE only), which its
 * sections say. In an object at a fixed address, words that hold addresses have no relocation any
 * more: each aligned word whose value lies in a segment counts as one.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "object_private.h"

struct table {
    const uint8_t *p;
    size_t n;
};

static bool get_table(const struct sr_object_build *b, uint64_t addr, uint64_t bytes, size_t entry,
                      const char *what, struct table *t) {
    *t = (struct table){NULL, 0};
    if (bytes < entry)
        return true;
    t->p = sr_object_table(b, addr, bytes, what);
    t->n = bytes / entry;
    return t->p;
}

/* The tables of the dynamic section. DT_RELASZ may count DT_JMPREL's at its end. */
static bool get_rela(const struct sr_object_build *b, struct table *rela, struct table *plt) {
    const uint64_t *tag = b->dyn.tag;
    uint64_t bytes = tag[DT_RELASZ];

    if (tag[DT_PLTRELSZ] <= bytes && tag[DT_JMPREL] - tag[DT_RELA] == bytes - tag[DT_PLTRELSZ])
        bytes -= tag[DT_PLTRELSZ];
    return get_table(b, tag[DT_RELA], bytes, sizeof(Elf64_Rela), "its relocation table", rela) &&
           get_table(b, tag[DT_JMPREL], tag[DT_PLTRELSZ], sizeof(Elf64_Rela),
                     "its relocation table of the PLT", plt);
}

static Elf64_Rela rela_at(const struct table *t, size_t i) {
    Elf64_Rela r;

    memcpy(&r, t->p + i * sizeof r, sizeof r);
    return r;
}

bool sr_object_relocs_highest(const struct sr_object_build *b, uint32_t *highest) {
    struct table t[2];

    *highest = 0;
    if (!get_rela(b, &t[0], &t[1]))
        return false;
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; i < t[k].n; i++) {
            uint32_t symbol = (uint32_t)ELF64_R_SYM(rela_at(&t[k], i).r_info);

            if (symbol > *highest)
                *highest = symbol;
        }
    return true;
}

static bool is_mapped(const struct sr_object *o, uint64_t addr) {
    return sr_object_is_code(o, addr) || sr_object_is_data(o, addr);
}

/* Into o->relocs, which has room. Types that fill in no address (TLS) are passed over. */
static bool add_rela(struct sr_object_build *b, const Elf64_Rela *r) {
    struct sr_object *o = b->o;
    struct sr_reloc *out = &o->relocs[o->n_relocs];
    uint32_t symbol = (uint32_t)ELF64_R_SYM(r->r_info), type = (uint32_t)ELF64_R_TYPE(r->r_info);

    *out = (struct sr_reloc){.where = r->r_offset};
    switch (type) {
    case R_X86_64_RELATIVE:
        out->kind = SR_RELOC_RELATIVE;
        out->target = (uint64_t)r->r_addend;
        break;
    case R_X86_64_IRELATIVE:
        out->kind = SR_RELOC_IRELATIVE;
        out->target = (uint64_t)r->r_addend;
        break;
    case R_X86_64_64:
    case R_X86_64_GLOB_DAT:
    case R_X86_64_JUMP_SLOT:
        out->kind = SR_RELOC_SYMBOL;
        out->symbol = symbol;
        out->addend = r->r_addend;
        out->jump_slot = type == R_X86_64_JUMP_SLOT;
        out->got = type == R_X86_64_GLOB_DAT;
        break;
    case R_X86_64_COPY:
        out->kind = SR_RELOC_COPY;
        out->symbol = symbol;
        break;
    default:
        return true;
    }
    if (!is_mapped(o, r->r_offset))
        return sr_object_damaged(b, "a relocation at 0x%" PRIx64 " is outside of its segments",
                                 r->r_offset);
    if (out->symbol && out->symbol >= o->n_dynsym)
        return sr_object_damaged(b, "a relocation at 0x%" PRIx64 " names symbol %" PRIu32 " of %zu",
                                 r->r_offset, out->symbol, o->n_dynsym);
    o->n_relocs++;
    return true;
}

static bool add_table(struct sr_object_build *b, const struct table *t) {
    for (size_t i = 0; i < t->n; i++) {
        Elf64_Rela r = rela_at(t, i);

        if (!add_rela(b, &r))
            return false;
    }
    return true;
}

/* How many words DT_RELR names: an even entry is an address, an odd one a bitmap of 63 words. */
static size_t count_relr(const struct table *t) {
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        uint64_t e = sr_get64(t->p + 8 * i);

        n += e & 1 ? (size_t)__builtin_popcountll(e >> 1) : 1;
    }
    return n;
}

static bool add_relr_word(struct sr_object_build *b, uint64_t where) {
    const uint8_t *p = sr_object_table(b, where, 8, "a word that DT_RELR names");

    if (p)
        b->o->relocs[b->o->n_relocs++] =
            (struct sr_reloc){.where = where, .target = sr_get64(p), .kind = SR_RELOC_RELATIVE};
    return p;
}

static bool add_relr(struct sr_object_build *b, const struct table *t) {
    uint64_t at = 0;

    for (size_t i = 0; i < t->n; i++) {
        uint64_t e = sr_get64(t->p + 8 * i);

        if (!(e & 1)) {
            if (e < at)
                return sr_object_damaged(b, "DT_RELR is not in order");
            if (!add_relr_word(b, e))
                return false;
            at = e + 8;
            continue;
        }
        for (unsigned k = 0; k < 63; k++)
            if ((e >> (k + 1) & 1) && !add_relr_word(b, at + UINT64_C(8) * k))
                return false;
        at += UINT64_C(63) * 8;
    }
    return true;
}

static int by_where(const void *x, const void *y) {
    const struct sr_reloc *a = x, *c = y;

    return a->where < c->where ? -1 : a->where > c->where;
}

/* A static program's own relocations: sections of RELA that are loaded. */
static bool add_static(struct sr_object_build *b) {
    struct sr_object *o = b->o;

    for (size_t i = 0; i < b->n_sections; i++) {
        const struct sr_object_section *s = &b->sections[i];
        struct table t;

        if (s->type != SHT_RELA || !(s->flags & SHF_ALLOC) || s->size < sizeof(Elf64_Rela))
            continue;
        t = (struct table){b->image + s->offset, s->size / sizeof(Elf64_Rela)};
        o->relocs = calloc(t.n, sizeof *o->relocs);
        if (!o->relocs)
            return sr_object_no_memory(b);
        return add_table(b, &t) && sr_object_border(b, s->addr, s->size);
    }
    return true;
}

/* The same where no section says it: entries that write the address of code into writable data. */
static bool scan_irelative(struct sr_object_build *b, const struct sr_segment *s, size_t *room) {
    struct sr_object *o = b->o;

    for (uint64_t at = (8 - s->lo % 8) % 8; at + sizeof(Elf64_Rela) <= s->file_bytes; at += 8) {
        Elf64_Rela r;
        struct sr_reloc *p;

        if (sr_get64(s->bytes + at + 8) != R_X86_64_IRELATIVE)
            continue;
        memcpy(&r, s->bytes + at, sizeof r);
        if (!sr_object_is_data(o, r.r_offset) || !sr_object_is_code(o, (uint64_t)r.r_addend))
            continue;
        p = sr_object_room(o->relocs, o->n_relocs, room, sizeof *p);
        if (!p)
            return sr_object_no_memory(b);
        o->relocs = p;
        if (!add_rela(b, &r))
            return false;
    }
    return true;
}

static bool read_tables(struct sr_object_build *b) {
    const uint64_t *tag = b->dyn.tag;
    struct sr_object *o = b->o;
    struct table rela, plt, relr;
    size_t n;

    if (!get_rela(b, &rela, &plt) ||
        !get_table(b, tag[DT_RELR], tag[DT_RELRSZ], 8, "its table DT_RELR", &relr))
        return false;
    n = count_relr(&relr);
    if (n > b->size / 4) /* segments have fewer words than that */
        return sr_object_damaged(b, "DT_RELR names more words than there are");
    n += rela.n + plt.n;
    if (n == 0)
        return true;
    o->relocs = calloc(n, sizeof *o->relocs);
    if (!o->relocs)
        return sr_object_no_memory(b);
    return add_table(b, &rela) && add_table(b, &plt) && add_relr(b, &relr) &&
           sr_object_border(b, tag[DT_RELA], rela.n * sizeof(Elf64_Rela)) &&
           sr_object_border(b, tag[DT_JMPREL], plt.n * sizeof(Elf64_Rela)) &&
           sr_object_border(b, tag[DT_RELR], relr.n * 8);
}

/* Words of a segment that hold addresses, as RELATIVE, but where a relocation stands: merged into
 * the list *out, which is by address as the segments are. */
struct words {
    struct sr_reloc *list;
    size_t n, room, next; /* next: of o->relocs */
};

static bool add_word(struct sr_object_build *b, struct words *w, const struct sr_reloc *r) {
    struct sr_reloc *p = sr_object_room(w->list, w->n, &w->room, sizeof *p);

    if (!p)
        return sr_object_no_memory(b);
    w->list = p;
    w->list[w->n++] = *r;
    return true;
}

static bool add_relocs_below(struct sr_object_build *b, struct words *w, uint64_t addr) {
    while (w->next < b->o->n_relocs && b->o->relocs[w->next].where < addr)
        if (!add_word(b, w, &b->o->relocs[w->next++]))
            return false;
    return true;
}

static bool scan_words(struct sr_object_build *b, const struct sr_segment *s, struct words *w) {
    const struct sr_object *o = b->o;
    uint64_t lo = o->segments[0].lo, hi = o->segments[o->n_segments - 1].hi;
    size_t fde = 0;

    for (uint64_t at = (8 - s->lo % 8) % 8; at + 8 <= s->file_bytes; at += 8) {
        struct sr_reloc r = {.where = s->lo + at, .target = sr_get64(s->bytes + at)};

        if (r.target < lo || r.target >= hi || !is_mapped(o, r.target))
            continue;
        while (fde < o->n_fdes && o->fdes[fde].hi <= r.where)
            fde++;
        if (fde < o->n_fdes && o->fdes[fde].lo < r.where + 8)
            continue;
        if (!add_relocs_below(b, w, r.where))
            return false;
        if (w->next < o->n_relocs && o->relocs[w->next].where == r.where)
            continue;
        if (!add_word(b, w, &r))
            return false;
    }
    return true;
}

/* Executable segments are scanned too, but not functions: without -z separate-code, constants lie
 * between the code. */
static bool add_absolute_words(struct sr_object_build *b) {
    struct sr_object *o = b->o;
    struct words w = {NULL, 0, 0, 0};
    bool ok = true;

    for (size_t i = 0; ok && i < o->n_segments; i++)
        ok = scan_words(b, &o->segments[i], &w);
    ok = ok && add_relocs_below(b, &w, UINT64_MAX);
    if (!ok || w.n == 0) {
        free(w.list);
        return ok;
    }
    free(o->relocs);
    o->relocs = w.list;
    o->n_relocs = w.n;
    return true;
}

bool sr_object_read_relocs(struct sr_object_build *b) {
    struct sr_object *o = b->o;

    if (b->dyn.bytes) {
        if (!read_tables(b))
            return false;
    } else {
        size_t room = 0;

        if (!add_static(b))
            return false;
        for (size_t i = 0; b->n_sections == 0 && i < o->n_segments; i++)
            if (!o->segments[i].write && !scan_irelative(b, &o->segments[i], &room))
                return false;
    }
    if (o->n_relocs > 1)
        qsort(o->relocs, o->n_relocs, sizeof *o->relocs, by_where);
    return !o->fixed || add_absolute_words(b);
}

size_t sr_object_reloc_from(const struct sr_object *o, uint64_t where) {
    size_t lo = 0, hi = o->n_relocs;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (o->relocs[mid].where < where)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct sr_reloc *sr_object_reloc(const struct sr_object *o, uint64_t where) {
    size_t i = sr_object_reloc_from(o, where);

    return i < o->n_relocs && o->relocs[i].where == where ? &o->relocs[i] : NULL;
}
