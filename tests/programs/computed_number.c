/* syscall(2) with a number that stands nowhere in the program: it comes from the input. */
#include "hidden.h"

int main(int argc, char **argv) {
    (void)argc;
    char digits[8];
    unsigned cpu, node;

    hidden_read(hidden_file(argv), digits, sizeof digits);
    if (atoi(digits) * 3 == SYS_getcpu)
        syscall(atoi(digits) * 3, &cpu, &node, NULL);
    return 0;
}
