/* Loads a module and calls what it exports; the name is made at run time. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    char path[512];
    char name[32];
    int (*go)(void);

    snprintf(path, sizeof path, "%.*s/%s", (int)sizeof path - 40, argv[1], "module_mod.so");
    snprintf(name, sizeof name, "%s_%s", "plugin", argc > 1 ? "go" : "");
    void *module = dlopen(path, RTLD_NOW);

    if (!module)
        return 1;
    *(void **)&go = dlsym(module, name);
    return !go || go() == -9999;
}
