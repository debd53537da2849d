/* A table of functions in a library, which a COPY relocation moves into the program. */
#include "copied_lib.h"

int main(int argc, char **argv) {
    (void)argv;
    return library_ops.go[(unsigned)argc & 1]() == -9999;
}
