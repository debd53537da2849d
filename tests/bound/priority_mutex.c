/* A mutex whose protocol changes its owner's priority. */
#include <pthread.h>
#include <string.h>

int main(int argc, char **argv) {
    pthread_mutexattr_t attr;
    pthread_mutex_t mutex;

    (void)argv;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, argc > 1 ? PTHREAD_PRIO_PROTECT : PTHREAD_PRIO_NONE);
    pthread_mutex_init(&mutex, &attr);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return 0;
}
