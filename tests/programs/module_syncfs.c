/* The module that loaded_module loads: it makes the call. */
#include <sys/syscall.h>
#include <unistd.h>

void module_run(void);

void module_run(void) {
    syscall(SYS_syncfs, -1);
}
