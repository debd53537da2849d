/*
 * The floor of every static analysis of machine code: reading the bytes of the executable segments
 * and decoding each once, from the first to the last, with the decoder that sysreach uses. Nothing
 * is kept. bound_bench.py compares `sysreach bound` with it.
 *
 * Prints: bytes, instructions, CPU seconds.
 * Usage: decode_floor OBJECT...
 */
#include <Zydis/Zydis.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct sums {
    uint64_t bytes, instructions;
};

static void decode(const ZydisDecoder *decoder, const uint8_t *p, uint64_t len, struct sums *s) {
    s->bytes += len;
    while (len) {
        ZydisDecoderContext context;
        ZydisDecodedInstruction insn;
        uint64_t step = 1; /* past a byte that begins no instruction */

        if (ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(decoder, &context, p, len, &insn))) {
            step = insn.length;
            s->instructions++;
        }
        p += step;
        len -= step;
    }
}

static void decode_segments(const ZydisDecoder *decoder, Elf *elf, const uint8_t *map,
                            uint64_t size, struct sums *s) {
    size_t n = 0;

    if (elf_getphdrnum(elf, &n))
        return;
    for (size_t i = 0; i < n; i++) {
        GElf_Phdr ph;

        if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_LOAD || !(ph.p_flags & PF_X))
            continue;
        if (ph.p_offset <= size && ph.p_filesz <= size - ph.p_offset)
            decode(decoder, map + ph.p_offset, ph.p_filesz, s);
    }
}

static int decode_file(const ZydisDecoder *decoder, const char *path, struct sums *s) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *map = MAP_FAILED;
    Elf *elf;

    if (fd >= 0 && !fstat(fd, &st) && st.st_size > 0)
        map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (fd >= 0)
        close(fd);
    if (map == MAP_FAILED) {
        perror(path);
        return -1;
    }
    elf = elf_memory(map, (size_t)st.st_size);
    if (elf)
        decode_segments(decoder, elf, map, (uint64_t)st.st_size, s);
    elf_end(elf);
    munmap(map, (size_t)st.st_size);
    return 0;
}

int main(int argc, char **argv) {
    struct sums s = {0, 0};
    struct timespec used;
    ZydisDecoder decoder;

    if (argc < 2 || elf_version(EV_CURRENT) == EV_NONE ||
        ZYAN_FAILED(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64))) {
        fprintf(stderr, "usage: %s OBJECT...\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (decode_file(&decoder, argv[i], &s))
            return 1;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    printf("%" PRIu64 " %" PRIu64 " %.4f\n", s.bytes, s.instructions,
           (double)used.tv_sec + (double)used.tv_nsec / 1e9);
    return 0;
}
