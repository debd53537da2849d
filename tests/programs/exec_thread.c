/* A thread that is not the first one executes the program again; its number becomes the first's. */
#include "hidden.h"

#include <pthread.h>

static void *again(void *arg) {
    execl("/proc/self/exe", "again", NULL);
    return arg;
}

int main(int argc, char **argv) {
    pthread_t t;

    if (argc > 0 && strcmp(argv[0], "again") == 0) {
        syscall(SYS_fdatasync, 2);
        return 0;
    }
    if (hidden_option(argv, 'e') && pthread_create(&t, NULL, again, NULL) == 0)
        pthread_join(t, NULL);
    return 0;
}
