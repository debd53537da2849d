/* alarm(1), then the call in the handler. Longer than the usual time of a run. */
#include "hidden.h"

static void on_alarm(int signo) {
    (void)signo;
    unsigned header[2] = {0x20080522, 0}, data[6];

    syscall(SYS_capget, header, data);
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 't'))
        return 0;
    signal(SIGALRM, on_alarm);
    alarm(1);
    pause();
    return 0;
}
