/* The lines on standard output that carry numbers, in the original's form where golden figures hold them. */
#ifndef REPORT_H
#define REPORT_H

#include "model.h"
#include "render.h"

/* Before rendering: geometry, crystal, beam, sampling. */
void report_model(const Model *model, const Settings *settings);

/* After rendering: solid angle, maximum, mean, deviations. */
void report_image(const Model *model, const Image *image);

/* -printout: pixel values. */
void report_pixels(const Model *model, const Image *image, const Settings *settings);

#endif
