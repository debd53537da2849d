/*
 * Functions, from the unwinder's tables: FDEs of .eh_frame (libdw walks them), and what their
 * language-specific data (LSDA) and their CIE name: typeinfo slots and the personality routine.
 *
 * .eh_frame is found through PT_GNU_EH_FRAME, else by its section. It has no length of its own: a
 * terminator ends it, or its section, or the first bytes that are no entry. Formats: Linux Standard
 * Base, "Exception Frames"; the LSDA's is GCC's except.c.
 */
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <stdlib.h>

#include "object_private.h"

/* A pointer's encoding: the format in the low nibble, what it is relative to, and: indirect. */
#define FORMAT(enc)   ((enc)&0x0f)
#define RELATION(enc) ((enc)&0x70)

struct cursor {
    const uint8_t *p, *end;
    uint64_t addr; /* of p */
    bool bad;      /* read past the end, or an unknown encoding: what was read since is 0 */
};

struct cie {
    uint64_t offset;
    uint64_t personality; /* 0: none */
    bool personality_slot, sized;
    uint8_t code_encoding, lsda_encoding;
};

struct frames {
    struct sr_object_build *b;
    uint64_t addr;    /* of .eh_frame */
    struct cie *cies; /* by offset */
    size_t n_cies, cies_room, fdes_room, handlers_room;
    uint64_t budget; /* records of LSDAs that may still be read: of a long one that many share */
};

static uint64_t get_bytes(struct cursor *c, unsigned n) {
    uint64_t v = 0;

    if (c->bad || (size_t)(c->end - c->p) < n) {
        c->bad = true;
        return 0;
    }
    memcpy(&v, c->p, n);
    c->p += n;
    c->addr += n;
    return v;
}

static uint64_t get_leb(struct cursor *c, bool is_signed) {
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = (uint8_t)get_bytes(c, 1);
        if (shift < 64)
            v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (!c->bad && (byte & 0x80) && shift < 128);
    if (is_signed && (byte & 0x40) && shift < 64)
        v |= ~UINT64_C(0) << shift;
    return v;
}

/* The number alone, without what it is relative to. */
static uint64_t get_format(struct cursor *c, uint8_t encoding) {
    switch (FORMAT(encoding)) {
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        return get_bytes(c, 8);
    case DW_EH_PE_uleb128:
        return get_leb(c, false);
    case DW_EH_PE_sleb128:
        return get_leb(c, true);
    case DW_EH_PE_udata2:
        return get_bytes(c, 2);
    case DW_EH_PE_sdata2:
        return (uint64_t)(int64_t)(int16_t)get_bytes(c, 2);
    case DW_EH_PE_udata4:
        return get_bytes(c, 4);
    case DW_EH_PE_sdata4:
        return (uint64_t)(int64_t)(int32_t)get_bytes(c, 4);
    default:
        c->bad = true;
        return 0;
    }
}

/* A pointer: 0 stays 0. data is the base of datarel, function that of funcrel. */
static uint64_t get_pointer(struct cursor *c, uint8_t encoding, uint64_t data, uint64_t function) {
    uint64_t at, v;

    if (encoding == DW_EH_PE_aligned) {
        get_bytes(c, (unsigned)(-c->addr & 7));
        return get_bytes(c, 8);
    }
    at = c->addr;
    v = get_format(c, encoding);
    if (v == 0 || c->bad)
        return 0;
    switch (RELATION(encoding)) {
    case DW_EH_PE_absptr:
        return v;
    case DW_EH_PE_pcrel:
        return v + at;
    case DW_EH_PE_datarel:
        return v + data;
    case DW_EH_PE_funcrel:
        return v + function;
    default: /* textrel has no base on x86-64 */
        c->bad = true;
        return 0;
    }
}

static bool repeats(const struct frames *f) {
    return sr_object_damaged(f->b, "its exception tables repeat themselves");
}

static bool add_handler(struct frames *f, uint64_t function, uint64_t to, bool slot) {
    struct sr_object *o = f->b->o;
    struct sr_handler *p;

    /* Each slot takes two bytes or more, and each FDE more than that. */
    if (o->n_handlers > f->b->size / 2)
        return repeats(f);
    p = sr_object_room(o->handlers, o->n_handlers, &f->handlers_room, sizeof *p);
    if (!p)
        return sr_object_no_memory(f->b);
    o->handlers = p;
    o->handlers[o->n_handlers++] = (struct sr_handler){function, to, slot};
    return true;
}

