/*
 * Words read from memory, for the search in track.c: of constant data, of tables, of the stack,
 * behind arguments and global pointers.
 */
#include "track_private.h"

struct sr_origin sr_track_word(const struct sr_object *o, uint64_t addr, unsigned width) {
    struct sr_origin r = {.kind = SR_ORIGIN_GLOBAL, .address = addr};
    const struct sr_segment *seg = NULL;
    const struct sr_reloc *reloc = sr_object_reloc(o, addr);
    size_t left = 0;
    const uint8_t *p = sr_object_at(o, addr, &left);

    for (size_t i = 0; i < o->n_segments && !seg; i++)
        if (addr >= o->segments[i].lo && addr < o->segments[i].hi)
            seg = &o->segments[i];
    if (!seg) {
        r.kind = SR_ORIGIN_UNKNOWN;
        r.address = 0;
        r.why = "read from an address outside of the object";
        return r;
    }
    if (seg->write || reloc || !p || left < width)
        return r;
    r.kind = SR_ORIGIN_CONST;
    r.address = 0;
    for (unsigned i = 0; i < width && i < 8; i++)
        r.value = (int64_t)((uint64_t)r.value | (uint64_t)p[i] << (8 * i));
    return r;
}

static void emit_word(struct sr_search *s, uint64_t at, uint64_t addr, unsigned width,
                      uint32_t chain) {
    struct sr_origin o = sr_track_word(sr_flows_code(sr_track_flows(s->t))->object, addr, width);

    o.at = at;
    sr_search_emit(s, chain, o);
}

