/*
 * Where the stack pointer and the frame pointer stand at each instruction, see flow.h.
 *
 * Forward over the function: pushes, pops, additions and copies between the two are followed; what
 * else sets the stack pointer (alignment, variable-length arrays) begins a new base. A part of a
 * function that lies elsewhere begins with what holds at the jump to it. Behind a call that may not
 * return, what other ways say is believed.
 */
#include "flow.h"

#include <stdlib.h>

static const struct sr_place nowhere = {SR_BASE_NONE, 0};

struct work {
    struct sr_flows *f;
    struct sr_flow *w;
    bool *set, *queued, *waits;
    uint32_t *queue, *later;
    uint32_t n_queue, n_later;
    bool any_set; /* at any of the indirect jumps */
    struct sr_frame any;
};

static struct sr_place moved(struct sr_place p, int64_t by) {
    if (p.base == SR_BASE_NONE || by > INT32_MAX || by < INT32_MIN || p.off > INT32_MAX ||
        p.off < INT32_MIN)
        return nowhere;
    p.off += by;
    return p;
}

static struct sr_place of_register(const struct sr_frame *f, ZydisRegister r) {
    if (r == ZYDIS_REGISTER_RSP)
        return f->sp;
    return r == ZYDIS_REGISTER_RBP ? f->fp : nowhere;
}

struct sr_place sr_flow_place(const struct sr_insn *n, const ZydisDecodedOperand *op) {
    if (op->mem.segment == ZYDIS_REGISTER_FS || op->mem.segment == ZYDIS_REGISTER_GS)
        return nowhere;
    return moved(of_register(&n->frame, op->mem.base), op->mem.disp.value);
}

bool sr_flow_is_taken(const struct sr_flow *w, struct sr_place place, unsigned size) {
    if (w->all_taken)
        return true;
    for (unsigned i = 0; i < w->n_taken; i++)
        if (w->taken[i].base == place.base && w->taken[i].lowest < place.off + size)
            return true;
    return false;
}

static bool same(struct sr_place a, struct sr_place b) {
    return a.base == b.base && a.off == b.off;
}

/* What the instruction leaves in rsp or rbp when it writes it; where: its old places. */
static struct sr_place written(const struct sr_insn *n, ZydisRegister r) {
    const ZydisDecodedOperand *src = &n->op[1];
    bool stack = r == ZYDIS_REGISTER_RSP;
    struct sr_place to = nowhere;

    switch (n->i.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
        if (src->type == ZYDIS_OPERAND_TYPE_REGISTER)
            to = of_register(&n->frame, src->reg.value);
        break;
    case ZYDIS_MNEMONIC_LEA:
        if (src->mem.index == ZYDIS_REGISTER_NONE)
            to = sr_flow_place(n, src);
        break;
    case ZYDIS_MNEMONIC_ADD:
    case ZYDIS_MNEMONIC_SUB:
        if (src->type == ZYDIS_OPERAND_TYPE_IMMEDIATE && src->imm.value.s > INT32_MIN)
            to = moved(of_register(&n->frame, r),
                       n->i.mnemonic == ZYDIS_MNEMONIC_ADD ? src->imm.value.s : -src->imm.value.s);
        break;
    default:
        break;
    }
    if (stack && to.base == SR_BASE_NONE && n->at <= INT64_MAX)
        to = (struct sr_place){(int64_t)n->at, 0};
    return to;
}

static struct sr_frame after(const struct sr_insn *n) {
    struct sr_frame f = n->frame;

