/* Scales and roundings from photons to the four kinds of image file, and the noise drawn on the last. */
#include "outputs.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "smv.h"

bool open_outputs(Outputs *out, const Settings *s, bool with_images, Error *err)
{
    const struct {
        const char *flag, *path;
        bool wanted;
    } plan[OUT_COUNT] = {
        [OUT_FLOAT] = {"-floatfile", s->float_file, true},
        [OUT_INT] = {"-intfile", s->int_file, true},
        [OUT_PGM] = {"-pgmfile", s->pgm_file, s->write_pgm},
        [OUT_NOISE] = {"-noisefile", s->noise_file, s->write_noise},
        [OUT_DUMP] = {"-dump", s->dump_file, s->hkl_file != NULL},
    };
    *out = (Outputs){0};
    for (int i = 0; with_images && i < OUT_COUNT; i++)
        if (plan[i].wanted && !output_open(&out->files[i], plan[i].flag, plan[i].path, err))
            return false;
    return true;
}

/* Clipped to 16 bits; NaN becomes 0. */
static double clipped(double value)
{
    return value > 0.0 ? (value < 65535.0 ? value : 65535.0) : 0.0;
}

/* Detector units: rounded in single precision, which moves one pixel in some images. */
static uint16_t rounded_adu(double value)
{
    return (uint16_t)floorf((float)(clipped(value) + 0.5));
}

static bool in_region(const Detector *d, int spixel, int fpixel)
{
    return fpixel >= d->roi_xmin && fpixel <= d->roi_xmax && spixel >= d->roi_ymin && spixel <= d->roi_ymax;
}

static void make_int_image(uint16_t *pixels, const Model *m, const Image *image, double scale, double adc_offset)
{
    const Detector *d = &m->detector;
    size_t i = 0;
    for (int spixel = 0; spixel < d->spixels; spixel++)
        for (int fpixel = 0; fpixel < d->fpixels; fpixel++, i++)
            /* a masked pixel is as any black one: it holds the offset */
            pixels[i] = in_region(d, spixel, fpixel) ? rounded_adu((double)image->floatimage[i] * scale + adc_offset)
                                                     : 0;
}

static void write_pgm(FILE *stream, const Model *m, const Image *image, double scale)
{
    const Detector *d = &m->detector;
    size_t count = (size_t)d->spixels * (size_t)d->fpixels;
    fprintf(stream, "P5\n%d %d\n# pixels scaled by %g\n255\n", d->fpixels, d->spixels, scale);
    for (size_t i = 0; i < count; i++) {
        double value = (double)image->floatimage[i] * scale;
        fputc(value > 255.0 ? 255 : value > 0.0 ? (unsigned char)value : 0, stream);
    }
}

/* A Poisson deviate per rendered pixel, row by row. Prints how many photons there were. */
static void make_noise_image(uint16_t *pixels, const Model *m, const Image *image, double adc_offset,
                             Generator *generator, long seed)
{
    const Detector *d = &m->detector;
    double photons = 0.0;
    long overloads = 0;
    size_t i = 0;
    for (int spixel = 0; spixel < d->spixels; spixel++)
        for (int fpixel = 0; fpixel < d->fpixels; fpixel++, i++) {
            pixels[i] = 0;
            if (!is_rendered(m, spixel, fpixel))
                continue;
            double drawn = (double)poidev(generator, &seed, image->floatimage[i]);
            photons += drawn;
            double adu = drawn + adc_offset;
            if (adu > 65535.0) {
                adu = 65535.0;
                overloads++;
            }
            pixels[i] = (uint16_t)clipped(adu);
        }
    printf("%.0f photons on noise image (%ld overloads)\n", photons, overloads);
}

bool write_outputs(Outputs *out, const Settings *s, const Model *m, const Image *image, Generator *generator,
                   Error *err)
{
    const Detector *d = &m->detector;
    size_t count = (size_t)d->spixels * (size_t)d->fpixels;
    uint16_t *pixels = malloc(count * sizeof *pixels);
    if (!pixels)
        return fail(err, "no memory for an image of %zu pixels", count);

    fwrite(image->floatimage, sizeof(float), count, out->files[OUT_FLOAT].stream);

    double int_scale = s->int_scale;
    if (int_scale <= 0.0)
        int_scale = image->max_I != 0.0 ? 55000.0 / image->max_I : 1.0;
    printf("intfile_scale = %g\n", int_scale);
    make_int_image(pixels, m, image, int_scale, s->adc_offset);
    SmvImage smv = {d, m->phi0_rad, m->osc.range, pixels};
    write_smv(out->files[OUT_INT].stream, "-intfile", &smv);

    if (out->files[OUT_PGM].stream) {
        double pgm_scale = s->pgm_scale;
        if (pgm_scale <= 0.0)
            pgm_scale = image->rmsd > 0.0 ? 250.0 / (5.0 * image->rmsd) : int_scale;
        printf("pgm_scale = %g\n", pgm_scale);
        write_pgm(out->files[OUT_PGM].stream, m, image, pgm_scale);
    }
    if (out->files[OUT_NOISE].stream) {
        make_noise_image(pixels, m, image, s->adc_offset, generator, s->seed);
        write_smv(out->files[OUT_NOISE].stream, "-noisefile", &smv);
    }
    free(pixels);
    if (out->files[OUT_DUMP].stream)
        write_dump(&m->refl, out->files[OUT_DUMP].stream);
    for (int i = 0; i < OUT_COUNT; i++)
        if (!output_commit(&out->files[i], err))
            return false;
    return true;
}

void discard_outputs(Outputs *out)
{
    for (int i = 0; i < OUT_COUNT; i++)
        output_discard(&out->files[i]);
}
