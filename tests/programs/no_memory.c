/* A failing malloc under a limit of address space. */
#include "hidden.h"

int main(void) {
    void *volatile p = malloc(256u << 20);

    if (!p)
        syscall(SYS_mlock, 0, 0);
    free(p);
    return 0;
}
