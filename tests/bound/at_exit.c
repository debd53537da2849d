/* A function that runs at exit. */
#include <stdlib.h>

#include "rare.h"

static void last(void) {
    RARE(SYS_ioprio_get);
}

int main(void) {
    return atexit(last);
}
