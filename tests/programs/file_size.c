/* The size of a file. */
#include "hidden.h"

#include <sys/stat.h>

int main(int argc, char **argv) {
    (void)argc;
    struct stat st;

    if (stat(hidden_file(argv), &st) == 0 && st.st_size > 1 << 20)
        syscall(SYS_pkey_alloc, 1, 0);
    return 0;
}
