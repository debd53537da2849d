/*
 * The scan of an object's code, see code.h: a linear sweep of every FDE, then what references lead
 * to and the sweep did not meet, from a worklist, until nothing is new.
 *
 * Three bitmaps with a bit per byte of code keep the time linear: where instructions were decoded,
 * where references lead, and where functions begin that have no FDE.
 */
#include "code.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"

#define CODE_MAX (UINT64_C(1) << 32) /* bytes of code in an object that are looked at */

/* The FDE, or the room between two of them, that an address is in. */
struct range {
    uint64_t lo, hi;
    bool fde;
};

const struct area *sr_scan_area(const struct scan *s, uint64_t addr) {
    size_t lo = 0, hi = s->n_areas;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (s->areas[mid].lo <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && addr < s->areas[lo - 1].hi ? &s->areas[lo - 1] : NULL;
}

uint64_t sr_scan_bit(const struct scan *s, uint64_t addr) {
    const struct area *a = sr_scan_area(s, addr);

    return a ? a->first_bit + (addr - a->lo) : UINT64_MAX;
}

void *sr_scan_grow(struct scan *s, void *array, size_t n, size_t *room, size_t size) {
    size_t more = *room ? *room * 2 : 256;
    void *bigger;

    if (n < *room)
        return array;
    bigger = more > SIZE_MAX / size ? NULL : realloc(array, more * size);
    if (!bigger) {
        s->failed = true;
        return array;
    }
    *room = more;
    return bigger;
}

void sr_scan_add_ref(struct scan *s, const struct sr_ref *r) {
    s->code.refs =
        sr_scan_grow(s, s->code.refs, s->code.n_refs, &s->room_refs, sizeof *s->code.refs);
    if (!s->failed)
        s->code.refs[s->code.n_refs++] = *r;
}

static void add_site(struct scan *s, uint64_t at, int8_t kind) {
    s->code.sites =
        sr_scan_grow(s, s->code.sites, s->code.n_sites, &s->room_sites, sizeof *s->code.sites);
    if (!s->failed)
        s->code.sites[s->code.n_sites++] = (struct sr_entry_site){.at = at, .kind = (uint8_t)kind};
}

/* Some reference leads there; head: to where a function begins, as far as one can tell. */
static void want(struct scan *s, uint64_t addr, bool head) {
    uint64_t bit = sr_scan_bit(s, addr);

    if (bit == UINT64_MAX)
        return;
    if (head)
        set_bit(s->heads, bit);
    if (get_bit(s->wanted, bit))
        return;
    set_bit(s->wanted, bit);
    if (!s->following || get_bit(s->code.starts, bit))
        return;
    s->todo = sr_scan_grow(s, s->todo, s->n_todo, &s->room_todo, sizeof *s->todo);
    if (!s->failed)
        s->todo[s->n_todo++] = addr;
}

static bool find_stub(const struct scan *s, uint64_t addr, uint64_t *slot) {
    const struct area *a = sr_scan_area(s, addr);

    return a && sr_instr_stub(a->bytes + (addr - a->lo), (size_t)(a->hi - addr), addr, slot);
}

/* Where a reference leads, or to the slot of the stub that is there. */
static void add_to_code(struct scan *s, struct sr_ref r, bool head) {
    if (find_stub(s, r.to, &r.to))
        r.slot = true;
    else
        want(s, r.to, head);
    sr_scan_add_ref(s, &r);
}

/* Code without FDEs is not swept: what a jump table there leads to must be followed. */
static void follow_table(struct scan *s, const struct range *range, uint64_t addr) {
    struct sr_table t;

    if (!sr_table_open(s->code.object, addr, false, &t))
        return;
    for (size_t i = 0; i < t.n && s->table_budget > 0; i++, s->table_budget--) {
        uint64_t to = sr_table_entry(&t, i);

        if (to < range->lo || to >= range->hi)
            return;
        want(s, to, false);
    }
}

static bool decode(const struct scan *s, const struct area *a, uint64_t at, struct sr_instr *in) {
    return sr_instr_decode(&s->decoder, a->bytes + (at - a->lo), (size_t)(a->hi - at), at, in);
}

/* Notes what the instruction at `at` says. */
static void note(struct scan *s, const struct area *a, const struct range *range, uint64_t at,
                 const struct sr_instr *in) {
    struct sr_ref r = {.from = at, .to = in->target};

    set_bit(s->code.starts, a->first_bit + (at - a->lo));
    s->code.bytes += in->length;
    s->code.instructions++;
    for (unsigned i = 0; i < in->n_refs; i++) {
        if (in->refs[i].kind == SR_REF_CODE)
            add_to_code(s, in->refs[i], true);
        else
            sr_scan_add_ref(s, &in->refs[i]);
        if (in->refs[i].kind != SR_REF_READ && !in->refs[i].slot && !range->fde)
            follow_table(s, range, in->refs[i].to);
    }
    if (in->site >= 0)
        add_site(s, at, in->site);
    if (in->indirect) {
        r.kind = in->flow == SR_FLOW_CALL ? MARK_CALL : MARK_JUMP;
        sr_scan_add_ref(s, &r);
    } else if (in->direct && in->flow == SR_FLOW_CALL) {
        r.kind = SR_REF_CALL;
        add_to_code(s, r, true);
    } else if (in->direct) {
        bool inside = r.to >= range->lo && r.to < range->hi;

        r.kind = SR_REF_JUMP;
        if (inside && range->fde)
            want(s, r.to, false);
        else
            add_to_code(s, r, !inside);
    }
}

/* Behind an FDE's last instruction. A compiler that ends a function with a call knows that it does
 * not return. */
static void leave(struct scan *s, uint64_t last, uint64_t at, const struct sr_instr *in) {
    if (in->flow != SR_FLOW_NEXT && in->flow != SR_FLOW_BRANCH)
        return;
    want(s, at, false);
    sr_scan_add_ref(s, &(struct sr_ref){.from = last, .to = at, .kind = SR_REF_FALL});
}

/* Padding, nops behind a jump or ret, is no code unless something jumps there, which is then
 * followed like any other entry. */
static void sweep(struct scan *s, const struct sr_function *f) {
    const struct area *a = sr_scan_area(s, f->lo);
    struct range range = {f->lo, f->hi, true};
    struct sr_instr in, before = {.flow = SR_FLOW_NEXT};
    uint64_t last = f->lo, at = f->lo;

    while (at < f->hi) {
        if (!decode(s, a, at, &in)) {
            before.flow = SR_FLOW_STOP;
            s->code.undecoded++;
            at++;
            continue;
        }
        if (!in.nop || (before.flow != SR_FLOW_STOP && before.flow != SR_FLOW_JUMP)) {
            note(s, a, &range, at, &in);
            before = in;
            last = at;
        }
        at += in.length;
    }
    leave(s, last, at, &before);
}

/* s->code.functions are the FDEs while this is used. */
static struct range range_of(const struct scan *s, const struct area *a, uint64_t addr) {
    const struct sr_function *f = s->code.functions;
    size_t lo = 0, hi = s->code.n_functions;
    struct range r = {a->lo, a->hi, false};

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (f[mid].lo <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo > 0 && addr < f[lo - 1].hi)
        return (struct range){f[lo - 1].lo, f[lo - 1].hi, true};
    if (lo > 0 && f[lo - 1].hi > r.lo)
        r.lo = f[lo - 1].hi;
    if (lo < s->code.n_functions && f[lo].lo < r.hi)
        r.hi = f[lo].lo;
    return r;
}

/* The borders nearest to addr: no function crosses one. */
static void within_borders(const struct sr_object *o, uint64_t addr, uint64_t *lo, uint64_t *hi) {
    size_t a = 0, b = o->n_borders;

    while (a < b) {
        size_t mid = a + (b - a) / 2;

        if (o->borders[mid] <= addr)
            a = mid + 1;
        else
            b = mid;
    }
    if (a > 0 && o->borders[a - 1] > *lo)
        *lo = o->borders[a - 1];
    if (a < o->n_borders && o->borders[a] < *hi)
        *hi = o->borders[a];
}

/*
 * Around an indirect jump without FDE: where it leads is not known (labels whose differences lie in
 * a table), so all that follows the function's begin counts as its code, up to where another
 * begins. Data among it is taken for code; that adds, and leaves nothing out.
 */
static void follow_blindly(struct scan *s, const struct area *a, const struct range *range,
                           uint64_t jump) {
    uint64_t at = jump, slot, lo = range->lo, hi = range->hi;
    struct sr_instr in;

    if (jump >= s->blind_lo && jump < s->blind_hi)
        return;
    within_borders(s->code.object, jump, &lo, &hi);
    while (at > lo && !get_bit(s->heads, a->first_bit + (at - a->lo)) && s->blind_budget > 0)
        at--, s->blind_budget--;
    s->blind_lo = at;
    for (; at < hi && s->blind_budget > 0; at += in.length) {
        uint64_t bit = a->first_bit + (at - a->lo);

        if (at > jump && get_bit(s->heads, bit))
            break;
        if (!decode(s, a, at, &in))
            in.length = 1;
        else if (!get_bit(s->code.starts, bit) && !in.nop && !find_stub(s, at, &slot))
            note(s, a, range, at, &in);
        s->blind_budget -= in.length < s->blind_budget ? in.length : s->blind_budget;
    }
    s->blind_hi = at;
}

/* From an entry to the end of what comes behind it, or to what is known already. */
static void follow(struct scan *s, uint64_t at) {
    const struct area *a = sr_scan_area(s, at);
    struct range range = range_of(s, a, at);
    struct sr_instr in = {.flow = SR_FLOW_STOP};
    uint64_t last = at;

    while (at < range.hi && !get_bit(s->code.starts, a->first_bit + (at - a->lo))) {
        if (!decode(s, a, at, &in))
            return;
        note(s, a, &range, at, &in);
        if (in.indirect && in.flow == SR_FLOW_JUMP && !range.fde)
            follow_blindly(s, a, &range, at);
        if (in.flow == SR_FLOW_STOP || in.flow == SR_FLOW_JUMP)
            return;
        last = at;
        at += in.length;
    }
    if (at >= range.hi && range.fde)
        leave(s, last, at, &in);
}

static void follow_all(struct scan *s) {
    for (size_t i = 0; i < s->n_areas; i++) {
        const struct area *a = &s->areas[i];

        for (uint64_t b = 0; b < a->hi - a->lo; b++) {
            uint64_t bit = a->first_bit + b;
            uint8_t byte = (uint8_t)(s->wanted[bit / 8] & ~s->code.starts[bit / 8]);

            if (byte == 0)
                b |= 7;
            else if (get_bit(&byte, bit % 8)) {
                s->todo = sr_scan_grow(s, s->todo, s->n_todo, &s->room_todo, sizeof *s->todo);
                if (s->failed)
                    return;
                s->todo[s->n_todo++] = a->lo + b;
            }
        }
    }
    s->following = true;
    while (s->n_todo > 0 && !s->failed)
        follow(s, s->todo[--s->n_todo]);
}

/* Stubs are not functions: the address of one may be that of an undefined symbol. */
static void want_entry(struct scan *s, uint64_t addr) {
    uint64_t slot;

    if (!find_stub(s, addr, &slot))
        want(s, addr, true);
}

static void want_symbols(struct scan *s, const struct sr_symbol *symbols, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct sr_symbol *y = &symbols[i];

        if (y->defined && (y->type == STT_FUNC || y->type == STT_GNU_IFUNC ||
                           (y->type == STT_NOTYPE && y->bind != STB_LOCAL)))
            want_entry(s, y->value);
    }
}