/* Where a CIE or FDE reads on. */
static struct cursor cursor_in(const struct frames *f, const Elf_Data *data, const uint8_t *p,
                               const uint8_t *end) {
    return (struct cursor){p, end, f->addr + (uint64_t)(p - (const uint8_t *)data->d_buf), false};
}

static bool add_cie(struct frames *f, const Elf_Data *data, uint64_t offset, const Dwarf_CIE *cie) {
    struct cie *list, out = {.offset = offset, .lsda_encoding = DW_EH_PE_omit};
    const char *letter = cie->augmentation;
    struct cursor c;

    /* Without 'z' nothing says how long the rest is; only "" means that there is none. */
    if (*letter && *letter != 'z')
        return true;
    c = cursor_in(f, data, cie->augmentation_data,
                  cie->augmentation_data + cie->augmentation_data_size);
    if (*letter == 'z') {
        out.sized = true;
        for (letter++; *letter && !c.bad; letter++)
            if (*letter == 'R') {
                out.code_encoding = (uint8_t)get_bytes(&c, 1);
            } else if (*letter == 'L') {
                out.lsda_encoding = (uint8_t)get_bytes(&c, 1);
            } else if (*letter == 'P') {
                uint8_t encoding = (uint8_t)get_bytes(&c, 1);

                out.personality = get_pointer(&c, encoding & 0x7f, f->b->dyn.tag[DT_PLTGOT], 0);
                out.personality_slot = encoding & DW_EH_PE_indirect;
            } else if (*letter != 'S' && *letter != 'B') {
                break; /* of later letters the data's place is not known */
            }
    }
    list = sr_object_room(f->cies, f->n_cies, &f->cies_room, sizeof *list);
    if (!list)
        return sr_object_no_memory(f->b);
    f->cies = list;
    f->cies[f->n_cies++] = out;
    return true;
}

