/* Rotations of model.md section 2. Angles in radians. */
#ifndef ROTATIONS_H
#define ROTATIONS_H

#include "vec.h"

/* A 3x3 matrix, row-major. */
typedef struct {
    double m[9];
} Umat;

/* Right-handed about laboratory x, then y, then z; a zero angle is skipped, so that it changes no bit. */
Vec3 rotate_xyz(Vec3 v, Vec3 angles_rad);

/* Rodrigues about `axis`, taken as given (not made a unit vector). */
Vec3 rotate_axis(Vec3 v, Vec3 axis, double phi_rad);

/* U v. */
Vec3 rotate_umat(Vec3 v, const Umat *umat);

/* The matrix of rotate_axis. */
Umat umat_from_axis(Vec3 axis, double phi_rad);

/* Angles about x, y, z whose rotate_xyz is U (model.md section 9, random misset). */
Vec3 angles_from_umat(const Umat *umat);

#endif
