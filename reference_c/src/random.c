/* Park-Miller with a Bays-Durham shuffle, and the deviates drawn from it, in the mixture of float and double that
 * makes the original's numbers come out to the last bit. W. H. Press et al., Numerical Recipes, chapter 7. */
#include "random.h"

#include <math.h>

#include "units.h"

enum { MULTIPLIER = 16807, MODULUS = 2147483647, QUOTIENT = 127773, REMAINDER = 2836, WARM_UP = 8 };

/* One Park-Miller step by Schrage's method, which never overflows 32 bits. */
static long next_state(long state)
{
    long high = state / QUOTIENT;
    state = MULTIPLIER * (state - high * QUOTIENT) - REMAINDER * high;
    return state < 0 ? state + MODULUS : state;
}

float ran1(Generator *g, long *seed)
{
    if (*seed <= 0 || g->last == 0) {
        long start = *seed < 0 ? -*seed : *seed;
        *seed = start ? start : 1;
        for (int i = 0; i < WARM_UP; i++)
            *seed = next_state(*seed);
        for (int i = SHUFFLE - 1; i >= 0; i--) {
            *seed = next_state(*seed);
            g->table[i] = *seed;
        }
        g->last = g->table[0];
    }
    *seed = next_state(*seed);
    long slot = g->last / (1 + (MODULUS - 1) / SHUFFLE);
    g->last = g->table[slot];
    g->table[slot] = *seed;
    float value = (float)((1.0 / MODULUS) * (double)g->last);
    return (double)value > 1.0 - 1.2e-7 ? (float)(1.0 - 1.2e-7) : value;
}

float gaussdev(Generator *g, long *seed)
{
    if (g->gauss_kept) {
        g->gauss_kept = false;
        return g->gauss;
    }
    float v1, v2, rsq;
    do { /* a point in the unit disc, by rejection */
        v1 = (float)(2.0 * (double)ran1(g, seed) - 1.0);
        v2 = (float)(2.0 * (double)ran1(g, seed) - 1.0);
        rsq = v1 * v1 + v2 * v2;
    } while (rsq >= 1.0F || rsq == 0.0F);
    float stretch = (float)sqrt(-2.0 * log((double)rsq) / (double)rsq);
    g->gauss = v1 * stretch;
    g->gauss_kept = true;
    return v2 * stretch;
}

/* ln Gamma by Lanczos' six terms, rounded to float. */
static float ln_gamma(float of)
{
    static const double TERMS[6] = {76.18009172947146,  -86.50532032941677,   24.01409824083091,
                                    -1.231739572450155, 0.001208650973866179, -0.000005395239384953};
    double x = (double)of, base = x + 5.5, series = 1.000000000190015;
    base -= (x + 0.5) * log(base);
    for (int i = 0; i < 6; i++)
        series += TERMS[i] / (x + (double)(i + 1));
    return (float)(-base + log(2.5066282746310005 * series / x));
}

float poidev(Generator *g, long *seed, float xm)
{
    if ((double)xm > 1.0e6)
        return (float)((double)xm + sqrt((double)xm) * (double)gaussdev(g, seed));
    if (xm < 12.0F) { /* how many uniforms until their product falls below exp(-xm) */
        float limit = (float)exp(-(double)xm), product = 1.0F, count = -1.0F;
        do {
            count += 1.0F;
            product *= ran1(g, seed);
        } while (product > limit);
        return count;
    }
    float width = (float)sqrt(2.0 * (double)xm), ln_xm = (float)log((double)xm);
    float peak = xm * ln_xm - ln_gamma((float)((double)xm + 1.0));
    float count, accept;
    do { /* rejection under a Lorentzian */
        float y;
        do {
            y = (float)tan(PI * (double)ran1(g, seed));
            count = width * y + xm;
        } while (count < 0.0F);
        count = floorf(count);
        float exponent = count * ln_xm - ln_gamma((float)((double)count + 1.0)) - peak;
        accept = (float)(0.9 * (1.0 + (double)(y * y)) * exp((double)exponent));
    } while (ran1(g, seed) > accept);
    return count;
}

Umat random_umat(Generator *g, long *seed, float spread_rad)
{
    double r1 = 2.0 * (double)ran1(g, seed) - 1.0;
    double r2 = 2.0 * (double)ran1(g, seed) - 1.0;
    double r3 = 2.0 * (double)ran1(g, seed) - 1.0;
    double xyrad = sqrt(1.0 - r2 * r2);
    Vec3 axis = vec3(xyrad * sin(PI * r1), xyrad * cos(PI * r1), r2);
    /* the float power, correctly rounded: computed in double, rounded once */
    float third = (float)(1.0 / 3.0), base = (float)(1.0 - r3 * r3);
    float power = (float)pow((double)base, (double)third);
    return umat_from_axis(axis, (double)(spread_rad * power));
}
