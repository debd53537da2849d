/*
 * One instruction, a PLT stub, a jump table: see instr.h.
 *
 * Zydis' minimal mode gives mnemonic, length and the raw fields, which are enough for nearly every
 * instruction; the sizes of vector and x87 accesses are looked up by decoding in full.
 */
#include "instr.h"

#include <string.h>

void sr_decoder_init(struct sr_decoder *d, const struct sr_object *o) {
    ZydisDecoderInit(&d->full, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    d->quick = d->full;
    ZydisDecoderEnableMode(&d->quick, ZYDIS_DECODER_MODE_MINIMAL, ZYAN_TRUE);
    d->object = o;
}

/* One instruction while it is looked at. */
struct look {
    const struct sr_decoder *d;
    const uint8_t *bytes;
    uint64_t addr;
    const ZydisDecodedInstruction *z;
    struct sr_instr *out;
};

static struct sr_ref *add_ref(const struct look *l, uint8_t kind, uint64_t to) {
    struct sr_ref *r = &l->out->refs[l->out->n_refs++];

    *r = (struct sr_ref){.from = l->addr, .to = to, .kind = kind};
    return r;
}

static void add_address(const struct look *l, uint64_t to) {
    add_ref(l, sr_object_is_code(l->d->object, to) ? SR_REF_CODE : SR_REF_DATA, to);
}

/* In a segment, or its end, which is where pointers behind an array point. */
static bool is_mapped(const struct sr_object *o, uint64_t v) {
    for (size_t i = 0; i < o->n_segments && o->segments[i].lo <= v; i++)
        if (v <= o->segments[i].hi)
            return true;
    return false;
}

/* How many bytes the instruction's memory operand has. */
static uint16_t access_size(const struct look *l) {
    const ZydisDecodedInstruction *z = l->z;
    ZydisDecodedInstruction again;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    unsigned bytes = 0;

    if (z->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT && (z->opcode & 0xf8) != 0xd8)
        return z->operand_width >= 8 ? z->operand_width / 8 : 8;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&l->d->full, l->bytes, z->length, &again, ops)))
        return 64;
    for (unsigned i = 0; i < again.operand_count && bytes == 0; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            bytes = ops[i].size / 8u;
    return (uint16_t)(bytes == 0 ? 1 : bytes > 64 ? 64 : bytes);
}

static bool through_fs_or_gs(const ZydisDecodedInstruction *z) {
    for (unsigned i = 0; i < z->raw.prefix_count; i++)
        if (z->raw.prefixes[i].value == 0x64 || z->raw.prefixes[i].value == 0x65)
            return true;
    return false;
}

/* A constant place in memory: a slot for near calls and jumps. */
static void add_place(const struct look *l, uint64_t to) {
    const ZydisDecodedInstruction *z = l->z;

    if (z->mnemonic == ZYDIS_MNEMONIC_LEA) {
        add_address(l, to);
    } else if ((z->mnemonic == ZYDIS_MNEMONIC_CALL || z->mnemonic == ZYDIS_MNEMONIC_JMP) &&
               (z->raw.modrm.reg == 2 || z->raw.modrm.reg == 4)) {
        l->out->indirect = false;
        add_ref(l, z->mnemonic == ZYDIS_MNEMONIC_CALL ? SR_REF_CALL : SR_REF_JUMP, to)->slot = true;
    } else {
        add_ref(l, SR_REF_READ, to)->bytes = access_size(l);
    }
}

static void look_at_memory(const struct look *l) {
    const ZydisDecodedInstruction *z = l->z;
    uint64_t disp = (uint64_t)z->raw.disp.value;
    bool sib = z->raw.modrm.rm == 4, no_base, no_index;

    if (z->raw.disp.size < 32 || through_fs_or_gs(z))
        return;
    if (z->raw.disp.size == 32 && z->raw.modrm.mod == 0 && !sib) {
        uint64_t to = l->addr + z->length + disp;

        add_place(l, z->address_width == 32 ? (uint32_t)to : to);
        return;
    }
    if (!l->d->object->fixed || !is_mapped(l->d->object, disp))
        return;
    no_base = z->raw.disp.size == 64 || (sib && z->raw.modrm.mod == 0 && z->raw.sib.base == 5);
    no_index = z->raw.disp.size == 64 ||
               (sib && z->raw.sib.index == 4 && z->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY &&
                !z->raw.rex.X);
    if (no_base && no_index)
        add_place(l, disp);
    else
        add_address(l, disp);
}

/* In objects at a fixed address any constant may be one. */
static void look_at_immediates(const struct look *l) {
    for (unsigned i = 0; i < 2; i++) {
        uint8_t size = l->z->raw.imm[i].size;
        uint64_t v = l->z->raw.imm[i].value.u;

        if (size == 32)
            v = (uint32_t)v;
        if ((size == 32 || size == 64) && !l->z->raw.imm[i].is_relative &&
            is_mapped(l->d->object, v))
            add_address(l, v);
    }
}

