/* Structure factors F_hkl on a grid: reading, looking up, interpolating (model.md sections 7 and 10). Electrons. */
#ifndef STRUCTURE_FACTORS_H
#define STRUCTURE_FACTORS_H

#include <stdbool.h>
#include <stdio.h>

#include "errors.h"

/* Values on h_min..h_max etc., one entry longer along each axis than the range, as in the dump file; the last is 0. */
typedef struct {
    double *Fhkl; /* NULL when there are no reflections */
    int h_min, h_max, k_min, k_max, l_min, l_max;
    int h_range, k_range, l_range; /* max - min + 1 */
    long listed;                   /* reflections read from a list, or grid points of a dump */
    double default_F;              /* outside the grid and where nothing is listed */
} Reflections;

/* From the text of a reflection file: `h k l F` until something is not a number; later duplicates win.
 * False when it holds no reflection, an index beyond int, or a range beyond MAX_ELEMENTS. */
bool parse_reflections(Reflections *refl, const char *path, const char *text, double default_F, Error *err);

/* From the bytes of a dump file. */
bool parse_dump(Reflections *refl, const char *path, const char *bytes, size_t size, Error *err);

/* The dump file: ranges as text, newline, form feed, native doubles, h outermost. */
void write_dump(const Reflections *refl, FILE *stream);

void free_reflections(Reflections *refl);

/* The value at a grid point, default_F outside. Arguments are whole numbers kept as doubles: they may exceed int. */
double nearest_F(const Reflections *refl, double h0, double k0, double l0);

/* True when the 4x4x4 block around (h,k,l) lies in the grid (the original's test on h itself, not its floor). */
bool interpolation_possible(const Reflections *refl, double h, double k, double l);

/* Four-point Lagrange along l, then k, then h; only where interpolation_possible. */
double interpolated_F(const Reflections *refl, double h, double k, double l);

#endif