    switch (n->i.mnemonic) {
    case ZYDIS_MNEMONIC_PUSH:
    case ZYDIS_MNEMONIC_PUSHFQ:
        f.sp = moved(f.sp, -(int64_t)(n->i.operand_width / 8));
        return f;
    case ZYDIS_MNEMONIC_POP:
    case ZYDIS_MNEMONIC_POPFQ:
        f.sp = moved(f.sp, n->i.operand_width / 8);
        if (n->op[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            n->op[0].reg.value == ZYDIS_REGISTER_RBP)
            f.fp = nowhere;
        return f;
    case ZYDIS_MNEMONIC_LEAVE:
        f.sp = moved(f.fp, 8);
        f.fp = nowhere;
        return f;
    case ZYDIS_MNEMONIC_CALL:
        return f;
    default:
        break;
    }
    for (unsigned i = 0; i < n->i.operand_count; i++) {
        const ZydisDecodedOperand *op = &n->op[i];
        ZydisRegister whole;

        if (op->type != ZYDIS_OPERAND_TYPE_REGISTER ||
            !(op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
            continue;
        whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, op->reg.value);
        if (whole == ZYDIS_REGISTER_RSP)
            f.sp = written(n, whole);
        else if (whole == ZYDIS_REGISTER_RBP)
            f.fp = written(n, whole);
    }
    return f;
}

static void join(struct work *k, uint32_t i, const struct sr_frame *f) {
    struct sr_frame *old = &k->w->insns[i].frame;
    bool changed = !k->set[i];

    if (!k->set[i]) {
        *old = *f;
        k->set[i] = true;
    } else {
        if (!same(old->sp, f->sp) && old->sp.base != SR_BASE_NONE) {
            old->sp = nowhere;
            changed = true;
        }
        if (!same(old->fp, f->fp) && old->fp.base != SR_BASE_NONE) {
            old->fp = nowhere;
            changed = true;
        }
    }
    if (changed && !k->queued[i]) {
        k->queued[i] = true;
        k->queue[k->n_queue++] = i;
    }
}

static void join_anywhere(struct work *k, const struct sr_frame *f) {
    if (k->any_set && same(k->any.sp, f->sp) && same(k->any.fp, f->fp))
        return;
    if (k->any_set && (same(k->any.sp, f->sp) || k->any.sp.base == SR_BASE_NONE) &&
        (same(k->any.fp, f->fp) || k->any.fp.base == SR_BASE_NONE))
        return;
    if (!k->any_set) {
        k->any = *f;
    } else {
        if (!same(k->any.sp, f->sp))
            k->any.sp = nowhere;
        if (!same(k->any.fp, f->fp))
            k->any.fp = nowhere;
    }
    k->any_set = true;
    for (uint32_t i = 0; i < k->w->n_insns; i++)
        if (k->w->insns[i].anywhere)
            join(k, i, &k->any);
}

static void step(struct work *k, uint32_t i) {
    struct sr_flow *w = k->w;
    const struct sr_flow_insn *s = &w->insns[i];
    struct sr_insn n;
    struct sr_frame f;
    int64_t to;

    if (!sr_flow_load(k->f, w, i, &n))
        return;
    f = after(&n);
    if (s->kind == SR_FLOW_INDIRECT)
        join_anywhere(k, &f);
    if (s->kind == SR_FLOW_JUMP || s->kind == SR_FLOW_BRANCH) {
        to = sr_flow_find(w, s->at + s->len + (uint64_t)n.i.raw.imm[0].value.s);
        if (to >= 0)
            join(k, (uint32_t)to, &f);
    }
    if (s->kind != SR_FLOW_NEXT && s->kind != SR_FLOW_BRANCH && s->kind != SR_FLOW_CALL)
        return;
    to = sr_flow_find(w, s->at + s->len);
    if (to < 0)
        return;
    if (s->kind != SR_FLOW_CALL || (w->insns[to].n_preds <= 1 && !w->insns[to].anywhere)) {
        join(k, (uint32_t)to, &f);
    } else if (!k->waits[i]) {
        k->waits[i] = true;
        k->later[k->n_later++] = i;
    }
}

/* Ways behind calls come last, and only to where nothing else led. */
static void run(struct work *k) {
    for (;;) {
        uint32_t i;
        int64_t to;

        while (k->n_queue) {
            i = k->queue[--k->n_queue];
            k->queued[i] = false;
            step(k, i);
        }
        if (!k->n_later)
            return;
        i = k->later[--k->n_later];
        to = sr_flow_find(k->w, k->w->insns[i].at + k->w->insns[i].len);
        if (to >= 0 && !k->set[to])
            join(k, (uint32_t)to, &k->w->insns[i].frame);
    }
}

static void take(struct sr_flow *w, struct sr_place p) {
    if (p.base == SR_BASE_NONE)
        return;
    for (unsigned i = 0; i < w->n_taken; i++)
        if (w->taken[i].base == p.base) {
            if (p.off < w->taken[i].lowest)
                w->taken[i].lowest = p.off;
            return;
        }
    if (w->n_taken == SR_TAKEN_MAX)
        w->all_taken = true;
    else
        w->taken[w->n_taken++] = (struct sr_taken){p.base, p.off};
}

static void start(struct work *k) {
    const struct sr_frame entry = {{SR_BASE_ENTRY, 0}, {SR_BASE_NONE, 0}};

    for (uint32_t i = 0; i < k->w->n_insns; i++) {
        const struct sr_flow_insn *s = &k->w->insns[i];
        size_t n = 0;
        const struct sr_edge *e = s->outer ? sr_flow_outer(k->f, s->at, &n) : NULL;

        if (s->entry)
            join(k, i, &entry);
        for (size_t j = 0; !s->entry && j < n; j++) {
            const struct sr_flow *other;
            uint32_t n_sources;
            const uint32_t *sources = sr_flow_sources(k->f, &e[j], &other, &n_sources);

            if (!sources || !other->ready)
                continue;
            for (uint32_t t = 0; t < n_sources; t++)
                join(k, i, &other->insns[sources[t]].frame);
            for (unsigned t = 0; t < other->n_taken; t++)
                take(k->w, (struct sr_place){other->taken[t].base, other->taken[t].lowest});
        }
    }
}

/* Is the stack address in a register put anywhere but into the other of the two? */
static void find_taken(struct sr_flow *w, const struct sr_insn *n) {
    const ZydisDecodedOperand *to = &n->op[0];
    bool own = to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
               (to->reg.value == ZYDIS_REGISTER_RSP || to->reg.value == ZYDIS_REGISTER_RBP) &&
               n->i.mnemonic != ZYDIS_MNEMONIC_PUSH && n->i.mnemonic != ZYDIS_MNEMONIC_XCHG;

    if (own || n->i.mnemonic == ZYDIS_MNEMONIC_CMP || n->i.mnemonic == ZYDIS_MNEMONIC_TEST)
        return;
    for (unsigned i = 0; i < n->i.operand_count; i++) {
        const ZydisDecodedOperand *op = &n->op[i];

        if (op->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN)
            continue;
        if (op->type == ZYDIS_OPERAND_TYPE_MEMORY && op->mem.type == ZYDIS_MEMOP_TYPE_AGEN)
            take(w, sr_flow_place(n, op));
        if (op->type == ZYDIS_OPERAND_TYPE_REGISTER &&
            (op->actions & ZYDIS_OPERAND_ACTION_MASK_READ))
            take(w, of_register(&n->frame, op->reg.value));
    }
}

bool sr_frame_compute(struct sr_flows *f, struct sr_flow *w) {
    size_t n = (size_t)w->n_insns + 1;
    struct work k = {.f = f, .w = w};
    struct sr_insn insn;

    k.set = calloc(n, sizeof *k.set);
    k.queued = calloc(n, sizeof *k.queued);
    k.waits = calloc(n, sizeof *k.waits);
    k.queue = calloc(n, sizeof *k.queue);
    k.later = calloc(n, sizeof *k.later);
    if (k.set && k.queued && k.waits && k.queue && k.later) {
        start(&k);
        run(&k);
        for (uint32_t i = 0; i < w->n_insns; i++)
            if (sr_flow_load(f, w, i, &insn))
                find_taken(w, &insn);
        w->ready = true;
    }
    free(k.set);
    free(k.queued);
    free(k.waits);
    free(k.queue);
    free(k.later);
    return w->ready;
}
