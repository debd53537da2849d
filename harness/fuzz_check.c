/*
 * What has to be so before a campaign can start: each failure says what is missing and what to do.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "commands.h"
#include "fuzz.h"
#include "paths.h"
#include "sandbox.h"

/* True when an ELF file has an interpreter, that is, is started by the dynamic loader. */
static bool has_interpreter(int fd, const Elf64_Ehdr *head) {
    for (unsigned i = 0; i < head->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t at = (off_t)(head->e_phoff + (uint64_t)i * head->e_phentsize);

        if (pread(fd, &segment, sizeof segment, at) != (ssize_t)sizeof segment)
            return false;
        if (segment.p_type == PT_INTERP)
            return true;
    }
    return false;
}

static const char *unfit(int fd) {
    Elf64_Ehdr head;
    ssize_t n = pread(fd, &head, sizeof head, 0);
    struct stat st;

    if (n >= 2 && memcmp(&head, "#!", 2) == 0)
        return "a script; name its interpreter as the program: -- INTERPRETER SCRIPT";
    if (n != (ssize_t)sizeof head || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 ||
        head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_machine != EM_X86_64)
        return "not an ELF program for x86-64";
    if (head.e_type != ET_EXEC && head.e_type != ET_DYN)
        return "not an executable";
    if (!has_interpreter(fd, &head))
        return "statically linked, so that nothing can be preloaded; `sysreach trace` records it";
    if (fstat(fd, &st) == 0 && st.st_mode & (S_ISUID | S_ISGID))
        return "setuid or setgid, and such programs ignore preloaded libraries; "
               "copy it without these bits and fuzz the copy";
    if (fgetxattr(fd, "security.capability", NULL, 0) > 0)
        return "one with file capabilities, and such programs ignore preloaded libraries; "
               "copy it (the copy has none) and fuzz the copy";
    return NULL;
}

int sr_fuzz_check_program(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *why;

    if (fd < 0) {
        sr_error("%s: %s; the program has to be readable", path, strerror(errno));
        return -1;
    }
    why = unfit(fd);
    close(fd);
    if (!why && access(path, X_OK))
        why = "not executable for this user";
    if (why)
        sr_error("%s cannot be fuzzed: it is %s", path, why);
    return why ? -1 : 0;
}

static int check_library(const char *name) {
    char path[PATH_MAX];

    if (snprintf(path, sizeof path, "%s/%s", sr_paths_lib(), name) < (int)sizeof path &&
        access(path, R_OK) == 0)
        return 0;
    sr_error("%s: %s; run `make`, or `make install` again", path, strerror(errno));
    return -1;
}

int sr_fuzz_check_system(struct sr_fuzz *f) {
    char why[512];

    if (sr_paths_program("afl-fuzz", f->afl, sizeof f->afl)) {
        sr_error("afl-fuzz: not found; install the package afl++");
        return -1;
    }
    if (check_library(SR_HOOK_LIBRARY) || check_library(SR_MUTATOR_LIBRARY))
        return -1;
    if (sr_sandbox_check(why, sizeof why)) {
        sr_error("%s", why);
        return -1;
    }
    return 0;
}
