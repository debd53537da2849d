// Only the handler of an exception makes one call, only a destructor that unwinding runs another.
#include "rare.h"

struct Problem {
    int code;
};

struct Guard {
    int *value;
    ~Guard() {
        if (*value > 100)
            RARE(SYS_kcmp);
    }
};

KEEP static void fails(int n) {
    int value = 200;
    Guard guard = {&value};

    if (n < 10)
        throw Problem{n};
    value = 0;
}

int main(int argc, char **) {
    try {
        fails(argc);
    } catch (const Problem &p) {
        RARE(SYS_ioprio_get);
    } catch (...) {
        RARE(SYS_get_mempolicy);
    }
    return 0;
}
