// An exception that nobody catches ends in the handler that was set for it.
#include <cstdlib>
#include <exception>

#include "rare.h"

static void ends() {
    RARE(SYS_ioprio_get);
    std::_Exit(3);
}

KEEP static void fails(int n) {
    if (n < 10)
        throw n;
}

int main(int argc, char **) {
    std::set_terminate(ends);
    fails(argc);
    return 0;
}
