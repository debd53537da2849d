/* Functions that run before and after main, and that nothing but arrays names. */
#include "rare.h"

__attribute__((constructor)) static void before(void) {
    RARE(SYS_ioprio_get);
}

__attribute__((destructor)) static void after(void) {
    RARE(SYS_kcmp);
}

static void first(void) {
    RARE(SYS_get_mempolicy);
}

__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = first;

int main(void) {
    return 0;
}
