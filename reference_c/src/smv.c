/* SMV images in and out: the geometry that a header carries, the mask's zeros, the 512-byte header we write. */
#include "smv.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

enum { HEADER_SIZE = 512 };

/* Where the value of a keyword is, by the original's rule (quirk smv-keyword): after the first "=" that follows the last
 * place where the keyword occurs, be it in a longer word or in a value. NULL where the keyword is missing; the end of
 * the header where no "=" follows. */
static const char *place_of(const char *keyword, const char *header)
{
    const char *last = NULL;
    for (const char *at = header; (at = strstr(at, keyword)); at++)
        last = at;
    if (!last)
        return NULL;
    const char *equals = strchr(last, '=');
    return equals ? equals + 1 : header + strlen(header);
}

/* The leading number of a value; 0 where there is none, NAN where the keyword is missing or the number not finite. */
static double value_of(const char *keyword, const char *header)
{
    const char *at = place_of(keyword, header);
    double value = at ? strtod(at, NULL) : NAN;
    return isfinite(value) ? value : NAN;
}

/* Says where a value is perhaps not what the author of the header meant. */
static void warn_of_keyword(const char *keyword, const char *header, const char *flag, const char *path)
{
    const char *at = place_of(keyword, header), *last = header;
    char *end;
    if (!at)
        return;
    for (const char *found = header; (found = strstr(found, keyword)); found++)
        last = found;
    double value = strtod(at, &end);
    int line = (int)strcspn(last, "\n");
    if (last + line < at)
        note("WARNING: flag %s: file '%s': %s is last found in a line without a value after it; it is %g, after the next "
             "\"=\" (quirk smv-keyword)",
             flag, path, keyword, value);
    char *after = end + strspn(end, " \t");
    if (end != at && after != end && (strtod(after, &end), end != after))
        note("WARNING: flag %s: file '%s': %s has several numbers: the first, %g, is taken (quirk smv-keyword)", flag,
             path, keyword, value);
}

