/*
 * Symbols: .dynsym with versions, .symtab's functions and objects, and names by address.
 *
 * Without section headers nothing says how many dynamic symbols there are: DT_HASH does,
 * DT_GNU_HASH does for those that are defined, and what relocations name must be there as well.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "object_private.h"

#define VERSIONS 0x8000 /* versym's index without its hidden bit */
/* Each has an index of its own, so more of them are repetitions. */
#define VERSION_RECORDS_MAX 0x10000u

/* Symbols as DT_GNU_HASH counts them: the last chain ends at the last symbol. */
static bool count_gnu_hash(struct sr_object_build *b, uint64_t *count) {
    uint64_t addr = b->dyn.gnu_hash, skip, n_buckets, first, last = 0;
    const uint8_t *p = sr_object_table(b, addr, 16, "its GNU hash table");
    size_t left;

    if (!p)
        return false;
    n_buckets = sr_get32(p);
    first = sr_get32(p + 4);
    skip = 16 + UINT64_C(8) * sr_get32(p + 8);
    p = sr_object_table(b, addr, skip + 4 * n_buckets, "its GNU hash table");
    if (!p)
        return false;
    for (uint64_t i = 0; i < n_buckets; i++)
        if (sr_get32(p + skip + 4 * i) > last)
            last = sr_get32(p + skip + 4 * i);
    *count = first;
    if (last < first) /* none is defined */
        return sr_object_border(b, addr, skip + 4 * n_buckets);
    skip += 4 * n_buckets;
    sr_object_at(b->o, addr, &left);
    for (uint64_t i = last - first; skip + 4 * i + 4 <= left; i++)
        if (sr_get32(p + skip + 4 * i) & 1) {
            *count = first + i + 1;
            return sr_object_border(b, addr, skip + 4 * i + 4);
        }
    return sr_object_damaged(b, "its GNU hash table has no end");
}

static bool count_symbols(struct sr_object_build *b, uint64_t *count) {
    const struct sr_object_dynamic *d = &b->dyn;
    const struct sr_object_section *s;
    const uint8_t *p;
    uint32_t highest;

    *count = 0;
    if (d->tag[DT_HASH]) {
        p = sr_object_table(b, d->tag[DT_HASH], 8, "its hash table");
        if (!p)
            return false;
        *count = sr_get32(p + 4);
        return sr_object_border(b, d->tag[DT_HASH], 8 + 4 * (sr_get32(p) + *count));
    }
    if (d->gnu_hash && !count_gnu_hash(b, count))
        return false;
    if (!sr_object_relocs_highest(b, &highest))
        return false;
    if (highest >= *count)
        *count = (uint64_t)highest + 1;
    s = sr_object_section_at(b, d->tag[DT_SYMTAB], SHT_DYNSYM);
    if (s && s->size / sizeof(Elf64_Sym) > *count)
        *count = s->size / sizeof(Elf64_Sym);
    return true;
}

static bool name_version(const struct sr_object_build *b, const char **names, unsigned index,
                         uint64_t string) {
    const char *text = sr_object_string(b, string);

    if (!text)
        return sr_object_damaged(b, "a version's name lies outside of the dynamic string table");
    names[index & (VERSIONS - 1)] = text;
    return true;
}

static bool read_verneed(const struct sr_object_build *b, const char **names) {
    uint64_t addr = b->dyn.verneed;
    unsigned records = 0;

    for (uint64_t i = 0; i < b->dyn.verneednum; i++) {
        const uint8_t *p = sr_object_table(b, addr, sizeof(Elf64_Verneed), "a needed version");
        Elf64_Verneed need;
        uint64_t at;

        if (!p)
            return false;
        memcpy(&need, p, sizeof need);
        at = addr + need.vn_aux;
        for (unsigned k = 0; k < need.vn_cnt; k++) {
            Elf64_Vernaux aux;

            p = sr_object_table(b, at, sizeof aux, "a needed version");
            if (!p)
                return false;
            memcpy(&aux, p, sizeof aux);
            if (++records > VERSION_RECORDS_MAX)
                return sr_object_damaged(b, "it needs too many versions");
            if (!name_version(b, names, aux.vna_other, aux.vna_name))
                return false;
            at += aux.vna_next;
        }
        if (need.vn_next == 0)
            break;
        if (++records > VERSION_RECORDS_MAX)
            return sr_object_damaged(b, "it needs too many versions");
        addr += need.vn_next;
    }
    return true;
}

