/*
 * A processor for each instance. afl-fuzz binds itself to one, which makes tracing five times
 * cheaper than across two, but in its own pid namespace it sees no other afl-fuzz and they would
 * all take the first. So the choice is made here, where all can be seen.
 */
#include <ctype.h>
#include <dirent.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* The one processor that an afl-fuzz is bound to; -1: no afl-fuzz, or not bound. */
static int bound_to(const char *pid) {
    static const char name[] = "Name:\tafl-fuzz\n", key[] = "\nCpus_allowed_list:\t";
    char path[64], text[8192], *at, *end;
    long cpu = -1;
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%.20s/status", pid);
    f = fopen(path, "re");
    if (!f)
        return -1;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = 0;
    at = strncmp(text, name, sizeof name - 1) == 0 ? strstr(text, key) : NULL;
    if (at) {
        cpu = strtol(at + sizeof key - 1, &end, 10);
        if (*end != '\n') /* a list or a range */
            cpu = -1;
    }
    return cpu >= 0 && cpu < CPU_SETSIZE ? (int)cpu : -1;
}

static void count_bound(unsigned used[CPU_SETSIZE]) {
    DIR *proc = opendir("/proc");

    for (struct dirent *e; proc && (e = readdir(proc));) {
        int cpu = isdigit((unsigned char)e->d_name[0]) ? bound_to(e->d_name) : -1;
        if (cpu >= 0)
            used[cpu]++;
    }
    if (proc)
        closedir(proc);
}

void sr_fuzz_choose_cpus(struct sr_fuzz *f) {
    unsigned used[CPU_SETSIZE] = {0};
    cpu_set_t allowed;
    bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;

    count_bound(used);
    for (unsigned i = 0; i < f->c.instances; i++) {
        int best = -1;

        for (size_t cpu = 0; known && cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &allowed) && (best < 0 || used[cpu] < used[best]))
                best = (int)cpu;
        f->instances[i].cpu = best;
        if (best >= 0)
            used[best]++;
    }
}
