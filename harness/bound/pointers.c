/*
 * Which calls through pointers may lead to a function, see pointers.h.
 *
 * A function that no other object can name is called from its own object only, unless that hands
 * its address to others; docs/bound.md says what is assumed. The words that hold its address are
 * known. A call through [register + offset] may read one of them only if the place `offset` before
 * it is one that something in the object points to.
 */
#include "pointers.h"

#include <Zydis/Zydis.h>
#include <elf.h>
#include <stdlib.h>

#define WORDS_MAX 64

struct pointers {
    const struct sr_reach *r;
    const struct sr_code *code;
    struct sr_numbers *numbers;
    uint64_t words[WORDS_MAX]; /* that hold the function's address */
    size_t n_words;
    uint64_t *names; /* sorted */
    size_t n_names;
};

static bool is_private(const struct sr_object *o, uint64_t at) {
    if (o->entry == at)
        return false;
    for (size_t i = 0; i < o->n_inits; i++)
        if (o->inits[i] == at)
            return false;
    for (size_t i = 1; i < o->n_dynsym; i++)
        if (o->dynsym[i].defined && o->dynsym[i].value == at)
            return false;
    return true;
}

/* False: an instruction takes the address, or very many words hold it: it may be anywhere. */
static bool find_words(struct pointers *p, uint64_t lo) {
    const struct sr_object *o = p->code->object;

    for (size_t i = 0; i < p->code->n_refs; i++)
        if (p->code->refs[i].kind == SR_REF_CODE && !p->code->refs[i].slot &&
            p->code->refs[i].to == lo)
            return false;
    for (size_t i = 0; i < o->n_relocs; i++) {
        if (o->relocs[i].kind != SR_RELOC_RELATIVE || o->relocs[i].target != lo)
            continue;
        if (p->n_words == WORDS_MAX)
            return false;
        p->words[p->n_words++] = o->relocs[i].where;
    }
    return true;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* What instructions, words and symbols point to, sorted. False: out of memory. */
static bool find_names(struct pointers *p) {
    const struct sr_object *o = p->code->object;
    size_t n = 0;

    p->names = malloc((p->code->n_refs + o->n_relocs + o->n_dynsym + 1) * sizeof *p->names);
    if (!p->names)
        return false;
    for (size_t i = 0; i < p->code->n_refs; i++)
        if (p->code->refs[i].kind == SR_REF_DATA)
            p->names[n++] = p->code->refs[i].to;
    for (size_t i = 0; i < o->n_relocs; i++)
        if (o->relocs[i].kind == SR_RELOC_RELATIVE)
            p->names[n++] = o->relocs[i].target;
    for (size_t i = 1; i < o->n_dynsym; i++)
        if (o->dynsym[i].defined)
            p->names[n++] = o->dynsym[i].value;
    qsort(p->names, n, sizeof *p->names, by_value);
    p->n_names = n;
    return true;
}

static bool is_named(const struct pointers *p, uint64_t at) {
    return bsearch(&at, p->names, p->n_names, sizeof at, by_value);
}

static bool reads_word(const struct pointers *p, uint64_t address) {
    for (size_t i = 0; i < p->n_words; i++)
        if (p->words[i] == address)
            return true;
    return false;
}

static bool offset_fits(const struct pointers *p, int64_t offset) {
    for (size_t i = 0; i < p->n_words; i++)
        if (is_named(p, p->words[i] - (uint64_t)offset))
            return true;
    return false;
}

/* Through a register: where it was loaded from may rule the function out. */
static bool register_fits(const struct pointers *p, uint64_t at, int reg) {
    struct sr_origins origins;

    sr_numbers_register(p->numbers, at, reg, &origins);
    if (origins.overflow)
        return true;
    for (size_t i = 0; i < origins.n; i++) {
        const struct sr_origin *o = &origins.o[i];
        bool word = o->kind == SR_ORIGIN_GLOBAL;
        bool fits = !word || reads_word(p, o->address);

        if (fits && !(o->kind == SR_ORIGIN_ARG_MEM && !offset_fits(p, o->offset)))
            return true;
    }
    return false;
}

static bool may_lead(const struct pointers *p, uint64_t at, const ZydisDecodedOperand *op) {
    if (op->type == ZYDIS_OPERAND_TYPE_REGISTER)
        return register_fits(p, at, ZydisRegisterGetId(op->reg.value));
    if (op->type != ZYDIS_OPERAND_TYPE_MEMORY)
        return false;
    if (op->mem.base == ZYDIS_REGISTER_RIP)
        return false; /* a direct call through a known word */
    if (op->mem.index != ZYDIS_REGISTER_NONE)
        return true;
    return offset_fits(p, op->mem.disp.value);
}

static void look_into(const struct pointers *p, const struct sr_function *f, uint32_t node,
                      sr_pointer_visit *visit, void *ctx) {
    ZydisDecoder decoder;
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (uint64_t at = f->lo; at < f->hi; at++) {
        size_t left;
        const uint8_t *bytes = sr_object_at(p->code->object, at, &left);

        if (!bytes || !sr_code_is_start(p->code, at) ||
            !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, left, &insn, op)))
            continue;
        if ((insn.mnemonic == ZYDIS_MNEMONIC_CALL || insn.mnemonic == ZYDIS_MNEMONIC_JMP) &&
            may_lead(p, at, &op[0]))
            visit(ctx, node, at);
    }
}

bool sr_pointer_calls(const struct sr_reach *r, uint32_t function, struct sr_numbers *numbers,
                      sr_pointer_visit *visit, void *ctx) {
    const struct sr_graph *g = r->g;
    uint32_t object = sr_graph_object(g, function);
    struct pointers p = {.r = r, .code = g->code[object], .numbers = numbers};
    uint64_t lo = sr_graph_address(g, function);

    if (!is_private(p.code->object, lo) || !find_words(&p, lo) || !find_names(&p))
        return false;
    for (size_t i = 0; i < p.code->n_functions; i++) {
        const struct sr_function *f = &p.code->functions[i];
        uint32_t node = g->functions[object] + (uint32_t)i;

        if (r->nodes[node].depth && (f->indirect_call || f->indirect_jump))
            look_into(&p, f, node, visit, ctx);
    }
    free(p.names);
    return true;
}
