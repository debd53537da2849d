/*
 * The headers of an ELF object: whether it is one for us, its segments, and what else the program
 * headers say. Section headers and the build-id are read with libelf.
 */
#include <elfutils/libdwelf.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "object_private.h"

static const char *machine_name(unsigned machine) {
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {{EM_386, "i386"},        {EM_ARM, "ARM"},      {EM_AARCH64, "AArch64"},
                 {EM_RISCV, "RISC-V"},    {EM_PPC, "PowerPC"},  {EM_PPC64, "PowerPC 64"},
                 {EM_S390, "IBM Z"},      {EM_MIPS, "MIPS"},    {EM_SPARCV9, "SPARC"},
                 {EM_LOONGARCH, "Loong"}, {EM_X86_64, "x86-64"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

/* Says who would run the script: what follows #!, up to a blank, as far as it is printable. */
static bool refuse_script(const struct sr_object_build *b) {
    char name[64];
    size_t n = 0, at = 2;

    while (at < b->size && (b->image[at] == ' ' || b->image[at] == '\t'))
        at++;
    for (; at < b->size && n < sizeof name - 1 && b->image[at] > ' ' && b->image[at] < 0x7f; at++)
        name[n++] = (char)b->image[at];
    name[n] = '\0';
    return sr_object_fail(b, "is a script, no ELF program; give its interpreter%s%s", n ? ": " : "",
                          name);
}

static bool check_header(struct sr_object_build *b, Elf64_Ehdr *eh) {
    const unsigned char *id = b->image;
    unsigned machine;

    if (b->size == 0)
        return sr_object_fail(b, "is empty; give a program or a shared library");
    if (b->size >= 2 && memcmp(id, "#!", 2) == 0)
        return refuse_script(b);
    if (b->size < SELFMAG || memcmp(id, ELFMAG, SELFMAG) != 0)
        return sr_object_fail(b, "is no ELF file; give a program or a shared library");
    if (b->size < sizeof *eh)
        return sr_object_fail(b, "is truncated: %zu bytes hold no ELF header; copy it again",
                              b->size);
    memcpy(eh, b->image, sizeof *eh);
    if (id[EI_DATA] == ELFDATA2MSB) {
        machine = (unsigned)(id[18] << 8 | id[19]);
        return sr_object_fail(b, "is a big-endian file (%s); give a build for x86-64",
                              machine_name(machine));
    }
    machine = eh->e_machine; /* stands at the same place in 32-bit files */
    if (id[EI_CLASS] == ELFCLASS32)
        return sr_object_fail(b, "is a 32-bit file (%s); give a build for 64-bit x86-64",
                              machine == EM_X86_64 ? "x32" : machine_name(machine));
    if (machine != EM_X86_64)
        return sr_object_fail(b, "is for %s (ELF machine %u); give a build for x86-64",
                              machine_name(machine), machine);
    if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB || id[EI_VERSION] != EV_CURRENT)
        return sr_object_damaged(b, "its ELF header names no known class, byte order or version");
    if (eh->e_type == ET_REL)
        return sr_object_fail(b, "is not linked yet (an .o file or kernel module); link it, and "
                                 "give the program");
    if (eh->e_type == ET_CORE)
        return sr_object_fail(b, "is a core dump; give the program that left it");
    if (eh->e_type != ET_EXEC && eh->e_type != ET_DYN)
        return sr_object_damaged(b, "it is neither a program nor a shared library (type %u)",
                                 eh->e_type);
    return true;
}

static bool read_phdrs(struct sr_object_build *b, const Elf64_Ehdr *eh) {
    size_t bytes = (size_t)eh->e_phnum * sizeof(Elf64_Phdr);

    if (eh->e_phnum == 0)
        return sr_object_fail(b, "has no program headers, so nothing can load it; give a program "
                                 "or a shared library");
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phnum == PN_XNUM)
        return sr_object_damaged(b, "its program headers have an unknown form");
    if (eh->e_phoff > b->size || bytes > b->size - eh->e_phoff)
        return sr_object_fail(
            b, "is truncated: its program headers end at byte %" PRIu64 " of %zu; copy it again",
            eh->e_phoff + bytes, b->size);
    b->phdrs = malloc(bytes);
    if (!b->phdrs)
        return sr_object_no_memory(b);
    memcpy(b->phdrs, b->image + eh->e_phoff, bytes);
    b->n_phdrs = eh->e_phnum;
    return true;
}

static int by_segment(const void *x, const void *y) {
    const struct sr_segment *a = x, *c = y;

    return a->lo < c->lo ? -1 : a->lo > c->lo;
}

static bool add_segment(struct sr_object_build *b, const Elf64_Phdr *ph, uint64_t *total) {
    struct sr_object *o = b->o;
    struct sr_segment *s;

    if (ph->p_filesz > ph->p_memsz || ph->p_vaddr >= SR_ADDRESS_END ||
        ph->p_memsz > SR_ADDRESS_END - ph->p_vaddr)
        return sr_object_damaged(b, "a segment at 0x%" PRIx64 " has an impossible size",
                                 ph->p_vaddr);
    if (ph->p_filesz > 0 && (ph->p_offset > b->size || ph->p_filesz > b->size - ph->p_offset))
        return sr_object_fail(b,
                              "is truncated: the segment at 0x%" PRIx64 " has %" PRIu64
                              " bytes from byte %" PRIu64 " on, the file has %zu; copy it again",
                              ph->p_vaddr, ph->p_filesz, ph->p_offset, b->size);
    if (ph->p_memsz == 0)
        return true;
    if (o->n_segments == SR_SEGMENTS_MAX)
        return sr_object_fail(b, "has more than %d segments; link it with the usual linker script",
                              SR_SEGMENTS_MAX);
    s = &o->segments[o->n_segments++];
    s->lo = ph->p_vaddr;
    s->hi = ph->p_vaddr + ph->p_memsz;
    s->file_bytes = ph->p_filesz;
    s->bytes = ph->p_filesz ? b->image + ph->p_offset : b->image;
    s->exec = ph->p_flags & PF_X;
    s->write = ph->p_flags & PF_W;
    *total += ph->p_filesz;
    return sr_object_border(b, s->lo, ph->p_filesz) && sr_object_border(b, s->lo, ph->p_memsz);
}

static bool read_segments(struct sr_object_build *b) {
    struct sr_object *o = b->o;
    uint64_t total = 0;

    for (size_t i = 0; i < b->n_phdrs; i++)
        if (b->phdrs[i].p_type == PT_LOAD && !add_segment(b, &b->phdrs[i], &total))
            return false;
    if (o->n_segments == 0)
        return sr_object_fail(b, "has no segments to load; give a program or a shared library");
    qsort(o->segments, o->n_segments, sizeof *o->segments, by_segment);
    for (size_t i = 1; i < o->n_segments; i++)
        if (o->segments[i].lo < o->segments[i - 1].hi)
            return sr_object_damaged(b, "two segments hold address 0x%" PRIx64, o->segments[i].lo);
    /* Linkers map each byte once. Tables are then bounded by the file's size, not 64 times it. */
    if (total > 2 * (uint64_t)b->size)
        return sr_object_damaged(b, "its segments map the same bytes again and again");
    return true;
}

/* Names of sections: up to the last NUL, so that each ends inside. */
static const char *section_names(const struct sr_object_build *b, Elf *elf, size_t *bytes) {
    size_t index;
    GElf_Shdr sh;

    *bytes = 0;
    if (elf_getshdrstrndx(elf, &index) != 0 || !gelf_getshdr(elf_getscn(elf, index), &sh) ||
        sh.sh_type != SHT_STRTAB || sh.sh_offset > b->size || sh.sh_size > b->size - sh.sh_offset)
        return "";
    for (*bytes = sh.sh_size; *bytes > 0 && b->image[sh.sh_offset + *bytes - 1] != '\0';)
        --*bytes;
    return (const char *)b->image + sh.sh_offset;
}

static bool read_sections(struct sr_object_build *b, Elf *elf) {
    const char *names;
    size_t count, names_bytes;

    if (elf_getshdrnum(elf, &count) != 0 || count == 0)
        return true;
    names = section_names(b, elf, &names_bytes);
    b->sections = calloc(count, sizeof *b->sections);
    if (!b->sections)
        return sr_object_no_memory(b);
    for (size_t i = 0; i < count; i++) {
        struct sr_object_section *s = &b->sections[b->n_sections];
        GElf_Shdr sh;

        if (!gelf_getshdr(elf_getscn(elf, i), &sh) || sh.sh_type == SHT_NULL ||
            (sh.sh_type != SHT_NOBITS &&
             (sh.sh_offset > b->size || sh.sh_size > b->size - sh.sh_offset)))
            continue;
        *s = (struct sr_object_section){.addr = sh.sh_addr,
                                        .size = sh.sh_size,
                                        .offset = sh.sh_offset,
                                        .flags = sh.sh_flags,
                                        .type = sh.sh_type,
                                        .link = sh.sh_link,
                                        .index = (uint32_t)i,
                                        .name = sh.sh_name < names_bytes ? names + sh.sh_name : ""};
        b->n_sections++;
        /* .tbss takes no room: its addresses are those of what follows. */
        if ((sh.sh_flags & SHF_ALLOC) && !(sh.sh_type == SHT_NOBITS && (sh.sh_flags & SHF_TLS)) &&
            !sr_object_border(b, sh.sh_addr, sh.sh_size))
            return false;
    }
    return true;
}

/* What libelf reads for us: section headers and the build-id. */
static bool read_with_libelf(struct sr_object_build *b) {
    const void *bits = NULL;
    ssize_t n;
    Elf *elf;
    bool ok;

    if (elf_version(EV_CURRENT) == EV_NONE)
        return sr_object_fail(b, "libelf does not know this version of ELF; update libelf");
    elf = elf_memory((char *)b->image, b->size);
    if (!elf) /* only for section headers that lie outside of the file */
        return true;
    ok = read_sections(b, elf);
    n = dwelf_elf_gnu_build_id(elf, &bits);
    if (n > 0 && 2 * (size_t)n < SR_BUILD_ID_BYTES)
        for (size_t i = 0; i < (size_t)n; i++)
            snprintf(b->o->build_id + 2 * i, 3, "%02x", ((const unsigned char *)bits)[i]);
    elf_end(elf);
    return ok;
}

/* Program headers but PT_LOAD and PT_DYNAMIC. */
static bool read_other_phdrs(struct sr_object_build *b) {
    const Elf64_Phdr *ph = sr_object_phdr(b, PT_INTERP);

    if (ph) {
        if (ph->p_offset > b->size || ph->p_filesz > b->size - ph->p_offset ||
            !memchr(b->image + ph->p_offset, '\0', ph->p_filesz))
            return sr_object_damaged(b, "the name of its interpreter has no end");
        b->o->interp = (char *)b->image + ph->p_offset;
    }
    ph = sr_object_phdr(b, PT_TLS);
    if (ph && ph->p_filesz > 0) {
        if (!sr_object_table(b, ph->p_vaddr, ph->p_filesz, "its thread-local data"))
            return false;
        b->o->tls_lo = ph->p_vaddr;
        b->o->tls_hi = ph->p_vaddr + ph->p_filesz;
        if (!sr_object_border(b, ph->p_vaddr, ph->p_filesz))
            return false;
    }
    ph = sr_object_phdr(b, PT_GNU_RELRO);
    return !ph || sr_object_border(b, ph->p_vaddr, ph->p_memsz);
}

bool sr_object_read_headers(struct sr_object_build *b) {
    struct sr_object *o = b->o;
    Elf64_Ehdr eh = {0};

    if (!check_header(b, &eh) || !read_phdrs(b, &eh) || !read_segments(b) || !read_with_libelf(b) ||
        !sr_object_split(b, eh.e_entry) || !read_other_phdrs(b))
        return false;
    o->fixed = eh.e_type == ET_EXEC;
    o->entry = sr_object_is_code(o, eh.e_entry) ? eh.e_entry : 0;
    return true;
}
