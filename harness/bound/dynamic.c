/*
 * The dynamic section: what an object needs, where its tables are, which functions run at its start
 * and end. The loader believes these tables, so one that lies outside of the file is damage.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "object_private.h"

static void keep_tag(struct sr_object_dynamic *d, const Elf64_Dyn *e) {
    uint64_t v = e->d_un.d_val;

    if (e->d_tag >= 0 && e->d_tag < DT_NUM)
        d->tag[e->d_tag] = v;
    switch (e->d_tag) {
    case DT_GNU_HASH:
        d->gnu_hash = v;
        break;
    case DT_VERSYM:
        d->versym = v;
        break;
    case DT_VERDEF:
        d->verdef = v;
        break;
    case DT_VERDEFNUM:
        d->verdefnum = v;
        break;
    case DT_VERNEED:
        d->verneed = v;
        break;
    case DT_VERNEEDNUM:
        d->verneednum = v;
        break;
    default:
        break;
    }
}

/* Elements before DT_NULL, or before the end. */
static size_t count_elements(const uint8_t *p, uint64_t bytes) {
    size_t n = 0;

    while (n < bytes / sizeof(Elf64_Dyn) && sr_get64(p + n * sizeof(Elf64_Dyn)) != DT_NULL)
        n++;
    return n;
}

static bool read_strings(struct sr_object_build *b) {
    struct sr_object_dynamic *d = &b->dyn;
    const uint8_t *p;

    if (!d->tag[DT_STRTAB] || !d->tag[DT_STRSZ])
        return true;
    p = sr_object_table(b, d->tag[DT_STRTAB], d->tag[DT_STRSZ], "its dynamic string table");
    if (!p)
        return false;
    if (p[d->tag[DT_STRSZ] - 1] != '\0')
        return sr_object_damaged(b, "its dynamic string table has no end");
    d->strings = (const char *)p;
    d->strings_bytes = d->tag[DT_STRSZ];
    return sr_object_border(b, d->tag[DT_STRTAB], d->tag[DT_STRSZ]);
}

static bool read_string(const struct sr_object_build *b, uint64_t offset, const char *tag,
                        char **out) {
    *out = (char *)sr_object_string(b, offset);
    return *out || sr_object_damaged(b, "its %s lies outside of the dynamic string table", tag);
}

/* Those elements that name strings, once the string table is known. */
static bool read_names(struct sr_object_build *b, const uint8_t *p, size_t n) {
    struct sr_object *o = b->o;
    size_t n_needed = 0;

    for (size_t i = 0; i < n; i++)
        n_needed += sr_get64(p + i * sizeof(Elf64_Dyn)) == DT_NEEDED;
    if (n_needed && !(o->needed = calloc(n_needed, sizeof *o->needed)))
        return sr_object_no_memory(b);
    for (size_t i = 0; i < n; i++) {
        Elf64_Dyn e;
        bool ok = true;

        memcpy(&e, p + i * sizeof e, sizeof e);
        if (e.d_tag == DT_NEEDED)
            ok = read_string(b, e.d_un.d_val, "DT_NEEDED", &o->needed[o->n_needed++]);
        else if (e.d_tag == DT_SONAME)
            ok = read_string(b, e.d_un.d_val, "DT_SONAME", &o->soname);
        else if (e.d_tag == DT_RPATH)
            ok = read_string(b, e.d_un.d_val, "DT_RPATH", &o->rpath);
        else if (e.d_tag == DT_RUNPATH)
            ok = read_string(b, e.d_un.d_val, "DT_RUNPATH", &o->runpath);
        else if (e.d_tag == DT_SYMBOLIC || (e.d_tag == DT_FLAGS && (e.d_un.d_val & DF_SYMBOLIC)))
            o->symbolic = true;
        if (!ok)
            return false;
    }
    return true;
}

static bool check_entry_sizes(const struct sr_object_build *b) {
    const uint64_t *tag = b->dyn.tag;

    if ((tag[DT_SYMENT] && tag[DT_SYMENT] != sizeof(Elf64_Sym)) ||
        (tag[DT_RELAENT] && tag[DT_RELAENT] != sizeof(Elf64_Rela)) ||
        (tag[DT_RELRENT] && tag[DT_RELRENT] != sizeof(Elf64_Relr)) ||
        (tag[DT_PLTREL] && tag[DT_PLTREL] != DT_RELA))
        return sr_object_damaged(b, "its dynamic tables have entries of unknown size");
    return true;
}

