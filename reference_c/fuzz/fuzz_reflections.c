/* libFuzzer target: the reflection file and, when the input begins with '#', the dump file behind that byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "structure_factors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err = {""};
    Reflections refl = {0};
    char *text = malloc(size + 1);
    int dump = size && data[0] == '#';
    memcpy(text, data, size);
    text[size] = '\0';
    if (dump ? parse_dump(&refl, "fuzz", text + 1, size - 1, &err)
             : parse_reflections(&refl, "fuzz", text, 1.0, &err)) {
        double sum = nearest_F(&refl, refl.h_max, refl.k_max, refl.l_max) + nearest_F(&refl, 1e300, 0.0, -1e300);
        double h = 0.5 * ((double)refl.h_min + refl.h_max), k = 0.5 * ((double)refl.k_min + refl.k_max),
               l = 0.5 * ((double)refl.l_min + refl.l_max);
        if (interpolation_possible(&refl, h, k, l))
            sum += interpolated_F(&refl, h, k, l);
        err.text[0] = sum > 0.0;
    }
    free_reflections(&refl);
    free(text);
    return 0;
}
