/* libFuzzer target: headers of -img and -mask, and the mask's pixels. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "smv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Settings settings;
    Error err = {""};
    SmvHeader header;
    char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    bytes[size] = '\0';
    default_settings(&settings, 1);
    if (parse_smv_header(&header, "-mask", "fuzz", bytes, size, &err)) {
        Detector detector;
        free(parse_smv_mask(&header, "fuzz", bytes, size, &err));
        apply_smv_header(&settings, &header, size % 2);
        if (check_settings(&settings, &err))
            place_detector(&detector, &settings, &err);
    }
    free(bytes);
    return 0;
}
