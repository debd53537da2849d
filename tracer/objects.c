/*
 * Mapped objects, see objects.h. ld.so and dlopen map code with mmap(…PROT_EXEC…, fd): the path is
 * read from /proc before the call is made. Code that becomes executable by mprotect is not seen.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "objects.h"
#include "sys.h"
#include "text.h"

#define I386_MMAP2 192

void sr_objects_on_call(struct sr_recorder *r, const struct sr_stop *stop) {
    bool is_mmap = (stop->call.abi == SR_ABI_X86_64 && stop->call.nr == SYS_mmap) ||
                   (stop->call.abi == SR_ABI_I386 && stop->call.nr == I386_MMAP2);
    int fd = (int)stop->args[4];
    char path[64], file[4096];
    struct sr_text t = {path, sizeof path, 0};

    if (!is_mmap || !(stop->args[2] & PROT_EXEC) || fd < 0)
        return;
    sr_text_proc(&t, stop->tid, "fd/");
    sr_text_int(&t, fd);
    long n = sr_sys(SYS_readlinkat, AT_FDCWD, path, file, sizeof file - 1);
    if (n <= 0)
        return;
    file[n] = 0;
    r->ops->object(r->ctx, stop->image, file);
}

/* "55d0…-55d1… r-xp 00002000 fe:00 1234   /usr/bin/diff" */
static const char *executable_file(char *line) {
    char *mode = strchr(line, ' ');
    char *path = strchr(line, '/');

    return mode && path && mode[3] == 'x' ? path : NULL;
}

/* Reports the complete lines in buf; returns how many bytes they took. */
static size_t report_lines(struct sr_recorder *r, unsigned image, char *buf) {
    char *line = buf, *end;

    for (; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        const char *file = executable_file(line);
        if (file)
            r->ops->object(r->ctx, image, file);
    }
    return (size_t)(line - buf);
}

void sr_objects_mapped(struct sr_recorder *r, pid_t pid, unsigned image) {
    char path[64], buf[8192];
    struct sr_text t = {path, sizeof path, 0};
    size_t len = 0;
    long fd, n;

    sr_text_proc(&t, pid, "maps");
    fd = sr_sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    while (len < sizeof buf - 1 &&
           (n = sr_sys(SYS_read, fd, buf + len, sizeof buf - 1 - len)) > 0) {
        len += (size_t)n;
        buf[len] = 0;
        size_t took = report_lines(r, image, buf);
        len -= took;
        memmove(buf, buf + took, len);
    }
    sr_sys(SYS_close, fd);
}
