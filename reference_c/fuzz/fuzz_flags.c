/* libFuzzer target: the flag parser. The input is a command line, one word per line. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MOST = 256 };
    static Settings settings;
    char program[] = "nanoBragg", *argv[MOST] = {program};
    char *text = malloc(size + 1), *rest = text;
    int argc = 1;
    Error err = {""};
    memcpy(text, data, size);
    text[size] = '\0';
    while (argc < MOST && *rest) {
        argv[argc++] = rest;
        rest += strcspn(rest, "\n");
        if (*rest)
            *rest++ = '\0';
    }
    default_settings(&settings, 1);
    if (preview_options(&settings, argc, argv, &err) && parse_options(&settings, argc, argv, &err))
        check_settings(&settings, &err);
    free(text);
    return 0;
}