static const struct cie *find_cie(const struct frames *f, uint64_t offset) {
    size_t lo = 0, hi = f->n_cies;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (f->cies[mid].offset < offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < f->n_cies && f->cies[lo].offset == offset ? &f->cies[lo] : NULL;
}

static unsigned format_bytes(uint8_t encoding) {
    switch (FORMAT(encoding)) {
    case DW_EH_PE_udata2:
    case DW_EH_PE_sdata2:
        return 2;
    case DW_EH_PE_udata4:
    case DW_EH_PE_sdata4:
        return 4;
    case DW_EH_PE_absptr:
    case DW_EH_PE_udata8:
    case DW_EH_PE_sdata8:
        return 8;
    default:
        return 0;
    }
}

/* Typeinfo of index 1, 2, … stands before base, downwards; 0 there means: catches all. */
static bool add_types(struct frames *f, uint64_t function, struct cursor start, uint64_t base,
                      uint8_t encoding, uint64_t count) {
    unsigned size = format_bytes(encoding);

    for (uint64_t i = 1; size && i <= count && i * size <= base - start.addr; i++) {
        struct cursor c = start;
        uint64_t at = base - i * size, to;

        if (f->budget == 0)
            return repeats(f);
        f->budget--;
        c.p += at - start.addr;
        c.addr = at;
        to = get_pointer(&c, encoding & 0x7f, f->b->dyn.tag[DT_PLTGOT], function);
        if (c.bad)
            return true;
        /* An absolute pointer in an object that moves has a relocation: the word is the slot. */
        if (encoding == DW_EH_PE_absptr && !f->b->o->fixed) {
            if (!add_handler(f, function, at, true))
                return false;
        } else if (to && !add_handler(f, function, to, encoding & DW_EH_PE_indirect)) {
            return false;
        }
    }
    return true;
}

/* Highest type index that a list of an exception specification names; 0 ends it. */
static uint64_t highest_of_list(struct frames *f, struct cursor c, uint64_t offset) {
    uint64_t highest = 0, index;

    if (offset > (uint64_t)(c.end - c.p))
        return 0;
    c.p += offset;
    do {
        index = get_leb(&c, false);
        if (index > highest)
            highest = index;
    } while (index && !c.bad && f->budget && f->budget--);
    return c.bad ? 0 : highest;
}

/* The highest type index in a chain of action records. Filters below 0 are exception
 * specifications: lists that stand at base and after. */
static uint64_t highest_of_chain(struct frames *f, const struct cursor *actions, uint64_t at,
                                 const struct cursor *base) {
    uint64_t highest = 0;

    for (; f->budget && at < (uint64_t)(actions->end - actions->p); f->budget--) {
        struct cursor c = *actions;
        int64_t filter, next;
        uint64_t index;

        c.p += at;
        filter = (int64_t)get_leb(&c, true);
        at = (uint64_t)(c.p - actions->p);
        next = (int64_t)get_leb(&c, true);
        if (c.bad)
            break;
        index = filter >= 0 ? (uint64_t)filter
                            : highest_of_list(f, *base, ~(uint64_t)filter); /* -filter - 1 */
        if (index > highest)
            highest = index;
        if (next == 0)
            break;
        at += (uint64_t)next;
    }
    return highest;
}

/* The LSDA of a function: its call sites name action records, those name typeinfo slots. */
static bool read_lsda(struct frames *f, uint64_t function, uint64_t addr) {
    struct cursor c = {.addr = addr}, start, actions, base;
    uint8_t encoding, sites_encoding;
    uint64_t bytes, highest = 0;
    size_t left;

    c.p = sr_object_at(f->b->o, addr, &left);
    if (!c.p)
        return true;
    c.end = c.p + left;
    encoding = (uint8_t)get_bytes(&c, 1); /* where landing pads count from */
    if (encoding != DW_EH_PE_omit)
        get_pointer(&c, encoding, 0, function);
    encoding = (uint8_t)get_bytes(&c, 1);
    if (encoding == DW_EH_PE_omit)
        return true;
    bytes = get_leb(&c, false);
    if (c.bad || bytes > (uint64_t)(c.end - c.p))
        return true;
    base = c;
    base.p += bytes;
    base.addr += bytes;
    sites_encoding = (uint8_t)get_bytes(&c, 1);
    bytes = get_leb(&c, false);
    if (c.bad || bytes > (uint64_t)(c.end - c.p))
        return true;
    start = actions = c;
    actions.p += bytes;
    actions.addr += bytes;
    c.end = actions.p;
    while (!c.bad && c.p < c.end && f->budget) {
        uint64_t action, index;

        for (int i = 0; i < 3; i++) /* begin, length, landing pad */
            get_format(&c, sites_encoding);
        action = get_leb(&c, false);
        index = action ? highest_of_chain(f, &actions, action - 1, &base) : 0;
        if (index > highest)
            highest = index;
        f->budget -= f->budget > 0;
    }
    if (f->budget == 0)
        return repeats(f);
    if (base.addr < start.addr)
        return true;
    return add_types(f, function, start, base.addr, encoding, highest);
}

static bool add_fde(struct frames *f, const Elf_Data *data, const Dwarf_FDE *fde) {
    const struct cie *cie = find_cie(f, fde->CIE_pointer);
    struct cursor c = cursor_in(f, data, fde->start, fde->end);
    struct sr_object *o = f->b->o;
    uint64_t lo, bytes, size, lsda = 0;
    struct sr_fde *p;

    if (!cie || (cie->code_encoding & DW_EH_PE_indirect))
        return true;
    lo = get_pointer(&c, cie->code_encoding, f->b->dyn.tag[DT_PLTGOT], 0);
    bytes = get_format(&c, cie->code_encoding);
    if (c.bad || bytes == 0 || !sr_object_is_code(o, lo))
        return true;
    p = sr_object_room(o->fdes, o->n_fdes, &f->fdes_room, sizeof *p);
    if (!p)
        return sr_object_no_memory(f->b);
    o->fdes = p;
    o->fdes[o->n_fdes++] =
        (struct sr_fde){lo, bytes < SR_ADDRESS_END ? lo + bytes : SR_ADDRESS_END};
    if (cie->personality && !add_handler(f, lo, cie->personality, cie->personality_slot))
        return false;
    if (!cie->sized || cie->lsda_encoding == DW_EH_PE_omit)
        return true;
    size = get_leb(&c, false);
    if (!c.bad && size <= (uint64_t)(c.end - c.p)) {
        c.end = c.p + size;
        lsda = get_pointer(&c, cie->lsda_encoding & 0x7f, f->b->dyn.tag[DT_PLTGOT], lo);
    }
    return c.bad || lsda == 0 || (cie->lsda_encoding & DW_EH_PE_indirect) || read_lsda(f, lo, lsda);
}

static bool walk(struct frames *f, const uint8_t *bytes, size_t size) {
    Elf_Data data = {
        .d_buf = (void *)bytes, .d_size = size, .d_type = ELF_T_BYTE, .d_version = EV_CURRENT};
    Dwarf_Off at = 0, next;
    Dwarf_CFI_Entry entry;
    int result;

    while ((result = dwarf_next_cfi(f->b->image, &data, true, at, &next, &entry)) <= 0) {
        /* Of an entry that libdw does not understand it still says where it ends. */
        if (next <= at || next > size)
            break;
        if (result == 0 && dwarf_cfi_cie_p(&entry)) {
            if (!add_cie(f, &data, at, &entry.cie))
                return false;
        } else if (result == 0 && !add_fde(f, &data, &entry.fde)) {
            return false;
        }
        at = next;
    }
    return sr_object_border(f->b, f->addr, at);
}

static int by_lo(const void *x, const void *y) {
    const struct sr_fde *a = x, *c = y;

    if (a->lo != c->lo)
        return a->lo < c->lo ? -1 : 1;
    return a->hi > c->hi ? -1 : a->hi < c->hi; /* the longer one first: it stays whole */
}

static int by_function(const void *x, const void *y) {
    const struct sr_handler *a = x, *c = y;

    if (a->function != c->function)
        return a->function < c->function ? -1 : 1;
    return a->to < c->to ? -1 : a->to > c->to;
}

/* Sorts, cuts what overlaps or leaves its segment, and moves handlers to the FDE that is left. */
static void tidy(struct sr_object *o) {
    size_t n = 0, fde = 0, handlers = 0, segment = 0;

    if (o->n_fdes > 1)
        qsort(o->fdes, o->n_fdes, sizeof *o->fdes, by_lo);
    for (size_t i = 0; i < o->n_fdes; i++) {
        struct sr_fde d = o->fdes[i];

        while (o->segments[segment].hi <= d.lo)
            segment++;
        if (d.hi > o->segments[segment].hi)
            d.hi = o->segments[segment].hi;
        if (n && d.lo < o->fdes[n - 1].hi)
            d.lo = o->fdes[n - 1].hi;
        if (d.lo < d.hi)
            o->fdes[n++] = d;
    }
    o->n_fdes = n;
    if (o->n_handlers > 1)
        qsort(o->handlers, o->n_handlers, sizeof *o->handlers, by_function);
    for (size_t i = 0; i < o->n_handlers; i++) {
        struct sr_handler h = o->handlers[i];

        while (fde < n && o->fdes[fde].hi <= h.function)
            fde++;
        if (fde == n)
            break;
        h.function = o->fdes[fde].lo;
        if (handlers && h.function == o->handlers[handlers - 1].function &&
            h.to == o->handlers[handlers - 1].to && h.slot == o->handlers[handlers - 1].slot)
            continue;
        o->handlers[handlers++] = h;
    }
    o->n_handlers = handlers;
}

/* Address of .eh_frame as .eh_frame_hdr says it; 0: it does not. */
static uint64_t frame_address(struct sr_object_build *b) {
    const Elf64_Phdr *ph = sr_object_phdr(b, PT_GNU_EH_FRAME);
    struct cursor c;
    uint8_t encoding;
    size_t left;

    if (!ph)
        return 0;
    c = (struct cursor){.p = sr_object_at(b->o, ph->p_vaddr, &left), .addr = ph->p_vaddr};
    if (!c.p)
        return 0;
    c.end = c.p + left;
    if (get_bytes(&c, 1) != 1)
        return 0;
    encoding = (uint8_t)get_bytes(&c, 1);
    get_bytes(&c, 2); /* encodings of the count and of the search table */
    return encoding == DW_EH_PE_omit ? 0 : get_pointer(&c, encoding, ph->p_vaddr, 0);
}

/* .eh_frame is PROGBITS for most linkers and UNWIND for some. */
static const struct sr_object_section *frame_section(const struct sr_object_build *b) {
    for (size_t i = 0; i < b->n_sections; i++)
        if (strcmp(b->sections[i].name, ".eh_frame") == 0 && (b->sections[i].flags & SHF_ALLOC))
            return &b->sections[i];
    return NULL;
}

bool sr_object_read_frames(struct sr_object_build *b) {
    const struct sr_object_section *s = frame_section(b);
    struct frames f = {.b = b, .addr = frame_address(b), .budget = 4 * (uint64_t)b->size};
    const Elf64_Phdr *ph = sr_object_phdr(b, PT_GNU_EH_FRAME);
    const uint8_t *p;
    size_t left;
    bool ok;

    if (ph && !sr_object_border(b, ph->p_vaddr, ph->p_memsz))
        return false;
    if (f.addr == 0 && s)
        f.addr = s->addr;
    p = sr_object_at(b->o, f.addr, &left);
    if (!p)
        return true;
    if (s && s->addr == f.addr && s->size < left)
        left = s->size;
    ok = walk(&f, p, left);
    free(f.cies);
    if (ok)
        tidy(b->o);
    return ok;
}
