/* The start routine of a thread. */
#include <pthread.h>

#include "rare.h"

static void *work(void *arg) {
    RARE(SYS_ioprio_get);
    return arg;
}

int main(void) {
    pthread_t t;

    if (pthread_create(&t, NULL, work, NULL) != 0)
        return 1;
    return pthread_join(t, NULL);
}
