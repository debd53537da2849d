/* The name of the working directory. */
#include "hidden.h"

int main(void) {
    char path[4096];
    void *head;
    size_t size;

    if (getcwd(path, sizeof path) && strstr(path, "/below/there"))
        syscall(SYS_get_robust_list, 0, &head, &size);
    return 0;
}
