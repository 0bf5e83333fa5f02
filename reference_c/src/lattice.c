/* The interference of Na x Nb x Nc cells, for the four shapes of crystal. */
#include "lattice.h"

#include "units.h"

/* N cells in a row: sin(N x)/sin(x). */
static double sincg(double x, double N)
{
    return x == 0.0 ? N : sin(x * N) / sin(x);
}

/* The transform of a sphere, 1 at its centre. */
static double sinc3(double x)
{
    return x == 0.0 ? 1.0 : 3.0 * (sin(x) / x - cos(x)) / (x * x);
}

/* |h a* + k b* + l c*|^2 of the distance to the spot, in cells: rotation does not change it, so phi=0 vectors do. */
static double spot_distance_sqr(const Crystal *x, Vec3 d)
{
    const Cell *star = &x->star_A_inv;
    Vec3 delta =
        vec3(d.x * star->a.x + d.y * star->b.x + d.z * star->c.x, d.x * star->a.y + d.y * star->b.y + d.z * star->c.y,
             d.x * star->a.z + d.y * star->b.z + d.z * star->c.z);
    return dot(delta, delta) * x->Na * x->Na * x->Nb * x->Nb * x->Nc * x->Nc;
}

Lattice lattice_factor(const Crystal *x, Vec3 hkl, Vec3 hkl0)
{
    Lattice latt = {0.0, 1.0, 1.0, 1.0};
    if (x->shape == SHAPE_SQUARE) {
        if (x->Na > 1.0)
            latt.a = sincg(PI * hkl.x, x->Na);
        if (x->Nb > 1.0)
            latt.b = sincg(PI * hkl.y, x->Nb);
        if (x->Nc > 1.0)
            latt.c = sincg(PI * hkl.z, x->Nc);
        latt.F_latt = latt.a * latt.b * latt.c;
        return latt;
    }
    double cells = x->Na * x->Nb * x->Nc;
    Vec3 d = vec3(hkl.x - hkl0.x, hkl.y - hkl0.y, hkl.z - hkl0.z);
    if (x->shape == SHAPE_ROUND) {
        double hrad_sqr = d.x * d.x * x->Na * x->Na + d.y * d.y * x->Nb * x->Nb + d.z * d.z * x->Nc * x->Nc;
        latt.F_latt = cells * ROUND_XTAL_CORRECTION * sinc3(PI * sqrt(hrad_sqr * x->fudge));
    } else {
        double rad_star_sqr = spot_distance_sqr(x, d);
        if (x->shape == SHAPE_GAUSS)
            latt.F_latt = cells * exp(-(rad_star_sqr / 0.63 * x->fudge));
        else
            latt.F_latt = rad_star_sqr * x->fudge < 0.3969 ? cells : 0.0;
    }
    return latt;
}
