/* Three-vectors in the laboratory frame, and the few operations on them that every stage uses.
 * All inline and in plain double arithmetic, summed in the order x, y, z. */
#ifndef VEC_H
#define VEC_H

#include <math.h>

typedef struct {
    double x, y, z;
} Vec3;

static inline Vec3 vec3(double x, double y, double z)
{
    return (Vec3){x, y, z};
}

static inline Vec3 add(Vec3 u, Vec3 v)
{
    return vec3(u.x + v.x, u.y + v.y, u.z + v.z);
}

static inline Vec3 scaled(double factor, Vec3 v)
{
    return vec3(factor * v.x, factor * v.y, factor * v.z);
}

static inline double dot(Vec3 u, Vec3 v)
{
    return u.x * v.x + u.y * v.y + u.z * v.z;
}

static inline Vec3 cross(Vec3 u, Vec3 v)
{
    return vec3(u.y * v.z - u.z * v.y, u.z * v.x - u.x * v.z, u.x * v.y - u.y * v.x);
}

static inline double length(Vec3 v)
{
    return sqrt(v.x * v.x + v.y * v.y + v.z * v.z);
}

/* v over its length; the zero vector for zero (model.md, conventions). */
static inline Vec3 unit(Vec3 v)
{
    double magnitude = length(v);
    if (magnitude > 0.0)
        return vec3(v.x / magnitude, v.y / magnitude, v.z / magnitude);
    return vec3(0.0, 0.0, 0.0);
}

/* v stretched to the given length; the zero vector for zero. */
static inline Vec3 with_length(Vec3 v, double new_length)
{
    double magnitude = length(v);
    return magnitude > 0.0 ? scaled(new_length / magnitude, v) : vec3(0.0, 0.0, 0.0);
}

#endif
