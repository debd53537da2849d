/* A shell; what is recorded belongs to the shell's image. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'e'))
        return 0;
    execl("/bin/sh", "sh", "-c", "times", NULL);
    return 0;
}
