/* The program executes itself; the second image makes the call. */
#include "hidden.h"

#include <sys/file.h>

int main(int argc, char **argv) {
    if (argc > 0 && strcmp(argv[0], "again") == 0) {
        syscall(SYS_flock, 2, LOCK_UN);
        return 0;
    }
    if (hidden_option(argv, 'e'))
        execl("/proc/self/exe", "again", NULL);
    return 0;
}
