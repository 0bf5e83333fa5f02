/* Counts, ranges and steps of everything that is sampled (model.md section 3). */
#ifndef SAMPLING_H
#define SAMPLING_H

#include "errors.h"
#include "settings.h"

/* phi; rad. */
Sampled sample_phi(Sampled given);

/* Divergence or dispersion; rad or fraction. */
Sampled sample_beam(Sampled given);

/* Layers of the sensor; m. */
Sampled sample_thickness(Sampled given);

/* Number of mosaic domains for a spread (rad, below 0 not given); 0 means not given. */
int sample_domains(int given, double *spread_rad);

/* Refuses a count that no machine could run through. `name` is the flag. */
bool check_count(const char *name, double count, Error *err);

#endif
