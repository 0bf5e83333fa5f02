/* SMV images: reading headers of -img and -mask, writing the integer images (model.md section 10). */
#ifndef SMV_H
#define SMV_H

#include <stdint.h>
#include <stdio.h>

#include "detector.h"
#include "errors.h"
#include "settings.h"

/* The values of a header; NAN where the keyword is missing. Lengths in mm, wavelength in angstrom, angles in deg. */
typedef struct {
    double header_bytes, size1, size2, pixel_size_mm, distance_mm, close_distance_mm, wavelength_A, beam_center_x_mm,
        beam_center_y_mm, orgx, orgy, phi_deg, osc_range_deg;
} SmvHeader;

/* Reads the keywords by the original's rule: see place_of. Notes what looks like a misreading.
 * False when HEADER_BYTES is missing or longer than the file, or a value makes no sense. */
bool parse_smv_header(SmvHeader *header, const char *flag, const char *path, const char *bytes, size_t size,
                      Error *err);

/* Lets a header set the geometry; for a mask BEAM_CENTER_Y counts from the other edge. */
void apply_smv_header(Settings *settings, const SmvHeader *header, bool is_mask);

/* One byte per pixel, 0 where the mask's pixel is 0; to be freed. NULL with a message for a short file. */
unsigned char *parse_smv_mask(const SmvHeader *header, const char *path, const char *bytes, size_t size, Error *err);

/* An image to write: pixels slow x fast, and what its header tells. */
typedef struct {
    const Detector *detector;
    double phi0_rad, osc_rad;
    const uint16_t *pixels;
} SmvImage;

/* 512-byte header and pixels (native byte order). Says so where optional keys are left out for lack of room. */
void write_smv(FILE *stream, const char *flag, const SmvImage *image);

#endif
