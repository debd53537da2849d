/* The mode of a file; asked in a way that means the same for root. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    char handle[64] = {0};

    if (access(hidden_file(argv), X_OK) == 0)
        syscall(SYS_name_to_handle_at, -1, "", handle, handle + 32, 0);
    return 0;
}
