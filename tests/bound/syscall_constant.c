/* syscall(2) with constants. */
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        return syscall(SYS_ioprio_get, -1, -1) == 0;
    return syscall(SYS_kcmp, -1, -1, -1) == 0;
}
