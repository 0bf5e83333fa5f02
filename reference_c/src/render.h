/* Rendering the detector, and the statistics of what was rendered (model.md sections 8 and 10). */
#ifndef RENDER_H
#define RENDER_H

#include "model.h"

typedef struct {
    float *floatimage;   /* slow x fast, photons; skipped pixels stay 0 */
    double rendered;     /* pixels that were not skipped */
    double omega_sum_sr; /* over all sub-samples */
    double max_I, max_Fdet_m, max_Sdet_m;
    double sum, sum_sqr, mean, rms, rmsd;
    bool block_outside; /* an interpolation block left the grid; the first in raster order is below */
    Vec3 outside_hkl;
} Image;

/* Renders every pixel. threads 0 chooses: 1 where a state leak is in force (raster order), else all there are. */
bool render(Image *image, const Model *model, int threads, bool progress, Error *err);

void free_image(Image *image);

#endif
