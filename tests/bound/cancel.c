/* A thread's clean-up when it is cancelled: libc loads libgcc_s at run time to unwind it. */
#include <pthread.h>
#include <unistd.h>

#include "rare.h"

static void clean_up(void *arg) {
    (void)arg;
    RARE(SYS_ioprio_get);
}

static void *work(void *arg) {
    pthread_cleanup_push(clean_up, NULL);
    for (;;)
        pause();
    pthread_cleanup_pop(0);
    return arg;
}

int main(void) {
    pthread_t t;

    if (pthread_create(&t, NULL, work, NULL) != 0)
        return 1;
    pthread_cancel(t);
    return pthread_join(t, NULL);
}