static bool read_verdef(const struct sr_object_build *b, const char **names) {
    uint64_t addr = b->dyn.verdef;

    for (uint64_t i = 0; i < b->dyn.verdefnum; i++) {
        const uint8_t *p = sr_object_table(b, addr, sizeof(Elf64_Verdef), "a defined version");
        Elf64_Verdef def;

        if (!p)
            return false;
        memcpy(&def, p, sizeof def);
        p = sr_object_table(b, addr + def.vd_aux, sizeof(Elf64_Verdaux), "a defined version");
        if (!p)
            return false;
        /* The base version is the object's own name. */
        if (!(def.vd_flags & VER_FLG_BASE) && !name_version(b, names, def.vd_ndx, sr_get32(p)))
            return false;
        if (def.vd_next == 0)
            break;
        if (i == VERSION_RECORDS_MAX)
            return sr_object_damaged(b, "it defines too many versions");
        addr += def.vd_next;
    }
    return true;
}

static bool read_dynsym(struct sr_object_build *b, size_t count, const char **versions) {
    struct sr_object *o = b->o;
    uint64_t at = b->dyn.tag[DT_SYMTAB];
    const uint8_t *table = sr_object_table(b, at, count * sizeof(Elf64_Sym), "its symbol table");
    const uint8_t *versym = NULL;

    if (table && b->dyn.versym)
        versym = sr_object_table(b, b->dyn.versym, count * 2, "its table of symbol versions");
    if (!table || (b->dyn.versym && !versym))
        return false;
    o->dynsym = calloc(count, sizeof *o->dynsym);
    if (!o->dynsym)
        return sr_object_no_memory(b);
    for (size_t i = 0; i < count; i++) {
        struct sr_symbol *s = &o->dynsym[i];
        uint16_t version = 1;
        Elf64_Sym sym;

        memcpy(&sym, table + i * sizeof sym, sizeof sym);
        if (versym)
            memcpy(&version, versym + 2 * i, 2);
        s->name = sym.st_name ? sr_object_string(b, sym.st_name) : "";
        if (!s->name)
            return sr_object_damaged(b, "the name of symbol %zu lies outside of its strings", i);
        s->version = versions[version & (VERSIONS - 1)];
        s->value = sym.st_value;
        s->size = sym.st_size;
        s->type = ELF64_ST_TYPE(sym.st_info);
        s->bind = ELF64_ST_BIND(sym.st_info);
        s->visibility = ELF64_ST_VISIBILITY(sym.st_other);
        s->defined = sym.st_shndx != SHN_UNDEF;
        s->hidden = s->defined && (version & VERSIONS);
        s->oldest = s->defined && (version & (VERSIONS - 1)) == 2;
    }
    o->n_dynsym = count;
    return sr_object_border(b, at, count * sizeof(Elf64_Sym)) &&
           (!versym || sr_object_border(b, b->dyn.versym, count * 2));
}

/* Functions and objects of .symtab; whatever is wrong with it, there is just less of it. */
static bool read_symtab(struct sr_object_build *b) {
    const struct sr_object_section *s = NULL, *strings = NULL;
    struct sr_object *o = b->o;
    const char *text;
    size_t bytes;

    for (size_t i = 0; i < b->n_sections && !s; i++)
        if (b->sections[i].type == SHT_SYMTAB)
            s = &b->sections[i];
    for (size_t i = 0; s && i < b->n_sections && !strings; i++)
        if (b->sections[i].type == SHT_STRTAB && b->sections[i].index == s->link)
            strings = &b->sections[i];
    if (!strings)
        return true;
    text = (const char *)b->image + strings->offset;
    for (bytes = strings->size; bytes > 0 && text[bytes - 1] != '\0';)
        bytes--;
    if (s->size < sizeof(Elf64_Sym))
        return true;
    o->symtab = calloc(s->size / sizeof(Elf64_Sym), sizeof *o->symtab);
    if (!o->symtab)
        return sr_object_no_memory(b);
    for (size_t i = 0; i < s->size / sizeof(Elf64_Sym); i++) {
        Elf64_Sym sym;
        unsigned type;

        memcpy(&sym, b->image + s->offset + i * sizeof sym, sizeof sym);
        type = ELF64_ST_TYPE(sym.st_info);
        if ((type != STT_FUNC && type != STT_OBJECT && type != STT_GNU_IFUNC) ||
            sym.st_shndx == SHN_UNDEF || sym.st_name == 0 || sym.st_name >= bytes ||
            (!sr_object_is_code(o, sym.st_value) && !sr_object_is_data(o, sym.st_value)))
            continue;
        o->symtab[o->n_symtab++] =
            (struct sr_symbol){.name = text + sym.st_name,
                               .value = sym.st_value,
                               .size = sym.st_size,
                               .type = (uint8_t)type,
                               .bind = ELF64_ST_BIND(sym.st_info),
                               .visibility = ELF64_ST_VISIBILITY(sym.st_other),
                               .defined = true};
    }
    return true;
}