/* Pixels are read as 16-bit whatever the header says (quirk smv-type). */
static void warn_of_type(const char *header, const char *flag, const char *path)
{
    const char *at = place_of("TYPE", header);
    size_t size = at ? strcspn(at, ";\n") : 0;
    if (at && (size != 14 || strncmp(at, "unsigned_short", 14) != 0))
        note("WARNING: flag %s: file '%s': TYPE=%.*s: its pixels are taken for unsigned_short (quirk smv-type)", flag, path,
             (int)size, at);
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

static const char *const KEYWORDS[] = {"SIZE1",      "SIZE2",         "PIXEL_SIZE",    "DISTANCE", "CLOSE_DISTANCE",
                                       "WAVELENGTH", "BEAM_CENTER_X", "BEAM_CENTER_Y", "ORGX",     "ORGY",
                                       "PHI",        "OSC_RANGE"};

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
    for (size_t i = 0; i < sizeof KEYWORDS / sizeof *KEYWORDS; i++)
        warn_of_keyword(KEYWORDS[i], text, flag, path);
    warn_of_type(text, flag, path);
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

/* A line of the header we write. Lines of the highest `optional` are the first to go where all do not fit; 0 stays. */
typedef struct {
    char text[64];
    int optional;
} HeaderLine;

enum { MOST_LINES = 32, HIGHEST_OPTIONAL = 7 };

typedef struct {
    HeaderLine lines[MOST_LINES];
    int count;
} HeaderText;

static void put(HeaderText *header, int optional, const char *format, ...) PRINTF_LIKE(3, 4);

static void put(HeaderText *header, int optional, const char *format, ...)
{
    HeaderLine *line = &header->lines[header->count++];
    va_list args;
    line->optional = optional;
    va_start(args, format);
    vsnprintf(line->text, sizeof line->text, format, args);
    va_end(args);
}

static void put_all(HeaderText *header, const Detector *d, double phi0_rad, double osc_rad)
{
    double half_pixel_m = 0.5 * d->pixel_m;
    put(header, 0, "{\nHEADER_BYTES=%d;\nDIM=2;", (int)HEADER_SIZE);
    put(header, 0, "BYTE_ORDER=%s;", little_endian() ? "little_endian" : "big_endian");
    put(header, 0, "TYPE=unsigned_short;");
    put(header, 0, "SIZE1=%d;\nSIZE2=%d;", d->fpixels, d->spixels);
    put(header, 0, "PIXEL_SIZE=%g;", d->pixel_m * 1e3);
    put(header, 0, "DISTANCE=%g;", d->distance_m * 1e3);
    put(header, 0, "WAVELENGTH=%g;", d->lambda0_m * 1e10);
    put(header, 0, "BEAM_CENTER_X=%g;\nBEAM_CENTER_Y=%g;", d->Xbeam_m * 1e3, d->Ybeam_m * 1e3);
    put(header, 4, "ADXV_CENTER_X=%g;\nADXV_CENTER_Y=%g;", d->Fbeam_m * 1e3, (d->detsize_s_m - d->Sbeam_m) * 1e3);
    put(header, 3, "MOSFLM_CENTER_X=%g;\nMOSFLM_CENTER_Y=%g;", (d->Sbeam_m - half_pixel_m) * 1e3,
        (d->Fbeam_m - half_pixel_m) * 1e3);
    put(header, 5, "DENZO_X_BEAM=%g;\nDENZO_Y_BEAM=%g;", d->Sbeam_m * 1e3, d->Fbeam_m * 1e3);
    /* quirk dials-origin-no-semicolon */
    put(header, 2, "DIALS_ORIGIN=%g,%g,%g", d->dials_origin_mm.x, d->dials_origin_mm.y, d->dials_origin_mm.z);
    put(header, 1, "XDS_ORGX=%g;\nXDS_ORGY=%g;", d->ORGX, d->ORGY);
    put(header, 0, "CLOSE_DISTANCE=%g;", d->close_distance_m * 1e3);
    put(header, 0, "PHI=%g;", phi0_rad * RTD);
    put(header, 6, "OSC_START=%g;", phi0_rad * RTD); /* the same as PHI */
    put(header, 0, "OSC_RANGE=%g;", osc_rad * RTD);
    put(header, 0, "TWOTHETA=%g;", d->twotheta_rad * RTD);
    put(header, HIGHEST_OPTIONAL - 1, "DETECTOR_SN=000;");
    put(header, HIGHEST_OPTIONAL, "BEAMLINE=fake;");
    put(header, 0, "}\f");
}

/* Joins the lines with newlines into HEADER_SIZE bytes, blanks behind. Quirk long-header: the original writes what does
 * not fit all the same; here optional lines are left out. */
static void join(char bytes[HEADER_SIZE], const HeaderText *header, const char *flag)
{
    int kept = HIGHEST_OPTIONAL;
    size_t size = HEADER_SIZE + 1;
    for (; size > HEADER_SIZE; kept--) {
        size = 0;
        for (int i = 0; i < header->count; i++)
            if (header->lines[i].optional <= kept)
                size += strlen(header->lines[i].text) + (i + 1 < header->count);
    }
    kept++;
    memset(bytes, ' ', HEADER_SIZE);
    for (int i = 0; i < header->count; i++) {
        const HeaderLine *line = &header->lines[i];
        if (line->optional > kept)
            continue;
        memcpy(bytes, line->text, strlen(line->text));
        bytes += strlen(line->text);
        if (i + 1 < header->count)
            *bytes++ = '\n';
    }
    if (kept < HIGHEST_OPTIONAL)
        note("WARNING: flag %s: the header would not fit in %d bytes: BEAMLINE%s left out (quirk long-header)", flag,
             (int)HEADER_SIZE, kept < HIGHEST_OPTIONAL - 1 ? " and other optional keys are" : " is");
}

void write_smv(FILE *stream, const char *flag, const SmvImage *image)
{
    const Detector *d = image->detector;
    HeaderText header = {.count = 0};
    char bytes[HEADER_SIZE];
    put_all(&header, d, image->phi0_rad, image->osc_rad);
    join(bytes, &header, flag);
    fwrite(bytes, 1, HEADER_SIZE, stream);
    fwrite(image->pixels, sizeof *image->pixels, (size_t)d->fpixels * (size_t)d->spixels, stream);
}
