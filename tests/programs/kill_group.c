/* kill(0) reaches the whole process group; the program itself survives by its handler. */
#include "hidden.h"

static void on_term(int signo) {
    (void)signo;
    syscall(SYS_mincore, 0, 0, NULL);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'k'))
        return 0;
    signal(SIGTERM, on_term);
    kill(0, SIGTERM);
    return 0;
}
