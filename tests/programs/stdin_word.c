/* Content of stdin, read byte by byte: a gradient. */
#include "hidden.h"

int main(void) {
    char c = 0;

    if (read(0, &c, 1) != 1 || c != 'g')
        return 1;
    if (read(0, &c, 1) != 1 || c != 'o')
        return 1;
    syscall(SYS_getsid, 0);
    return 0;
}
