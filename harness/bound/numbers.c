/*
 * The questions of numbers.h, put to the search (track.h).
 */
#include "numbers.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "track.h"

struct sr_numbers {
    const struct sr_code *code;
    struct sr_flows *flows;
    struct sr_track *track;
};

int sr_numbers_arg_register(unsigned arg) {
    static const int
        registers[SR_ARG_REGISTERS] = {SR_REG_RDI, SR_REG_RSI, SR_REG_RDX, SR_REG_RCX,
                                       SR_REG_R8,  SR_REG_R9,  SR_REG_RAX, 3,
                                       5,          10,         11,         12,
                                       13,         14,         15}; /* then rbx, rbp, r10 to r15 */

    return arg < SR_ARG_REGISTERS ? registers[arg] : -1;
}

struct sr_numbers *sr_numbers_new(const struct sr_code *code) {
    struct sr_numbers *n = calloc(1, sizeof *n);

    if (!n)
        return NULL;
    n->code = code;
    n->flows = sr_flows_new(code);
    n->track = n->flows ? sr_track_new(n->flows) : NULL;
    if (!n->track) {
        sr_numbers_free(n);
        return NULL;
    }
    return n;
}

void sr_numbers_free(struct sr_numbers *n) {
    if (!n)
        return;
    sr_track_free(n->track);
    sr_flows_free(n->flows);
    free(n);
}

static void unknown(struct sr_origins *out, uint64_t at, const char *why) {
    const struct sr_origin o = {.kind = SR_ORIGIN_UNKNOWN, .at = at, .why = why};

    sr_track_add(out, &o);
}

/* The function and the instruction at addr. False: *out says why not. */
static bool locate(struct sr_numbers *n, uint64_t addr, const struct sr_flow **w, uint32_t *index,
                   struct sr_origins *out) {
    int64_t i;

    out->n = 0;
    out->overflow = false;
    *w = sr_flows_get(n->flows, sr_code_function(n->code, addr));
    i = *w ? sr_flow_find(*w, addr) : -1;
    if (i < 0) {
        unknown(out, addr, *w ? "no instruction begins there" : "code that is not followed");
        return false;
    }
    *index = (uint32_t)i;
    return true;
}

/* What is the search's own kind is not for others to see. */
static void settle(struct sr_origins *out) {
    for (size_t i = 0; i < out->n; i++)
        if (out->o[i].kind == SR_ORIGIN_STACK)
            out->o[i] = (struct sr_origin){
                .kind = SR_ORIGIN_UNKNOWN, .at = out->o[i].at, .why = "an address of the stack"};
}

static void settle_into(struct sr_origins *out, struct sr_origins *from) {
    settle(from);
    for (size_t i = 0; i < from->n; i++)
        sr_track_add(out, &from->o[i]);
    out->overflow |= from->overflow;
}

void sr_numbers_register(struct sr_numbers *n, uint64_t addr, int reg, struct sr_origins *out) {
    const struct sr_flow *w;
    uint32_t index;

    if (!locate(n, addr, &w, &index, out))
        return;
    sr_track_begin(n->track);
    sr_track_run(n->track, w, index, (struct sr_loc){.reg = (uint8_t)reg}, 4, 0, out);
    settle(out);
}

void sr_numbers_pointee(struct sr_numbers *n, uint64_t addr, int reg, int64_t offset,
                        struct sr_origins *out) {
    const struct sr_flow *w;
    uint32_t index;
    struct sr_origins pointers, words;

    if (!locate(n, addr, &w, &index, out))
        return;
    sr_track_begin(n->track);
    sr_track_run(n->track, w, index, (struct sr_loc){.reg = (uint8_t)reg}, 8, 0, &pointers);
    for (size_t i = 0; i < pointers.n; i++) {
        struct sr_origin p = pointers.o[i];
        int64_t off = (int64_t)((uint64_t)p.value + (uint64_t)offset);
        struct sr_loc slot = {.slot = true, .place = {(int64_t)p.address, off}};

        if (p.kind == SR_ORIGIN_STACK) {
            sr_track_run(n->track, w, index, slot, 4, 0, &words);
            settle_into(out, &words);
            continue;
        }
        if (p.kind == SR_ORIGIN_ARG) {
            p.kind = SR_ORIGIN_ARG_MEM;
            p.value = 0;
            p.offset = off;
        } else if (p.kind == SR_ORIGIN_CONST) {
            p = sr_track_word(n->code->object, (uint64_t)off, 4);
            p.at = pointers.o[i].at;
        } else if (p.kind == SR_ORIGIN_GLOBAL) {
            p.kind = SR_ORIGIN_GLOBAL_MEM;
            p.offset = offset;
        } else if (p.kind != SR_ORIGIN_UNKNOWN) {
            unknown(out, p.at, "behind a chain of pointers");
            continue;
        }
        sr_track_add(out, &p);
    }
    out->overflow |= pointers.overflow;
}