bool sr_object_read_dynamic(struct sr_object_build *b) {
    const Elf64_Phdr *ph = sr_object_phdr(b, PT_DYNAMIC);
    const uint8_t *p;
    size_t n;

    if (!ph || ph->p_filesz == 0)
        return true;
    p = sr_object_table(b, ph->p_vaddr, ph->p_filesz, "its dynamic section");
    if (!p)
        return false;
    b->dyn.lo = ph->p_vaddr;
    b->dyn.bytes = ph->p_filesz;
    n = count_elements(p, ph->p_filesz);
    for (size_t i = 0; i < n; i++) {
        Elf64_Dyn e;

        memcpy(&e, p + i * sizeof e, sizeof e);
        keep_tag(&b->dyn, &e);
    }
    if (b->dyn.tag[DT_PLTGOT] && !sr_object_border(b, b->dyn.tag[DT_PLTGOT], 0))
        return false;
    return sr_object_border(b, b->dyn.lo, b->dyn.bytes) && check_entry_sizes(b) &&
           read_strings(b) && read_names(b, p, n);
}

/* What the word at addr will hold, as far as this object alone says it. */
static uint64_t word_value(const struct sr_object *o, uint64_t addr, const uint8_t *word) {
    const struct sr_reloc *r = sr_object_reloc(o, addr);

    if (!r)
        return sr_get64(word);
    if (r->kind == SR_RELOC_RELATIVE)
        return r->target;
    if (r->kind == SR_RELOC_SYMBOL && r->symbol < o->n_dynsym && o->dynsym[r->symbol].defined)
        return o->dynsym[r->symbol].value + (uint64_t)r->addend;
    return 0;
}

static bool add_init(struct sr_object_build *b, uint64_t addr, size_t *room) {
    uint64_t *p;

    /* Leaves out 0 and -1, which mark ends. */
    if (!sr_object_is_code(b->o, addr))
        return true;
    p = sr_object_room(b->o->inits, b->o->n_inits, room, sizeof *p);
    if (!p)
        return sr_object_no_memory(b);
    b->o->inits = p;
    b->o->inits[b->o->n_inits++] = addr;
    return true;
}

static bool add_array(struct sr_object_build *b, uint64_t addr, uint64_t bytes, size_t *room) {
    const uint8_t *p;

    if (bytes == 0)
        return true;
    p = sr_object_table(b, addr, bytes, "an array of its initialisers");
    if (!p || !sr_object_border(b, addr, bytes))
        return false;
    for (uint64_t i = 0; i + 8 <= bytes; i += 8)
        if (!add_init(b, word_value(b->o, addr + i, p + i), room))
            return false;
    return true;
}

/* Static programs at a fixed address have no dynamic section; their sections say the same. Linkers
 * make one array of each type. */
static bool inits_of_sections(struct sr_object_build *b, size_t *room) {
    bool seen[SHT_PREINIT_ARRAY + 1] = {false};

    for (size_t i = 0; i < b->n_sections; i++) {
        const struct sr_object_section *s = &b->sections[i];
        size_t left;
        bool ok = true;

        if (!(s->flags & SHF_ALLOC) || s->size == 0)
            continue;
        if (s->type == SHT_PREINIT_ARRAY || s->type == SHT_INIT_ARRAY ||
            s->type == SHT_FINI_ARRAY) {
            if (seen[s->type] || !sr_object_at(b->o, s->addr, &left) || left < s->size)
                continue;
            seen[s->type] = true;
            ok = add_array(b, s->addr, s->size, room);
        } else if (strcmp(s->name, ".init") == 0 || strcmp(s->name, ".fini") == 0)
            ok = add_init(b, s->addr, room);
        if (!ok)
            return false;
    }
    return true;
}

bool sr_object_read_inits(struct sr_object_build *b) {
    const uint64_t *tag = b->dyn.tag;
    size_t room = 0;

    if (b->dyn.bytes == 0)
        return inits_of_sections(b, &room);
    return add_init(b, tag[DT_INIT], &room) && add_init(b, tag[DT_FINI], &room) &&
           add_array(b, tag[DT_PREINIT_ARRAY], tag[DT_PREINIT_ARRAYSZ], &room) &&
           add_array(b, tag[DT_INIT_ARRAY], tag[DT_INIT_ARRAYSZ], &room) &&
           add_array(b, tag[DT_FINI_ARRAY], tag[DT_FINI_ARRAYSZ], &room);
}