/* Stores of the function itself to the word behind its argument: flow-insensitive. */
static void own_stores(struct sr_search *s, const struct sr_flow *w, const struct sr_origin *word,
                       unsigned width, uint32_t chain) {
    for (uint32_t i = 0; i < w->n_insns; i++) {
        struct sr_insn n;
        struct sr_source src;
        struct sr_origins base;
        const ZydisDecodedOperand *to = &n.op[0];
        int64_t delta;

        if (!sr_track_spend(s->t)) {
            sr_search_unknown(s, w->insns[i].at, "too complex");
            return;
        }
        if (!sr_flow_load(sr_track_flows(s->t), w, i, &n) ||
            to->type != ZYDIS_OPERAND_TYPE_MEMORY ||
            !(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
            sr_effect_register(to->mem.base) < 0 || to->mem.index != ZYDIS_REGISTER_NONE ||
            sr_flow_place(&n, to).base != SR_BASE_NONE || to->mem.base == ZYDIS_REGISTER_RSP)
            continue;
        delta = word->offset - to->mem.disp.value;
        if (delta >= to->size / 8 || delta + (int64_t)width <= 0)
            continue;
        sr_search_ask(s, w, i, to->mem.base, &base);
        for (size_t k = 0; k < base.n; k++) {
            if (base.o[k].kind != SR_ORIGIN_ARG || base.o[k].reg != word->reg ||
                base.o[k].function != word->function || base.o[k].value != 0)
                continue;
            if (n.i.mnemonic != ZYDIS_MNEMONIC_MOV || delta || to->size / 8 < width ||
                !sr_effect_source(&n.op[1], &src))
                sr_search_unknown(s, n.at, "changed behind the argument");
            else
                sr_search_follow(s, w, i, &n, &src, width, chain);
        }
    }
}

/* A load through a register with origin p. */
static void load_through(struct sr_search *s, const struct sr_flow *w, uint32_t index, uint64_t at,
                         const struct sr_origin *p, int64_t disp, unsigned width, uint32_t chain) {
    struct sr_origin o = {.at = at, .reg = p->reg, .function = p->function};
    struct sr_loc slot = {.slot = true, .place = {(int64_t)p->address, p->value + disp}};

    switch (p->kind) {
    case SR_ORIGIN_CONST:
        emit_word(s, at, (uint64_t)p->value + (uint64_t)disp, width, chain);
        break;
    case SR_ORIGIN_STACK:
        sr_search_push(s, w, index, slot, width, chain);
        break;
    case SR_ORIGIN_ARG:
        o.kind = SR_ORIGIN_ARG_MEM;
        o.offset = (int64_t)((uint64_t)p->value + (uint64_t)disp);
        sr_search_emit(s, chain, o);
        if (w->index == o.function && s->depth < SR_TRACK_DEPTH - 1)
            own_stores(s, w, &o, width, chain);
        break;
    case SR_ORIGIN_GLOBAL:
        o.kind = SR_ORIGIN_GLOBAL_MEM;
        o.address = p->address;
        o.offset = disp;
        sr_search_emit(s, chain, o);
        break;
    default:
        sr_search_unknown(
            s, at, p->kind == SR_ORIGIN_UNKNOWN ? p->why : "read through a chain of pointers");
        break;
    }
}

/* table[index], with all values that the index can have. */
static void load_indexed(struct sr_search *s, const struct sr_flow *w, uint32_t index,
                         const struct sr_insn *n, const ZydisDecodedOperand *op, unsigned width,
                         uint32_t chain) {
    const ZydisDecodedOperandMem *m = &op->mem;
    struct sr_origins base = {.n = 1}, values;
    int64_t limit = sr_track_limit(s->t, w, index, sr_effect_register(m->index));
    uint64_t table;

    base.o[0] = (struct sr_origin){.kind = SR_ORIGIN_CONST};
    if (m->base != ZYDIS_REGISTER_NONE)
        sr_search_ask(s, w, index, m->base, &base);
    if (base.n != 1 || base.o[0].kind != SR_ORIGIN_CONST) {
        sr_search_unknown(s, n->at, "read from a table that is not constant");
        return;
    }
    table = (uint64_t)base.o[0].value + (uint64_t)m->disp.value;
    if (limit >= 0 && limit < SR_ORIGINS_MAX) {
        for (uint64_t i = 0; i <= (uint64_t)limit; i++)
            emit_word(s, n->at, table + i * m->scale, width, chain);
        return;
    }
    sr_search_ask(s, w, index, m->index, &values);
    for (size_t i = 0; i < values.n; i++)
        if (values.o[i].kind == SR_ORIGIN_CONST)
            emit_word(s, n->at, table + (uint64_t)values.o[i].value * m->scale, width, chain);
        else
            sr_search_unknown(s, n->at, "read from a table at an index that is not known");
    if (values.overflow || !values.n)
        sr_search_unknown(s, n->at, "read from a table at an index that is not known");
}

void sr_search_load(struct sr_search *s, const struct sr_flow *w, uint32_t index,
                    const struct sr_insn *n, const struct sr_source *src, uint32_t chain) {
    const ZydisDecodedOperandMem *m = &src->mem->mem;
    struct sr_loc slot = {.slot = true, .place = sr_flow_place(n, src->mem)};
    struct sr_origins base;
    uint64_t addr;

    if (m->segment == ZYDIS_REGISTER_FS || m->segment == ZYDIS_REGISTER_GS) {
        sr_search_unknown(s, n->at, "read from thread-local memory");
    } else if (sr_effect_absolute(n, src->mem, &addr)) {
        emit_word(s, n->at, addr, src->width, chain);
    } else if (s->depth + 1 >= SR_TRACK_DEPTH) {
        sr_search_unknown(s, n->at, "too complex");
    } else if (m->index != ZYDIS_REGISTER_NONE) {
        load_indexed(s, w, index, n, src->mem, src->width, chain);
    } else if (slot.place.base != SR_BASE_NONE) {
        sr_search_push(s, w, index, slot, src->width, chain);
    } else {
        sr_search_ask(s, w, index, m->base, &base);
        for (size_t i = 0; i < base.n; i++)
            load_through(s, w, index, n->at, &base.o[i], m->disp.value, src->width, chain);
        if (!base.n || base.overflow)
            sr_search_unknown(s, n->at, "read through a pointer that is not known");
    }
}
