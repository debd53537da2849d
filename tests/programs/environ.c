/* The presence of a variable in the environment. */
#include "hidden.h"

int main(void) {
    if (getenv("HIDDEN_TRACE"))
        syscall(SYS_timerfd_create, 0, 0);
    return 0;
}
