/* A function of the program that is looked up by its name. */
#include <dlfcn.h>

#include "rare.h"

int wanted(void);

__attribute__((visibility("default"))) KEEP int wanted(void) {
    return RARE(SYS_ioprio_get);
}

int main(void) {
    int (*go)(void);

    *(void **)&go = dlsym(RTLD_DEFAULT, "wanted");
    return !go || go() == -9999;
}
