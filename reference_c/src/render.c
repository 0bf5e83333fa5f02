/* Rows in parallel. Every pixel is a function of the model alone once the state leaks are repaired, so the image then
 * has the same bits for any number of threads; sums are taken afterwards, in raster order. */
#include "render.h"

#include <stdlib.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "units.h"

typedef struct {
    double omega_sum;
    bool block_outside;
    Vec3 outside_hkl;
} Row;

static int choose_threads(const Model *m, int asked)
{
    bool leaks = phi_can_leak(m) || interp_can_leak(m);
    if (leaks && asked == 0) {
        note("one thread: %s reproduced in raster order; -fix all repairs it and uses all threads",
             phi_can_leak(m) && interp_can_leak(m) ? "phi-carryover and interp-latch are"
             : phi_can_leak(m)                     ? "phi-carryover is"
                                                   : "interp-latch is");
        return 1;
    }
    if (leaks && asked > 1)
        note("WARNING: with -threads %d the state that leaks is each thread's own: the image depends on the count",
             asked);
#ifdef _OPENMP
    return asked ? asked : omp_get_max_threads();
#else
    if (asked > 1)
        note("WARNING: built without OpenMP: one thread instead of %d", asked);
    return 1;
#endif
}

static void render_row(const Model *m, int spixel, LeakState *leak, float *pixels, Row *row)
{
    for (int fpixel = m->detector.roi_xmin; fpixel < m->detector.fpixels && fpixel <= m->detector.roi_xmax; fpixel++) {
        if (!is_rendered(m, spixel, fpixel))
            continue;
        Pixel px = evaluate_pixel(m, spixel, fpixel, leak, NULL);
        pixels[fpixel] += (float)px.I_pixel;
        row->omega_sum += px.omega_sum;
        if (px.block_outside && !row->block_outside) {
            row->block_outside = true;
            row->outside_hkl = px.outside_hkl;
        }
    }
}

/* Whole percents, each once; the last line wins for whoever reads them. */
static void show_progress(int done, int rows, int *shown)
{
    int percent = (int)(100.0 * done / rows);
    if (percent > *shown) {
        *shown = percent;
        note("%d%% done", percent);
        fflush(stderr);
    }
}

static double at_least_1(double count)
{
    return count > 1.0 ? count : 1.0;
}

static void gather(Image *image, const Model *m, const Row *rows)
{
    const Detector *d = &m->detector;
    for (int spixel = 0; spixel < d->spixels; spixel++) {
        image->omega_sum_sr += rows[spixel].omega_sum;
        if (rows[spixel].block_outside && !image->block_outside) {
            image->block_outside = true;
            image->outside_hkl = rows[spixel].outside_hkl;
        }
        for (int fpixel = 0; fpixel < d->fpixels; fpixel++) {
            if (!is_rendered(m, spixel, fpixel))
                continue;
            float value = image->floatimage[(size_t)spixel * (size_t)d->fpixels + (size_t)fpixel];
            if ((double)value > image->max_I) { /* from 0 at 0 0: a black image, or one of NaN, keeps that */
                image->max_I = (double)value;
                image->max_Fdet_m = subsample_m(m, fpixel, m->oversample - 1);
                image->max_Sdet_m = subsample_m(m, spixel, m->oversample - 1);
            }
            image->rendered += 1.0;
            image->sum += (double)value;
            image->sum_sqr += (double)(value * value); /* squared in single precision: this can change the sixth digit of rms */
        }
    }
    /* one pixel, or none, is divided by 1 */
    image->mean = image->sum / at_least_1(image->rendered);
    image->rms = sqrt(image->sum_sqr / at_least_1(image->rendered - 1.0));
    /* quirk masked-rmsd: unlike the mean, this counts the masked pixels of the region too, as zeros */
    double deviations = 0.0, counted = 0.0;
    for (int spixel = d->roi_ymin; spixel < d->spixels && spixel <= d->roi_ymax; spixel++)
        for (int fpixel = d->roi_xmin; fpixel < d->fpixels && fpixel <= d->roi_xmax; fpixel++) {
            double off = (double)image->floatimage[(size_t)spixel * (size_t)d->fpixels + (size_t)fpixel] - image->mean;
            deviations += off * off;
            counted += 1.0;
        }
    image->rmsd = sqrt(deviations / at_least_1(counted - 1.0));
}

bool render(Image *image, const Model *m, int threads, bool progress, Error *err)
{
    const Detector *d = &m->detector;
    const int rows_total = d->spixels;
    size_t pixels = (size_t)d->spixels * (size_t)d->fpixels;
    *image = (Image){.floatimage = calloc(pixels, sizeof(float))};
    Row *rows = calloc((size_t)d->spixels, sizeof *rows);
    if (!image->floatimage || !rows) {
        free(rows);
        return fail(err, "no memory for an image of %zu pixels", pixels);
    }
    threads = choose_threads(m, threads);
    (void)threads; /* without OpenMP */
    float *floatimage = image->floatimage;
    int done = 0, shown = -1;
    if (progress)
        show_progress(0, rows_total, &shown);
        /* a leaking run keeps rows in order within each thread; otherwise the order does not matter */
#ifdef _OPENMP
    omp_set_schedule(phi_can_leak(m) || interp_can_leak(m) ? omp_sched_static : omp_sched_dynamic, 0);
#pragma omp parallel num_threads(threads)
#endif
    {
        LeakState leak = fresh_state(m);
#ifdef _OPENMP
#pragma omp for schedule(runtime)
#endif
        for (int spixel = 0; spixel < rows_total; spixel++) {
            if (spixel >= d->roi_ymin && spixel <= d->roi_ymax)
                render_row(m, spixel, &leak, floatimage + (size_t)spixel * (size_t)d->fpixels, &rows[spixel]);
            if (progress) {
#ifdef _OPENMP
#pragma omp critical(progress)
#endif
                show_progress(++done, rows_total, &shown);
            }
        }
    }
    gather(image, m, rows);
    free(rows);
    return true;
}

void free_image(Image *image)
{
    free(image->floatimage);
    image->floatimage = NULL;
}