/* What the object itself says is code. */
static void want_entries(struct scan *s) {
    const struct sr_object *o = s->code.object;

    if (o->entry)
        want_entry(s, o->entry);
    for (size_t i = 0; i < o->n_inits; i++)
        want_entry(s, o->inits[i]);
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE || o->relocs[i].kind == SR_RELOC_IRELATIVE)
            want_entry(s, o->relocs[i].target);
    for (size_t i = 0; i < o->n_handlers; i++)
        if (!o->handlers[i].slot)
            want_entry(s, o->handlers[i].to);
    want_symbols(s, o->dynsym, o->n_dynsym);
    want_symbols(s, o->symtab, o->n_symtab);
}

static bool make_areas(struct scan *s) {
    const struct sr_object *o = s->code.object;

    s->areas = calloc(o->n_segments + 1, sizeof *s->areas);
    if (!s->areas)
        return false;
    for (size_t i = 0; i < o->n_segments; i++) {
        const struct sr_segment *g = &o->segments[i];

        if (!g->exec || g->file_bytes == 0)
            continue;
        if (g->file_bytes > CODE_MAX - s->n_bits || g->file_bytes > UINT64_MAX - 16 - g->lo)
            return false;
        s->areas[s->n_areas++] = (struct area){g->lo, g->lo + g->file_bytes, s->n_bits, g->bytes};
        s->n_bits += (g->file_bytes + 7) & ~UINT64_C(7);
    }
    s->code.starts = calloc(s->n_bits / 8 + 1, 1);
    s->wanted = calloc(s->n_bits / 8 + 1, 1);
    s->heads = calloc(s->n_bits / 8 + 1, 1);
    s->table_budget = s->n_bits + SR_TABLE_MAX;
    s->blind_budget = 4 * s->n_bits;
    return s->code.starts && s->wanted && s->heads;
}

