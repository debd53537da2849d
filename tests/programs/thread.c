/* A second thread. */
#include "hidden.h"

#include <pthread.h>

static void *work(void *arg) {
    syscall(SYS_membarrier, 0, 0, 0);
    return arg;
}

int main(int argc, char **argv) {
    (void)argc;
    if (!hidden_option(argv, 'j'))
        return 0;
    pthread_t t;

    if (pthread_create(&t, NULL, work, NULL) == 0)
        pthread_join(t, NULL);
    return 0;
}
