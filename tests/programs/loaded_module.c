/* A function of a module that is loaded at run time. */
#include "hidden.h"

#include <dlfcn.h>

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'm'))
        return 0;
    void *module = dlopen(MODULES "/module_syncfs.so", RTLD_NOW);
    void (*run)(void);

    if (!module)
        return 1;
    *(void **)&run = dlsym(module, "module_run");
    if (run)
        run();
    return 0;
}
