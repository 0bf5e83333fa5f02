/* SMV images in and out: the geometry that a header carries, the mask's zeros, the 512-byte header we write. */
#include "smv.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

enum { HEADER_SIZE = 512 };

/* The number after the last `keyword=` in the header; a keyword is also found at the end of a longer one. */
static double value_of(const char *keyword, const char *header)
{
    double value = NAN;
    size_t size = strlen(keyword);
    for (const char *at = header; (at = strstr(at, keyword)); at += size) {
        const char *after = at + size + strspn(at + size, " ");
        if (*after != '=')
            continue;
        char *end;
        double found = strtod(after + 1, &end);
        if (end != after + 1 && isfinite(found))
            value = found;
    }
    return value;
}

static bool little_endian(void)
{
    const uint16_t one = 1;
    return *(const unsigned char *)&one == 1;
}

static bool bad_value(double value, double lowest, double highest)
{
    return !isnan(value) && !(value >= lowest && value <= highest);
}

bool parse_smv_header(SmvHeader *h, const char *flag, const char *path, const char *bytes, size_t size, Error *err)
{
    char text[1 << 16];
    size_t shown = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, bytes, shown);
    text[shown] = '\0';
    double header_bytes = value_of("HEADER_BYTES", text);
    if (isnan(header_bytes) || header_bytes < 16 || header_bytes > (double)(sizeof text - 1) ||
        header_bytes != (double)(size_t)header_bytes)
        return fail(err, "flag %s: file '%s': expected an SMV header with HEADER_BYTES=", flag, path);
    if ((double)size < header_bytes)
        return fail(err, "flag %s: file '%s' is too short: expected %g bytes of header, got %zu", flag, path,
                    header_bytes, size);
    text[(size_t)header_bytes] = '\0'; /* pixels must not be taken for keywords */
    *h = (SmvHeader){
        .header_bytes = header_bytes,
        .size1 = value_of("SIZE1", text),
        .size2 = value_of("SIZE2", text),
        .pixel_size_mm = value_of("PIXEL_SIZE", text),
        .distance_mm = value_of("DISTANCE", text),
        .close_distance_mm = value_of("CLOSE_DISTANCE", text),
        .wavelength_A = value_of("WAVELENGTH", text),
        .beam_center_x_mm = value_of("BEAM_CENTER_X", text),
        .beam_center_y_mm = value_of("BEAM_CENTER_Y", text),
        .orgx = value_of("ORGX", text),
        .orgy = value_of("ORGY", text),
        .phi_deg = value_of("PHI", text),
        .osc_range_deg = value_of("OSC_RANGE", text),
    };
    const char *order = strstr(text, "BYTE_ORDER=");
    if (order)
        h->swapped = (strncmp(order + 11, "big", 3) != 0) != little_endian();
    if (bad_value(h->size1, 1, INT_MAX) || bad_value(h->size2, 1, INT_MAX) || h->size1 * h->size2 > MAX_ELEMENTS)
        return fail(err, "flag %s: file '%s': expected SIZE1, SIZE2 from 1 to at most %g pixels in all, got %g, %g",
                    flag, path, MAX_ELEMENTS, h->size1, h->size2);
    if (bad_value(h->pixel_size_mm, 1e-9, 1e9) || bad_value(h->wavelength_A, 1e-9, 1e9))
        return fail(err, "flag %s: file '%s': expected positive PIXEL_SIZE, WAVELENGTH, got %g, %g", flag, path,
                    h->pixel_size_mm, h->wavelength_A);
    return true;
}

static void take(double *member, double value, double divisor)
{
    if (!isnan(value))
        *member = value / divisor;
}

void apply_smv_header(Settings *s, const SmvHeader *h, bool is_mask)
{
    if (!isnan(h->size1))
        s->fpixels = (int)h->size1;
    if (!isnan(h->size2))
        s->spixels = (int)h->size2;
    take(&s->pixel_m, h->pixel_size_mm, 1e3);
    if (s->fpixels)
        s->detsize_f_m = s->pixel_m * s->fpixels;
    if (s->spixels)
        s->detsize_s_m = s->pixel_m * s->spixels;
    take(&s->distance_m, h->distance_mm, 1e3);
    take(&s->close_distance_m, h->close_distance_mm, 1e3);
    take(&s->lambda0_m, h->wavelength_A, 1e10);
    take(&s->Xbeam_m, h->beam_center_x_mm, 1e3);
    if (is_mask && !isnan(h->beam_center_y_mm))
        s->Ybeam_m = s->detsize_s_m - h->beam_center_y_mm / 1e3;
    else
        take(&s->Ybeam_m, h->beam_center_y_mm, 1e3);
    take(&s->ORGX, h->orgx, 1.0);
    take(&s->ORGY, h->orgy, 1.0);
    take(&s->phi0_rad, h->phi_deg, RTD);
    take(&s->osc.range, h->osc_range_deg, RTD);
}

