/* syscall(2) with a number from the command line. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
    return argc > 1 && syscall(atoi(argv[1]), -1, -1) == 0;
}