bool sr_object_read_symbols(struct sr_object_build *b) {
    const struct sr_object_dynamic *d = &b->dyn;
    const char **versions;
    uint64_t count;
    bool ok = true;

    if (!read_symtab(b))
        return false;
    if (!d->tag[DT_SYMTAB])
        return true;
    if (!count_symbols(b, &count))
        return false;
    versions = calloc(VERSIONS, sizeof *versions);
    if (!versions)
        return sr_object_no_memory(b);
    if (d->versym && d->verneed)
        ok = sr_object_border(b, d->verneed, 0) && read_verneed(b, versions);
    if (ok && d->versym && d->verdef)
        ok = sr_object_border(b, d->verdef, 0) && read_verdef(b, versions);
    if (ok && count)
        ok = read_dynsym(b, count, versions);
    free(versions);
    return ok;
}

static size_t underscores(const char *name) {
    return strspn(name, "_");
}

/* By value; of names for the same value the one to show comes first. */
static int by_name(const void *x, const void *y) {
    const struct sr_object_name *a = x, *c = y;
    size_t ua, uc;

    if (a->value != c->value)
        return a->value < c->value ? -1 : 1;
    if ((a->bind == STB_LOCAL) != (c->bind == STB_LOCAL))
        return a->bind == STB_LOCAL ? 1 : -1;
    ua = underscores(a->text);
    uc = underscores(c->text);
    if (ua != uc)
        return ua < uc ? -1 : 1;
    /* Bounded: hostile names may be long, and many. */
    return strncmp(a->text, c->text, 64);
}

static void add_names(const struct sr_object *o, const struct sr_symbol *list, size_t n) {
    struct sr_object_private *p = o->private_;

    for (size_t i = 0; i < n; i++)
        if (list[i].defined && *list[i].name &&
            (list[i].type == STT_FUNC || list[i].type == STT_GNU_IFUNC) &&
            sr_object_is_code(o, list[i].value))
            p->names[p->n_names++] =
                (struct sr_object_name){list[i].value, list[i].size, list[i].name, list[i].bind};
}

bool sr_object_read_names(struct sr_object_build *b) {
    struct sr_object *o = b->o;
    struct sr_object_private *p = o->private_;
    size_t all, n = 0;

    if (o->n_dynsym + o->n_symtab == 0)
        return true;
    p->names = calloc(o->n_dynsym + o->n_symtab, sizeof *p->names);
    if (!p->names)
        return sr_object_no_memory(b);
    add_names(o, o->dynsym, o->n_dynsym);
    add_names(o, o->symtab, o->n_symtab);
    all = p->n_names;
    qsort(p->names, all, sizeof *p->names, by_name);
    for (size_t i = 0; i < all; i++)
        if (n == 0 || p->names[i].value != p->names[n - 1].value)
            p->names[n++] = p->names[i];
    p->n_names = n;
    return true;
}

/* Index of the FDE that holds addr; n_fdes: none. */
static size_t fde_of(const struct sr_object *o, uint64_t addr) {
    size_t lo = 0, hi = o->n_fdes;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (o->fdes[mid].hi <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < o->n_fdes && o->fdes[lo].lo <= addr ? lo : o->n_fdes;
}

const char *sr_object_name_at(const struct sr_object *o, uint64_t addr, uint64_t *off) {
    const struct sr_object_private *p = o->private_;
    size_t lo = 0, hi = p->n_names, fde;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (p->names[mid].value <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* Small functions may be named inside of a larger one. */
    for (size_t i = lo; i > 0 && lo - i < 16; i--)
        if (addr - p->names[i - 1].value < p->names[i - 1].size || p->names[i - 1].value == addr) {
            *off = addr - p->names[i - 1].value;
            return p->names[i - 1].text;
        }
    fde = fde_of(o, addr);
    if (lo == 0 || fde == o->n_fdes || p->names[lo - 1].value < o->fdes[fde].lo)
        return NULL;
    *off = addr - p->names[lo - 1].value;
    return p->names[lo - 1].text;
}
