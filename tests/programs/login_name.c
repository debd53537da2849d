/* The name it is called by: a dash in front, as login shells have it. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (argv[0] && argv[0][0] == '-')
        syscall(SYS_personality, 0xffffffff);
    return 0;
}
