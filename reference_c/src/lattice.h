/* Lattice factor F_latt of a crystal of Na x Nb x Nc cells (model.md section 7). */
#ifndef LATTICE_H
#define LATTICE_H

#include "crystal.h"

/* F_latt and, for the square shape, its factors (1 for an axis of one cell or less; 1 for other shapes). */
typedef struct {
    double F_latt, a, b, c;
} Lattice;

/* hkl fractional, hkl0 its nearest whole numbers. */
Lattice lattice_factor(const Crystal *crystal, Vec3 hkl, Vec3 hkl0);

#endif
