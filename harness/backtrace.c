/*
 * Unwinds a discovery's saved stack with elfutils' libdwfl and names its frames.
 *
 * Three parts: the evidence is read into struct evidence (bounded, every line checked); its
 * executable objects are reported to libdwfl, which then asks us for registers and for words of
 * memory; each frame that lies in an executable mapping is printed. libdwfl's own finders of files
 * are not used: one opens whatever a map names, another asks debuginfod servers over the network.
 */
#include "backtrace.h"

#include <ctype.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVIDENCE_BYTES_MAX (64u << 10)
#define MAPS_BYTES_MAX     (4u << 20)
#define STACK_BYTES_MAX    (8u << 20)
#define MAPPINGS_MAX       8192
#define THREAD_ID          1 /* there is one thread and nobody else uses its number */

/* DWARF's numbers of the x86-64 registers: System V psABI, figure 3.36. */
enum { DW_RSP = 7, DW_RIP = 16, DW_REGS = 17 };
static const char *const reg_names[DW_REGS] = {
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8",
    "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip",
};

struct mapping {
    uint64_t start, end, offset, inode;
    bool executable, writable;
    const char *path; /* into maps_text; "" for anonymous memory */
    size_t first;     /* index of the first of the neighbours that map the same file */
};

struct evidence {
    Dwarf_Word regs[DW_REGS];
    bool has_reg[DW_REGS];
    unsigned char *stack; /* from rsp on */
    size_t stack_len;
    char *maps_text;
    struct mapping *maps; /* sorted, they do not overlap */
    size_t n_maps;
};

/* The whole of a regular file up to max bytes, a NUL after them. NULL: errno says why. */
static void *slurp(int dir, const char *name, size_t max, size_t *len) {
    /* Without O_NONBLOCK a fifo that stands there would hold us up. */
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    struct stat st;
    size_t size, got = 0;
    char *buf;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        errno = EINVAL;
        return NULL;
    }
    size = (uint64_t)st.st_size < max ? (size_t)st.st_size : max;
    buf = malloc(size + 1);
    while (buf && got < size) {
        ssize_t n = read(fd, buf + got, size - got);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (!buf)
        return NULL;
    buf[got] = '\0';
    *len = got;
    return buf;
}

/* Fills regs from the lines "reg NAME 0xVALUE"; other lines are not for us. */
static void read_regs(struct evidence *ev, char *text) {
    char *save;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char name[8];
        uint64_t value;

        if (sscanf(line, "reg %7s 0x%" SCNx64, name, &value) != 2)
            continue;
        for (int i = 0; i < DW_REGS; i++)
            if (strcmp(name, reg_names[i]) == 0) {
                ev->regs[i] = value;
                ev->has_reg[i] = true;
            }
    }
}

/* One line of /proc/PID/maps; false where it is not one. */
static bool parse_mapping(char *line, struct mapping *m) {
    char perms[5];
    int path = 0;

    memset(m, 0, sizeof *m);
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*x:%*x %" SCNu64 " %n", &m->start,
               &m->end, perms, &m->offset, &m->inode, &path) < 5 ||
        strlen(perms) != 4 || m->end <= m->start || path == 0)
        return false;
    m->executable = perms[2] == 'x';
    m->writable = perms[1] == 'w';
    m->path = line + path;
    return true;
}

/*
 * The kernel writes mappings in the order of their addresses. A line out of order is damage and is
 * dropped, so that nothing below has to think of mappings that overlap.
 */
static void read_maps(struct evidence *ev) {
    uint64_t last_end = 0;
    char *save;

    ev->maps = calloc(MAPPINGS_MAX, sizeof *ev->maps);
    if (!ev->maps)
        return;
    for (char *line = strtok_r(ev->maps_text, "\n", &save); line && ev->n_maps < MAPPINGS_MAX;
         line = strtok_r(NULL, "\n", &save)) {
        struct mapping *m = &ev->maps[ev->n_maps];

        if (!parse_mapping(line, m) || m->start < last_end)
            continue;
        m->first = ev->n_maps;
        if (m->path[0] && ev->n_maps > 0 && m[-1].inode == m->inode &&
            strcmp(m[-1].path, m->path) == 0)
            m->first = m[-1].first;
        last_end = m->end;
        ev->n_maps++;
    }
}

static const struct mapping *find_mapping(const struct evidence *ev, uint64_t addr) {
    size_t lo = 0, hi = ev->n_maps;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (addr < ev->maps[mid].start)
            hi = mid;
        else if (addr >= ev->maps[mid].end)
            lo = mid + 1;
        else
            return &ev->maps[mid];
    }
    return NULL;
}

