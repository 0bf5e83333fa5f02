/* Rotations of model.md section 2: about the laboratory axes, about any axis, and by a matrix. */
#include "rotations.h"

Vec3 rotate_xyz(Vec3 v, Vec3 angles_rad)
{
    if (angles_rad.x != 0.0) {
        double c = cos(angles_rad.x), s = sin(angles_rad.x);
        v = vec3(v.x, v.y * c + v.z * -s, v.y * s + v.z * c);
    }
    if (angles_rad.y != 0.0) {
        double c = cos(angles_rad.y), s = sin(angles_rad.y);
        v = vec3(v.x * c + v.z * s, v.y, v.x * -s + v.z * c);
    }
    if (angles_rad.z != 0.0) {
        double c = cos(angles_rad.z), s = sin(angles_rad.z);
        v = vec3(v.x * c + v.y * -s, v.x * s + v.y * c, v.z);
    }
    return v;
}

Vec3 rotate_axis(Vec3 v, Vec3 axis, double phi_rad)
{
    double s = sin(phi_rad), c = cos(phi_rad);
    double along = dot(axis, v) * (1.0 - c);
    return vec3(axis.x * along + v.x * c + (-axis.z * v.y + axis.y * v.z) * s,
                axis.y * along + v.y * c + (axis.z * v.x - axis.x * v.z) * s,
                axis.z * along + v.z * c + (-axis.y * v.x + axis.x * v.y) * s);
}

Vec3 rotate_umat(Vec3 v, const Umat *umat)
{
    const double *m = umat->m;
    return vec3(m[0] * v.x + m[1] * v.y + m[2] * v.z, m[3] * v.x + m[4] * v.y + m[5] * v.z,
                m[6] * v.x + m[7] * v.y + m[8] * v.z);
}

Umat umat_from_axis(Vec3 axis, double phi_rad)
{
    double c = cos(phi_rad), s = sin(phi_rad), rest = 1.0 - c;
    double sx = s * axis.x, sy = s * axis.y, sz = s * axis.z;
    return (Umat){{
        c + rest * axis.x * axis.x,
        rest * axis.x * axis.y - sz,
        rest * axis.x * axis.z + sy,
        rest * axis.y * axis.x + sz,
        c + rest * axis.y * axis.y,
        rest * axis.y * axis.z - sx,
        rest * axis.z * axis.x - sy,
        rest * axis.z * axis.y + sx,
        c + rest * axis.z * axis.z,
    }};
}

Vec3 angles_from_umat(const Umat *umat)
{
    const double *m = umat->m; /* rows x, y, z; Uzx is m[6] */
    return vec3(atan2(m[7], m[8]), atan2(-m[6], sqrt(m[7] * m[7] + m[8] * m[8])), atan2(m[3], m[0]));
}
