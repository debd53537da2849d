/*
 * Fuzz target: reads any bytes as a set file, and checks that what we write is read as the same.
 *
 * fuzz_set FILE, or the bytes at stdin. Aborts when a set changes on its way through a file.
 */
#include <stdio.h>
#include <stdlib.h>

#include "names.h"
#include "setfile.h"

static char *print(const struct sr_setfile *sf, bool json, size_t *size) {
    char *text = NULL;
    FILE *f = open_memstream(&text, size);

    if (!f || !(json ? sr_setfile_write_json(f, sf) : sr_setfile_write(f, sf)) || fclose(f))
        abort();
    return text;
}

/* Written and read again, a set has the same body and images, and the same text. */
static void check(const struct sr_setfile *sf, bool json) {
    struct sr_setfile_error err;
    struct sr_setfile *again;
    size_t size, size2;
    char *text = print(sf, json, &size), *text2;

    again = sr_setfile_parse("written", text, size, &err);
    if (!again) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    if (!sr_set_equal(&sf->body, &again->body))
        abort();
    text2 = print(again, json, &size2);
    if (size != size2 || memcmp(text, text2, size) != 0)
        abort();
    free(text);
    free(text2);
    sr_setfile_free(again);
}

int main(int argc, char **argv) {
    struct sr_setfile_error err;
    struct sr_setfile *sf = sr_setfile_read(argc > 1 ? argv[1] : "-", &err);

    if (!sf) {
        puts(err.text);
        return 0;
    }
    check(sf, false);
    check(sf, true);
    printf("%u calls\n", sr_set_count(&sf->body));
    sr_setfile_free(sf);
    return 0;
}