/* The file that was mapped, or -1 where another one, or none, stands at its path now. */
static int open_mapped(const struct mapping *m) {
    struct stat st;
    int fd;

    if (m->path[0] != '/')
        return -1;
    fd = open(m->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_ino != m->inode) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A word that a file mapping held: from the file, where the program could not have changed it. */
static bool read_from_file(const struct evidence *ev, uint64_t addr, Dwarf_Word *word) {
    const struct mapping *m = find_mapping(ev, addr);
    bool done;
    int fd;

    if (!m || m->writable || m->end - addr < sizeof *word)
        return false;
    fd = open_mapped(m);
    if (fd < 0)
        return false;
    done = pread(fd, word, sizeof *word, (off_t)(m->offset + (addr - m->start))) ==
           (ssize_t)sizeof *word;
    close(fd);
    return done;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *word, void *arg) {
    const struct evidence *ev = arg;
    uint64_t at = addr - ev->regs[DW_RSP];

    (void)dwfl;
    if (addr >= ev->regs[DW_RSP] && ev->stack_len >= sizeof *word &&
        at <= ev->stack_len - sizeof *word) {
        memcpy(word, ev->stack + at, sizeof *word);
        return true;
    }
    return read_from_file(ev, addr, word);
}

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread_arg) {
    (void)dwfl;
    if (*thread_arg)
        return 0;
    *thread_arg = arg;
    return THREAD_ID;
}

/*
 * rip stands behind the syscall instruction. One byte back is inside it: the same stack, and the
 * right function even where the instruction is a function's last.
 */
static bool set_initial_registers(Dwfl_Thread *thread, void *arg) {
    const struct evidence *ev = arg;
    Dwarf_Word rip = ev->regs[DW_RIP] - 1;

    for (int i = 0; i < DW_RIP; i++)
        if (ev->has_reg[i] && !dwfl_thread_state_registers(thread, i, 1, &ev->regs[i]))
            return false;
    return dwfl_thread_state_registers(thread, DW_RIP, 1, &rip);
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
    .next_thread = next_thread,
    .memory_read = memory_read,
    .set_initial_registers = set_initial_registers,
};

/*
 * The vDSO has no file; ours is the same code where we run under the kernel that the process ran
 * under. It matters where its functions fall back to the real call.
 */
static Elf *open_vdso(const struct mapping *m) {
    char *image = (char *)getauxval(AT_SYSINFO_EHDR);
    unsigned long here;
    char line[512];
    Elf *elf = NULL;
    FILE *f = fopen("/proc/self/maps", "re");

    while (f && image && fgets(line, sizeof line, f)) {
        struct mapping own;

        if (sscanf(line, "%lx", &here) == 1 && here == (unsigned long)image &&
            parse_mapping(line, &own) && own.end - own.start == m->end - m->start)
            elf = elf_memory(image, own.end - own.start);
    }
    if (f)
        fclose(f);
    return elf;
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
                    char **file_name, Elf **elf) {
    const struct mapping *m = *userdata;
    int fd;

    (void)mod;
    (void)name;
    (void)base;
    if (!m)
        return -1;
    if (strcmp(m->path, "[vdso]") == 0) {
        *elf = open_vdso(m);
        return -1;
    }
    fd = open_mapped(m);
    if (fd >= 0)
        *file_name = strdup(m->path);
    return fd;
}

/* Debug packages of the distribution lie by build-id; nothing else is looked at. */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *modname, Dwarf_Addr base,
                          const char *file_name, const char *debuglink, GElf_Word crc,
                          char **found) {
    const unsigned char *id;
    GElf_Addr vaddr;
    char path[160];
    int n, len, fd;

    (void)userdata;
    (void)modname;
    (void)base;
    (void)file_name;
    (void)debuglink;
    (void)crc;
    len = dwfl_module_build_id(mod, &id, &vaddr);
    if (len < 2 || len > 32)
        return -1;
    n = snprintf(path, sizeof path, "/usr/lib/debug/.build-id/%02x/", id[0]);
    for (int i = 1; i < len; i++)
        n += snprintf(path + n, sizeof path - (size_t)n, "%02x", id[i]);
    snprintf(path + n, sizeof path - (size_t)n, ".debug");
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        *found = strdup(path);
    return fd;
}

static const Dwfl_Callbacks callbacks = {.find_elf = find_elf, .find_debuginfo = find_debuginfo};

/* Tells libdwfl of each object that was mapped executable and whole, from its ELF header on. */
static void report_modules(Dwfl *dwfl, const struct evidence *ev) {
    dwfl_report_begin(dwfl);
    for (size_t i = 0; i < ev->n_maps;) {
        struct mapping *first = &ev->maps[i];
        bool executable = false;
        size_t next = i;

        for (; next < ev->n_maps && ev->maps[next].first == i; next++)
            executable |= ev->maps[next].executable;
        if (executable && first->offset == 0 &&
            (first->path[0] == '/' || strcmp(first->path, "[vdso]") == 0)) {
            Dwfl_Module *mod =
                dwfl_report_module(dwfl, first->path, first->start, ev->maps[next - 1].end);
            void **userdata;

            if (mod && dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL))
                *userdata = first;
        }
        i = next;
    }
    dwfl_report_end(dwfl, NULL, NULL);
}

struct printer {
    const struct evidence *ev;
    Dwfl *dwfl;
    FILE *out;
    unsigned frames;
};

