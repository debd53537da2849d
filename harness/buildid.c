/*
 * The build-id of an ELF file, read with elfutils.
 *
 * The path comes from a traced program, so it may name anything: a fifo must not block, a device
 * must not be read, and a damaged file is a file without a build-id.
 */
#include "buildid.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool from_elf(int fd, char buf[SR_BUILD_ID_BYTES]) {
    const void *bits = NULL;
    ssize_t n = -1;
    Elf *elf;

    if (elf_version(EV_CURRENT) == EV_NONE)
        return false;
    /* read, not mapped: a file cut meanwhile is then an error and no SIGBUS. */
    elf = elf_begin(fd, ELF_C_READ, NULL);
    if (!elf)
        return false;
    if (elf_kind(elf) == ELF_K_ELF)
        n = dwelf_elf_gnu_build_id(elf, &bits);
    if (n > 0 && 2 * (size_t)n < SR_BUILD_ID_BYTES)
        for (size_t i = 0; i < (size_t)n; i++)
            snprintf(buf + 2 * i, 3, "%02x", ((const unsigned char *)bits)[i]);
    elf_end(elf);
    return *buf;
}

bool sr_build_id(const char *path, char buf[SR_BUILD_ID_BYTES]) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    bool found;

    *buf = 0;
    if (fd < 0)
        return false;
    found = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && from_elf(fd, buf);
    close(fd);
    return found;
}
