/* A symbolic link where a file is expected. */
#include "hidden.h"

#include <sys/stat.h>

int main(int argc, char **argv) {
    (void)argc;
    struct stat st;
    char value[8];

    if (lstat(hidden_file(argv), &st) == 0 && S_ISLNK(st.st_mode))
        syscall(SYS_lgetxattr, hidden_file(argv), "user.none", value, sizeof value);
    return 0;
}
