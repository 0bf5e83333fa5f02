/* libFuzzer target: the MOSFLM matrix, through to the crystal that is built from it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crystal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Settings settings;
    Error err = {""};
    Crystal crystal;
    Generator generator = {0};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    default_settings(&settings, 1);
    settings.mat_file = "fuzz";
    settings.sample_x_m = 1e-6;
    if (build_crystal(&crystal, &settings, text, &generator, &err)) {
        double largest_m;
        recommended_oversample(&crystal, 1e-7, &largest_m);
    }
    free_crystal(&crystal);
    free(text);
    return 0;
}