unsigned char *parse_smv_mask(const SmvHeader *h, const char *path, const char *bytes, size_t size, Error *err)
{
    if (isnan(h->size1) || isnan(h->size2)) {
        fail(err, "flag -mask: file '%s': expected SIZE1 and SIZE2 in its header", path);
        return NULL;
    }
    size_t pixels = (size_t)h->size1 * (size_t)h->size2, start = (size_t)h->header_bytes;
    if (size - start < 2 * pixels) {
        fail(err, "flag -mask: file '%s' is too short: expected %zu bytes of pixels, got %zu", path, 2 * pixels,
             size - start);
        return NULL;
    }
    unsigned char *mask = malloc(pixels);
    if (!mask) {
        fail(err, "flag -mask: no memory for %zu pixels", pixels);
        return NULL;
    }
    /* zero is zero in either byte order */
    for (size_t i = 0; i < pixels; i++)
        mask[i] = bytes[start + 2 * i] || bytes[start + 2 * i + 1];
    return mask;
}

void write_smv(FILE *stream, const Detector *d, double phi0_rad, double osc_rad, const uint16_t *pixels)
{
    char header[2 * HEADER_SIZE];
    double half_pixel_m = 0.5 * d->pixel_m;
    int used = snprintf(
        header, sizeof header,
        "{\nHEADER_BYTES=%d;\nDIM=2;\nBYTE_ORDER=%s;\nTYPE=unsigned_short;\nSIZE1=%d;\nSIZE2=%d;\nPIXEL_SIZE=%g;\n"
        "DISTANCE=%g;\nWAVELENGTH=%g;\nBEAM_CENTER_X=%g;\nBEAM_CENTER_Y=%g;\nADXV_CENTER_X=%g;\nADXV_CENTER_Y=%g;\n"
        "MOSFLM_CENTER_X=%g;\nMOSFLM_CENTER_Y=%g;\nDENZO_X_BEAM=%g;\nDENZO_Y_BEAM=%g;\n"
        /* quirk dials-origin-no-semicolon */
        "DIALS_ORIGIN=%g,%g,%g\n"
        "XDS_ORGX=%g;\nXDS_ORGY=%g;\nCLOSE_DISTANCE=%g;\nPHI=%g;\nOSC_START=%g;\nOSC_RANGE=%g;\nTWOTHETA=%g;\n"
        "DETECTOR_SN=000;\nBEAMLINE=fake;\n}\f",
        (int)HEADER_SIZE, little_endian() ? "little_endian" : "big_endian", d->fpixels, d->spixels, d->pixel_m * 1e3,
        d->distance_m * 1e3, d->lambda0_m * 1e10, d->Xbeam_m * 1e3, d->Ybeam_m * 1e3, d->Fbeam_m * 1e3,
        (d->detsize_s_m - d->Sbeam_m) * 1e3, (d->Sbeam_m - half_pixel_m) * 1e3, (d->Fbeam_m - half_pixel_m) * 1e3,
        d->Sbeam_m * 1e3, d->Fbeam_m * 1e3, d->dials_origin_mm.x, d->dials_origin_mm.y, d->dials_origin_mm.z, d->ORGX,
        d->ORGY, d->close_distance_m * 1e3, phi0_rad * RTD, phi0_rad * RTD, osc_rad * RTD, d->twotheta_rad * RTD);
    if (used > HEADER_SIZE)
        used = HEADER_SIZE; /* the numbers are at most 12 characters each, so this cannot cut one */
    memset(header + used, ' ', (size_t)(HEADER_SIZE - used));
    fwrite(header, 1, HEADER_SIZE, stream);
    fwrite(pixels, sizeof *pixels, (size_t)d->fpixels * (size_t)d->spixels, stream);
}