/* What the instruction at `from` stores to address, if it does. */
static void stored(struct sr_numbers *n, const struct sr_ref *ref, uint64_t address,
                   struct sr_origins *out) {
    const struct sr_flow *w;
    uint32_t index;
    struct sr_insn insn;
    struct sr_origins values;
    const ZydisDecodedOperand *from;
    uint64_t to;
    unsigned d = 0;

    if (!locate(n, ref->from, &w, &index, &values) || !sr_flow_load(n->flows, w, index, &insn)) {
        unknown(out, ref->from, "code that is not followed");
        return;
    }
    while (d < insn.i.operand_count &&
           !(insn.op[d].type == ZYDIS_OPERAND_TYPE_MEMORY &&
             (insn.op[d].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) &&
             sr_effect_absolute(&insn, &insn.op[d], &to) && to == ref->to))
        d++;
    if (d == insn.i.operand_count)
        return;
    from = &insn.op[d == 1 ? 0 : 1];
    if ((insn.i.mnemonic != ZYDIS_MNEMONIC_MOV && insn.i.mnemonic != ZYDIS_MNEMONIC_XCHG &&
         insn.i.mnemonic != ZYDIS_MNEMONIC_CMPXCHG) ||
        ref->to != address || insn.op[d].size < 32 || insn.op[d].size > 64) {
        unknown(out, insn.at, "changed in place, or in parts");
        return;
    }
    sr_track_begin(n->track);
    sr_track_source(n->track, w, index, from, 1, &values);
    settle_into(out, &values);
}

/* The word's value before anything is stored to it. */
static void initial(const struct sr_numbers *n, uint64_t address, struct sr_origins *out) {
    const struct sr_object *o = n->code->object;
    const struct sr_reloc *r = sr_object_reloc(o, address);
    struct sr_origin value = {.kind = SR_ORIGIN_CONST, .at = address};
    size_t left = 0;
    const uint8_t *p = sr_object_at(o, address, &left);

    if (r && r->kind != SR_RELOC_RELATIVE) {
        unknown(out, address, "set by the loader");
        return;
    }
    if (r)
        value.value = (int64_t)r->target;
    else if (p)
        memcpy(&value.value, p, left < sizeof value.value ? left : sizeof value.value);
    sr_track_add(out, &value);
}

/* The lowest begin of a sized symbol that covers address; address itself where none does. A pointer
 * between the two leads to it. */
static uint64_t object_begin(const struct sr_object *o, uint64_t address) {
    size_t n = o->n_symtab + o->n_dynsym;
    uint64_t lo = address;

    for (size_t i = 0; i < n; i++) {
        const struct sr_symbol *s = i < o->n_symtab ? &o->symtab[i] : &o->dynsym[i - o->n_symtab];

        if (s->defined && s->type == STT_OBJECT && s->value < lo && address - s->value < s->size)
            lo = s->value;
    }
    return lo;
}

static bool is_exported(const struct sr_object *o, uint64_t address) {
    for (size_t i = 0; i < o->n_dynsym; i++)
        if (o->dynsym[i].defined && o->dynsym[i].type == STT_OBJECT &&
            address >= o->dynsym[i].value && address - o->dynsym[i].value < o->dynsym[i].size)
            return true;
    return false;
}

void sr_numbers_global(struct sr_numbers *n, uint64_t address, struct sr_origins *out) {
    const struct sr_code *c = n->code;
    const struct sr_object *o = c->object;
    uint64_t lo = object_begin(o, address);

    out->n = 0;
    out->overflow = false;
    initial(n, address, out);
    for (size_t i = 0; i < c->n_refs; i++) {
        const struct sr_ref *r = &c->refs[i];

        if (r->kind == SR_REF_READ && r->to < address + 8 && r->to + r->bytes > address)
            stored(n, r, address, out);
        else if (r->kind == SR_REF_DATA && r->to >= lo && r->to <= address)
            unknown(out, r->from, "its address is taken");
    }
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE && o->relocs[i].target >= lo &&
            o->relocs[i].target <= address)
            unknown(out, o->relocs[i].where, "a pointer in data leads to it");
    if (is_exported(o, address))
        unknown(out, address, "other objects may change it");
}
