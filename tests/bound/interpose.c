/* The program defines a function that its library defines and calls as well: the program's wins. */
#include "rare.h"

int hooked(void);
int library_work(void);

int hooked(void) {
    return RARE(SYS_ioprio_get);
}

int main(void) {
    return library_work() == -9999;
}
