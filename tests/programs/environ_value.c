/* The value of a variable in the environment. */
#include "hidden.h"

int main(void) {
    const char *level = getenv("LEVEL");

    if (level && atoi(level) > 3)
        syscall(SYS_eventfd2, 0, 0);
    return 0;
}
