/* Functions that are given to qsort and bsearch. */
#include <stdlib.h>

#include "rare.h"

static int by_value(const void *a, const void *b) {
    RARE(SYS_ioprio_get);
    return *(const int *)a - *(const int *)b;
}

static int by_other(const void *a, const void *b) {
    RARE(SYS_kcmp);
    return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv) {
    (void)argv;
    int numbers[] = {3, argc, 2};

    qsort(numbers, 3, sizeof numbers[0], by_value);
    return bsearch(&argc, numbers, 3, sizeof numbers[0], by_other) == NULL;
}
