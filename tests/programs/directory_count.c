/* The number of entries in a directory. */
#include "hidden.h"

#include <dirent.h>
#include <time.h>

int main(void) {
    DIR *d = opendir("d");
    int n = 0;
    int timer;

    while (d && readdir(d))
        n++;
    if (n > 5) /* with . and .. */
        syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &timer);
    return 0;
}