/* PLTs have FDEs but are no functions. */
static bool take_fdes(struct scan *s) {
    const struct sr_object *o = s->code.object;

    s->room_functions = o->n_fdes + 1;
    s->code.functions = calloc(s->room_functions, sizeof *s->code.functions);
    if (!s->code.functions)
        return false;
    for (size_t i = 0; i < o->n_fdes; i++) {
        const struct area *a = sr_scan_area(s, o->fdes[i].lo);
        struct sr_function f = {.lo = o->fdes[i].lo, .hi = o->fdes[i].hi, .fde = true};

        if (!a)
            continue;
        if (f.hi > a->hi)
            f.hi = a->hi;
        if (!sr_instr_is_plt(a->bytes + (f.lo - a->lo), (size_t)(f.hi - f.lo), f.lo))
            s->code.functions[s->code.n_functions++] = f;
    }
    return true;
}

struct sr_code *sr_code_scan(const struct sr_object *o) {
    struct scan *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->code.object = o;
    sr_decoder_init(&s->decoder, o);
    s->failed = !make_areas(s) || !take_fdes(s);
    for (size_t i = 0; !s->failed && i < s->code.n_functions; i++)
        sweep(s, &s->code.functions[i]);
    s->n_swept = s->code.n_refs;
    if (!s->failed) {
        want_entries(s);
        follow_all(s);
    }
    if (!s->failed)
        sr_scan_make_functions(s);
    if (!s->failed)
        sr_scan_finish(s);
    free(s->todo);
    free(s->wanted);
    free(s->heads);
    s->todo = NULL;
    s->wanted = s->heads = NULL;
    if (s->failed) {
        sr_code_free(&s->code);
        return NULL;
    }
    return &s->code;
}

void sr_code_free(struct sr_code *c) {
    struct scan *s = (struct scan *)c;

    if (!c)
        return;
    free(s->areas);
    free(c->functions);
    free(c->refs);
    free(c->sites);
    free(c->starts);
    free(s);
}

bool sr_code_is_start(const struct sr_code *c, uint64_t addr) {
    uint64_t bit = sr_scan_bit((const struct scan *)c, addr);

    return bit != UINT64_MAX && get_bit(c->starts, bit);
}

int64_t sr_code_function(const struct sr_code *c, uint64_t addr) {
    size_t lo = 0, hi = c->n_functions;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (c->functions[mid].lo <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && addr < c->functions[lo - 1].hi ? (int64_t)lo - 1 : -1;
}

bool sr_code_stub(const struct sr_object *o, uint64_t addr, uint64_t *slot) {
    size_t left;
    const uint8_t *bytes = sr_object_is_code(o, addr) ? sr_object_at(o, addr, &left) : NULL;

    return bytes && sr_instr_stub(bytes, left, addr, slot);
}
