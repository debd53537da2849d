/* Functions of libc: direct calls, through the PLT or the GOT, and one whose address is taken. */
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int (*volatile more)(int) = argc > 1 ? nice : isatty;

    (void)argv;
    return getpriority(PRIO_PROCESS, 0) == 99 || more(0) == 99;
}
