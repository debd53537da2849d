/* A mutex of no protocol: nothing here can set one. */
#include <pthread.h>

int main(void) {
    pthread_mutex_t mutex;

    pthread_mutex_init(&mutex, NULL);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    return 0;
}
