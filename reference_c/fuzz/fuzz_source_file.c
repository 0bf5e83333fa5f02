/* libFuzzer target: the list of sources. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Settings settings;
    Error err = {""};
    Detector detector;
    Beam beam;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    default_settings(&settings, 1);
    settings.source_file = "fuzz";
    settings.fpixels = settings.spixels = 8;
    if (place_detector(&detector, &settings, &err)) {
        build_beam(&beam, &settings, &detector, text, &err);
        free_beam(&beam);
    }
    free(text);
    return 0;
}
