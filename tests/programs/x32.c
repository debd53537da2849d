/* The x32 entry: the number's bit 30. A kernel without x32 answers ENOSYS; the call was made. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'x'))
        return 0;
    syscall(0x40000000 | SYS_getpriority, 0, 0);
    return 0;
}
