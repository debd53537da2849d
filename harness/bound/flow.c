/*
 * Instructions of one function and their predecessors, see flow.h.
 *
 * Which addresses begin an instruction is known from code.h; here they are decoded once more, for
 * what follows what. Padding that nothing leads to is not a predecessor of what it stands before.
 * A jump table is every constant address that the function names whose words lead to code, up to
 * the first that does not: to read one too many costs a value too many at worst, never one too few.
 */
#include "flow.h"

#include <stdlib.h>
#include <string.h>

#define FUNCTION_MAX (UINT64_C(1) << 20) /* bytes */
#define TABLE_MAX    (1u << 16)          /* words of jump tables, for one function */
#define DEPTH_MAX    8                   /* functions that wait for each other's frames */

struct sr_flows {
    const struct sr_code *code;
    ZydisDecoder decoder;
    struct sr_flow **flows;     /* by function */
    struct sr_flow_note *notes; /* by function */
    struct sr_edges edges;
    unsigned depth;
};

struct sr_flows *sr_flows_new(const struct sr_code *code) {
    struct sr_flows *f = calloc(1, sizeof *f);

    if (!f)
        return NULL;
    f->code = code;
    f->flows = calloc(code->n_functions + 1, sizeof(struct sr_flow *));
    f->notes = calloc(code->n_functions + 1, sizeof *f->notes);
    if (!sr_edges_collect(&f->edges, code) || !f->flows || !f->notes ||
        ZYAN_FAILED(
            ZydisDecoderInit(&f->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
        sr_flows_free(f);
        return NULL;
    }
    return f;
}

static void flow_free(struct sr_flow *w) {
    if (!w)
        return;
    free(w->insns);
    free(w->preds);
    free(w->own);
    free(w->indirect);
    free(w);
}

void sr_flows_free(struct sr_flows *f) {
    if (!f)
        return;
    if (f->flows)
        for (size_t i = 0; i < f->code->n_functions; i++)
            flow_free(f->flows[i]);
    free(f->flows);
    free(f->notes);
    sr_edges_free(&f->edges);
    free(f);
}

const struct sr_code *sr_flows_code(const struct sr_flows *f) {
    return f->code;
}

struct sr_flow_note *sr_flows_note(struct sr_flows *f, int64_t function) {
    return &f->notes[function];
}

const struct sr_edge *sr_flow_outer(const struct sr_flows *f, uint64_t addr, size_t *n) {
    return sr_edges_to(&f->edges, addr, n);
}

int64_t sr_flow_find(const struct sr_flow *w, uint64_t addr) {
    uint32_t lo = 0, hi = w->n_insns;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (w->insns[mid].at < addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->n_insns && w->insns[lo].at == addr ? (int64_t)lo : -1;
}

bool sr_flow_load(const struct sr_flows *f, const struct sr_flow *w, uint32_t index,
                  struct sr_insn *out) {
    size_t left;
    const uint8_t *p = sr_object_at(f->code->object, w->insns[index].at, &left);

    out->at = w->insns[index].at;
    out->frame = w->insns[index].frame;
    return p && ZYAN_SUCCESS(ZydisDecoderDecodeFull(&f->decoder, p, left, &out->i, out->op));
}

static uint8_t kind_of(const ZydisDecodedInstruction *i) {
    switch (i->meta.category) {
    case ZYDIS_CATEGORY_COND_BR:
        return SR_FLOW_BRANCH;
    case ZYDIS_CATEGORY_CALL:
        return SR_FLOW_CALL;
    case ZYDIS_CATEGORY_RET:
        return SR_FLOW_STOP;
    case ZYDIS_CATEGORY_UNCOND_BR:
        if (i->raw.imm[0].is_relative)
            return SR_FLOW_JUMP;
        /* rip-relative: a slot of the GOT, elsewhere. */
        return i->raw.modrm.mod == 0 && i->raw.modrm.rm == 5 ? SR_FLOW_STOP : SR_FLOW_INDIRECT;
    default:
        break;
    }
    switch (i->mnemonic) {
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
        return SR_FLOW_STOP;
    default:
        return SR_FLOW_NEXT;
    }
}

static bool is_padding(const ZydisDecodedInstruction *i) {
    return i->mnemonic == ZYDIS_MNEMONIC_NOP || i->mnemonic == ZYDIS_MNEMONIC_INT3 ||
           (i->mnemonic == ZYDIS_MNEMONIC_XCHG && i->raw.modrm.mod == 0 && i->length == 2);
}

/* What decoding leaves for linking; the rest is in struct sr_flow_insn. */
struct link {
    int64_t next, target; /* indices; -1: none, or outside */
    bool padding;
};

static bool decode_all(struct sr_flows *f, struct sr_flow *w, uint64_t **targets,
                       struct link **links) {
    uint32_t n = 0;

    for (uint64_t a = w->lo; a < w->hi; a++)
        n += sr_code_is_start(f->code, a);
    w->insns = calloc((size_t)n + 1, sizeof *w->insns);
    w->indirect = calloc((size_t)n + 1, sizeof *w->indirect);
    w->own = calloc((size_t)n + 1, sizeof *w->own);
    *targets = calloc((size_t)n + 1, sizeof **targets);
    *links = calloc((size_t)n + 1, sizeof **links);
    if (!w->insns || !w->indirect || !w->own || !*targets || !*links)
        return false;
    for (uint64_t a = w->lo; a < w->hi; a++) {
        ZydisDecodedInstruction i;
        size_t left = 0;
        const uint8_t *p =
            sr_code_is_start(f->code, a) ? sr_object_at(f->code->object, a, &left) : NULL;
        struct sr_flow_insn *s = &w->insns[w->n_insns];

        if (!p || ZYAN_FAILED(ZydisDecoderDecodeInstruction(&f->decoder, NULL, p, left, &i)))
            continue;
        w->own[w->n_insns] = w->n_insns;
        s->at = a;
        s->len = i.length;
        s->kind = kind_of(&i);
        s->frame.sp.base = s->frame.fp.base = SR_BASE_NONE;
        (*targets)[w->n_insns] =
            i.raw.imm[0].is_relative ? a + i.length + (uint64_t)i.raw.imm[0].value.s : UINT64_MAX;
        (*links)[w->n_insns].padding = is_padding(&i);
        if (s->kind == SR_FLOW_INDIRECT)
            w->indirect[w->n_indirect++] = w->n_insns;
        w->n_insns++;
    }
    return true;
}

static void mark_anywhere(struct sr_flow *w, uint64_t addr) {
    int64_t i = sr_flow_find(w, addr);

    if (i >= 0)
        w->insns[i].anywhere = true;
}

/* Words relative to the table's begin (32 bits), or addresses (64 bits), while they lead to code.
 */
static void read_table(const struct sr_flows *f, struct sr_flow *w, uint64_t table, bool wide,
                       uint32_t *budget) {
    const struct sr_object *o = f->code->object;
    unsigned size = wide ? 8 : 4;

    for (uint64_t at = table; *budget; at += size, --*budget) {
        size_t left;
        const uint8_t *p = sr_object_at(o, at, &left);
        const struct sr_reloc *r = wide ? sr_object_reloc(o, at) : NULL;
        uint64_t to = 0;
        int32_t word;

        if (!p || left < size)
            return;
        memcpy(&word, p, sizeof word);
        to = table + (uint64_t)(int64_t)word;
        if (wide && r && r->kind == SR_RELOC_RELATIVE)
            to = r->target;
        else if (wide)
            memcpy(&to, p, sizeof to);
        if (!sr_code_is_start(f->code, to))
            return;
        mark_anywhere(w, to);
    }
}

static void find_tables(const struct sr_flows *f, struct sr_flow *w) {
    const struct sr_function *fn = &f->code->functions[w->index];
    uint32_t budget = TABLE_MAX;

    for (uint32_t k = 0; w->n_indirect && k < fn->n_refs; k++) {
        const struct sr_ref *r = &f->code->refs[fn->first_ref + k];

        if (sr_edges_is_label(fn, r))
            mark_anywhere(w, r->to);
        if (r->kind == SR_REF_DATA || r->kind == SR_REF_CODE) {
            read_table(f, w, r->to, false, &budget);
            read_table(f, w, r->to, true, &budget);
        }
    }
}

/* What was decoded there shares bytes with another instruction; end: of all before it. */
static bool overlaps(const struct sr_flow *w, uint32_t i, uint64_t end) {
    const struct sr_flow_insn *s = &w->insns[i];

    return (i + 1 < w->n_insns && s[1].at < s->at + s->len) || end > s->at;
}

static void mark_entries(const struct sr_flows *f, struct sr_flow *w, const struct link *links) {
    const struct sr_edges *x = &f->edges;

    for (size_t k = sr_edges_first_value(x->labels, x->n_labels, w->lo);
         w->n_indirect && k < x->n_labels && x->labels[k] < w->hi; k++)
        mark_anywhere(w, x->labels[k]);
    for (size_t k = sr_edges_first_value(x->entries, x->n_entries, w->lo);
         k < x->n_entries && x->entries[k] < w->hi; k++) {
        int64_t i = sr_flow_find(w, x->entries[k]);

        if (i >= 0)
            w->insns[i].entry = true;
    }
    for (size_t k = sr_edges_first(x, w->lo); k < x->n_edges && x->edges[k].to < w->hi; k++) {
        int64_t i = sr_flow_find(w, x->edges[k].to);

        if (i >= 0 && (x->edges[k].from < w->lo || x->edges[k].from >= w->hi))
            w->insns[i].outer = true;
    }
    /* An FDE may begin before its function, for the unwinder's sake. */
    if (w->n_insns && w->insns[0].at == w->lo && !w->insns[0].outer && !links[0].padding &&
        !(overlaps(w, 0, 0) && w->insns[1].entry))
        w->insns[0].entry = true;
}

static bool link_preds(struct sr_flow *w, struct link *links) {
    uint32_t total = 0;
    uint64_t reach = 0;

    for (uint32_t i = 0; i < w->n_insns; i++) {
        if (links[i].next >= 0)
            w->insns[links[i].next].n_preds++;
        if (links[i].target >= 0)
            w->insns[links[i].target].n_preds++;
    }
    for (uint32_t i = 0; i < w->n_insns; i++) {
        struct sr_flow_insn *s = &w->insns[i];
        uint64_t end = reach;

        reach = s->at + s->len > reach ? s->at + s->len : reach;
        if (s->n_preds || s->entry || s->outer || s->anywhere)
            continue;
        if (links[i].padding || overlaps(w, i, end)) {
            if (links[i].next >= 0)
                w->insns[links[i].next].n_preds--;
            links[i].next = -1;
        } else {
            s->anywhere = true;
        }
    }
    for (uint32_t i = 0; i < w->n_insns; i++) {
        w->insns[i].first_pred = total;
        total += w->insns[i].n_preds;
        w->insns[i].n_preds = 0;
    }
    w->preds = calloc((size_t)total + 1, sizeof *w->preds);
    if (!w->preds)
        return false;
    for (uint32_t i = 0; i < w->n_insns; i++) {
        int64_t to[2] = {links[i].next, links[i].target};

        for (unsigned k = 0; k < 2; k++)
            if (to[k] >= 0) {
                struct sr_flow_insn *s = &w->insns[to[k]];

                w->preds[s->first_pred + s->n_preds++] = i;
            }
    }
    return true;
}

static bool build(struct sr_flows *f, struct sr_flow *w) {
    uint64_t *targets = NULL;
    struct link *links = NULL;
    bool ok = decode_all(f, w, &targets, &links);

    for (uint32_t i = 0; ok && i < w->n_insns; i++) {
        uint8_t kind = w->insns[i].kind;

        links[i].next = links[i].target = -1;
        if (kind == SR_FLOW_NEXT || kind == SR_FLOW_BRANCH || kind == SR_FLOW_CALL)
            links[i].next = sr_flow_find(w, w->insns[i].at + w->insns[i].len);
        if (kind == SR_FLOW_JUMP || kind == SR_FLOW_BRANCH)
            links[i].target = sr_flow_find(w, targets[i]);
    }
    if (ok) {
        mark_entries(f, w, links);
        find_tables(f, w);
        ok = link_preds(w, links);
    }
    free(targets);
    free(links);
    return ok;
}

const struct sr_flow *sr_flows_get(struct sr_flows *f, int64_t function) {
    const struct sr_function *fn;
    struct sr_flow *w;

    if (function < 0 || (uint64_t)function >= f->code->n_functions)
        return NULL;
    if (f->flows[function])
        return f->flows[function];
    fn = &f->code->functions[function];
    if (fn->hi - fn->lo > FUNCTION_MAX || f->depth == DEPTH_MAX)
        return NULL;
    w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->index = (uint32_t)function;
    w->lo = fn->lo;
    w->hi = fn->hi;
    if (!build(f, w)) {
        flow_free(w);
        return NULL;
    }
    f->flows[function] = w; /* before its frames: they may need each other's */
    f->depth++;
    if (!sr_frame_compute(f, w)) {
        f->flows[function] = NULL;
        flow_free(w);
        w = NULL;
    }
    f->depth--;
    return w;
}

const uint32_t *sr_flow_sources(struct sr_flows *f, const struct sr_edge *e,
                                const struct sr_flow **w, uint32_t *n) {
    int64_t i;

    *w = sr_flows_get(f, sr_code_function(f->code, e->from));
    i = *w ? sr_flow_find(*w, e->from) : -1;
    *n = e->table && i >= 0 ? (*w)->n_indirect : i >= 0;
    if (!*n)
        return NULL;
    return e->table ? (*w)->indirect : &(*w)->own[i];
}
