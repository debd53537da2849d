/* Behind a setjmp that returns twice. */
#include <setjmp.h>

#include "rare.h"

static jmp_buf back;

KEEP static void deep(int n) {
    if (n < 3)
        longjmp(back, 1);
}

int main(int argc, char **argv) {
    (void)argv;
    if (setjmp(back) == 0)
        deep(argc);
    else
        RARE(SYS_ioprio_get);
    return 0;
}