static void look_at_flow(const struct look *l) {
    const ZydisDecodedInstruction *z = l->z;
    struct sr_instr *out = l->out;

    switch (z->mnemonic) {
    case ZYDIS_MNEMONIC_CALL:
        out->flow = SR_FLOW_CALL;
        break;
    case ZYDIS_MNEMONIC_JMP:
        out->flow = SR_FLOW_JUMP;
        break;
    case ZYDIS_MNEMONIC_RET:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_SYSRET:
    case ZYDIS_MNEMONIC_SYSEXIT:
    case ZYDIS_MNEMONIC_UIRET:
    case ZYDIS_MNEMONIC_RSM:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
        out->flow = SR_FLOW_STOP;
        return;
    case ZYDIS_MNEMONIC_SYSCALL:
        out->site = SR_ENTRY_SYSCALL;
        return;
    case ZYDIS_MNEMONIC_SYSENTER:
        out->site = SR_ENTRY_SYSENTER;
        return;
    case ZYDIS_MNEMONIC_INT:
        if ((uint8_t)z->raw.imm[0].value.u == 0x80)
            out->site = SR_ENTRY_INT80;
        return;
    default:
        if (!z->raw.imm[0].is_relative)
            return;
        out->flow = SR_FLOW_BRANCH;
    }
    out->direct = z->raw.imm[0].is_relative;
    out->indirect = !out->direct;
    if (out->direct)
        out->target = l->addr + z->length + (uint64_t)z->raw.imm[0].value.s;
}

bool sr_instr_decode(const struct sr_decoder *d, const uint8_t *bytes, size_t left, uint64_t addr,
                     struct sr_instr *out) {
    ZydisDecodedInstruction z;
    struct look l = {d, bytes, addr, &z, out};
    unsigned plain = d->object->fixed ? 0 : sr_instr_plain(bytes, left);

    if (plain) {
        *out = (struct sr_instr){.length = (uint8_t)plain, .flow = SR_FLOW_NEXT, .site = -1};
        return true;
    }
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&d->quick, NULL, bytes, left, &z)))
        return false;
    out->length = z.length;
    out->flow = SR_FLOW_NEXT;
    out->direct = out->indirect = false;
    out->nop = z.mnemonic == ZYDIS_MNEMONIC_NOP;
    out->site = -1;
    out->n_refs = 0;
    look_at_flow(&l);
    if (z.raw.disp.size)
        look_at_memory(&l);
    if (d->object->fixed)
        look_at_immediates(&l);
    return true;
}

static const uint8_t endbr64[4] = {0xf3, 0x0f, 0x1e, 0xfa};

static size_t skip_endbr(const uint8_t *bytes, size_t left) {
    return left >= sizeof endbr64 && !memcmp(bytes, endbr64, sizeof endbr64) ? sizeof endbr64 : 0;
}

bool sr_instr_stub(const uint8_t *bytes, size_t left, uint64_t addr, uint64_t *slot) {
    size_t at = skip_endbr(bytes, left);
    int32_t disp;

    if (at < left && bytes[at] == 0xf2)
        at++;
    if (left - at < 6 || bytes[at] != 0xff || bytes[at + 1] != 0x25)
        return false;
    memcpy(&disp, bytes + at + 2, sizeof disp);
    *slot = addr + at + 6 + (uint64_t)(int64_t)disp;
    return true;
}

/* What asks for lazy binding: push index; bnd? jmp; and the head: push link; bnd? jmp *resolver. */
static bool is_lazy(const uint8_t *bytes, size_t left) {
    size_t at = skip_endbr(bytes, left);

    if (left - at < 12)
        return false;
    if (bytes[at] == 0x68)
        return bytes[at + 5] == 0xe9 || (bytes[at + 5] == 0xf2 && bytes[at + 6] == 0xe9);
    if (bytes[at] != 0xff || bytes[at + 1] != 0x35)
        return false;
    at += bytes[at + 6] == 0xf2 ? 7 : 6;
    return bytes[at] == 0xff && bytes[at + 1] == 0x25;
}

bool sr_instr_is_plt(const uint8_t *bytes, size_t size, uint64_t addr) {
    uint64_t slot;
    size_t step = size % 16 ? 8 : 16;

    if (size % 8)
        return false;
    /* .plt.got without endbr64 has stubs of 8 bytes. */
    if (size >= 16 && sr_instr_stub(bytes + 8, size - 8, addr + 8, &slot))
        step = 8;
    for (size_t at = 0; at < size; at += step)
        if (!sr_instr_stub(bytes + at, step, addr + at, &slot) && !is_lazy(bytes + at, step))
            return false;
    return true;
}

bool sr_table_open(const struct sr_object *o, uint64_t addr, bool wide, struct sr_table *t) {
    unsigned size = wide ? 8 : 4;
    size_t left, lo = 0, hi = o->n_borders;
    const uint8_t *bytes;

    if (addr % size)
        return false;
    bytes = sr_object_at(o, addr, &left);
    if (!bytes)
        return false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (o->borders[mid] <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo < o->n_borders && o->borders[lo] - addr < left)
        left = (size_t)(o->borders[lo] - addr);
    *t = (struct sr_table){.addr = addr, .bytes = bytes, .n = left / size, .wide = wide};
    if (t->n > SR_TABLE_MAX)
        t->n = SR_TABLE_MAX;
    return t->n > 0;
}

uint64_t sr_table_entry(const struct sr_table *t, size_t index) {
    uint64_t wide;
    int32_t narrow;

    if (t->wide) {
        memcpy(&wide, t->bytes + 8 * index, sizeof wide);
        return wide;
    }
    memcpy(&narrow, t->bytes + 4 * index, sizeof narrow);
    return t->addr + (uint64_t)(int64_t)narrow;
}