/* Names come from the target's files: nothing of them may steer a terminal or break a line. */
static void print_clean(FILE *out, const char *s) {
    for (; *s; s++)
        fputc(isprint((unsigned char)*s) || (unsigned char)*s >= 0x80 ? *s : '?', out);
}

/* at lies inside the instruction that made the call, pc just behind it. */
static void print_frame(struct printer *p, uint64_t at, uint64_t pc) {
    const struct mapping *m = find_mapping(p->ev, at);
    Dwfl_Module *mod = p->dwfl ? dwfl_addrmodule(p->dwfl, at) : NULL;
    const char *symbol = NULL;
    GElf_Off offset = 0;
    GElf_Addr bias = 0;
    GElf_Sym sym;

    fprintf(p->out, "#%-2u 0x%016" PRIx64 " ", p->frames++, pc);
    if (mod)
        symbol = dwfl_module_addrinfo(mod, at, &offset, &sym, NULL, NULL, NULL);
    /* A symbol without a size is just the nearest one before: that is no name for this place. */
    if (symbol && sym.st_size > 0 && offset < sym.st_size) {
        print_clean(p->out, symbol);
        fprintf(p->out, "+0x%" PRIx64, offset + (pc - at));
    } else {
        fputc('-', p->out);
    }
    fputs("  ", p->out);
    if (!m || !m->path[0]) {
        fputs("-\n", p->out);
        return;
    }
    if (!mod || !dwfl_module_getelf(mod, &bias))
        bias = p->ev->maps[m->first].start - p->ev->maps[m->first].offset;
    print_clean(p->out, m->path);
    fprintf(p->out, " (0x%" PRIx64 ")\n", pc - bias);
}

static int on_frame(Dwfl_Frame *frame, void *arg) {
    struct printer *p = arg;
    Dwarf_Addr pc, at;
    bool activation;
    const struct mapping *m;

    if (p->frames == SR_BACKTRACE_FRAMES || !dwfl_frame_pc(frame, &pc, &activation))
        return DWARF_CB_ABORT;
    if (p->frames == 0) {
        at = pc; /* set_initial_registers has taken one off */
        pc++;
    } else {
        at = activation ? pc : pc - 1;
    }
    m = find_mapping(p->ev, at);
    /* Where unwind tables are missing libdwfl guesses from rbp; what is no code ends the guess. */
    if (p->frames > 0 && (!m || !m->executable))
        return DWARF_CB_ABORT;
    print_frame(p, at, pc);
    return DWARF_CB_OK;
}

static void unwind(struct evidence *ev, FILE *out) {
    struct printer p = {.ev = ev, .out = out};

    p.dwfl = dwfl_begin(&callbacks);
    if (p.dwfl) {
        report_modules(p.dwfl, ev);
        if (ev->has_reg[DW_RSP] &&
            dwfl_attach_state(p.dwfl, NULL, THREAD_ID, &thread_callbacks, ev))
            dwfl_getthread_frames(p.dwfl, THREAD_ID, on_frame, &p);
    }
    if (p.frames == 0)
        print_frame(&p, ev->regs[DW_RIP] - 1, ev->regs[DW_RIP]);
    if (p.dwfl)
        dwfl_end(p.dwfl);
}

/* Under another name first: a reader sees all frames or none; no symlink is followed. */
static int write_whole(int dir, struct evidence *ev) {
    static const char tmp[] = ".backtrace.tmp";
    int fd, rc = 0;
    FILE *out;

    unlinkat(dir, tmp, 0);
    fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0)
        return -errno;
    out = fdopen(fd, "w");
    if (!out) {
        rc = -errno;
        close(fd);
        unlinkat(dir, tmp, 0);
        return rc;
    }
    unwind(ev, out);
    if (fflush(out) != 0 || ferror(out))
        rc = errno ? -errno : -EIO;
    if (fclose(out) != 0 && rc == 0)
        rc = -errno;
    if (rc == 0 && renameat(dir, tmp, dir, "backtrace") < 0)
        rc = -errno;
    if (rc != 0)
        unlinkat(dir, tmp, 0);
    return rc;
}

int sr_backtrace_write(const char *discovery_dir) {
    struct evidence ev = {0};
    size_t len;
    char *text;
    int rc, dir = open(discovery_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir < 0)
        return -errno;
    text = slurp(dir, "evidence", EVIDENCE_BYTES_MAX, &len);
    if (!text) {
        rc = -errno;
        close(dir);
        return rc;
    }
    read_regs(&ev, text);
    free(text);
    ev.maps_text = slurp(dir, "maps", MAPS_BYTES_MAX, &len);
    if (ev.maps_text)
        read_maps(&ev);
    ev.stack = slurp(dir, "stack", STACK_BYTES_MAX, &ev.stack_len);
    rc = ev.has_reg[DW_RIP] ? write_whole(dir, &ev) : -EINVAL;
    free(ev.stack);
    free(ev.maps);
    free(ev.maps_text);
    close(dir);
    return rc;
}
