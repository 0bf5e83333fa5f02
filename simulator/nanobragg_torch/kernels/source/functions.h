// Sines, cosines and exponentials as polynomials that are worked through in line: a call into a library costs more than
// the rest of a step.
//
// Reduction after Cody and Waite, Software Manual for the Elementary Functions (1980), chapter 8. The coefficients are
// Chebyshev fits over the reduced range, made with mpmath to 300 bits.

#pragma once

#include "vectors.h"

constexpr Real PI = Real(0x1.921fb54442d18p+1);
// What PI lacks, such that n PI and n PI_REST are subtracted with one rounding each.
constexpr Real PI_REST = IS_DOUBLE ? Real(0x1.1a62633145c07p-53) : Real(-8.742278e-8);

template <int n>
INLINE V polynomial(V x, const double (&coefficients)[n]) {
  V total = all(Real(coefficients[n - 1]));
  for (int i = n - 2; i >= 0; i--) total = fma(total, x, all(Real(coefficients[i])));
  return total;
}

// (sin x - x)/x^3 and (cos x - 1 + x^2/2)/x^4 in x^2, for |x| up to pi/2: to 2e-16 and 1e-17.
constexpr double SINE[] = {-0x1.555555555554ep-3,  0x1.111111110fe4fp-7,  -0x1.a01a019e3cd14p-13, 0x1.71de3938cbf30p-19,
                           -0x1.ae63b4b77b136p-26, 0x1.60f51fccfef43p-33, -0x1.a0c57a0b6bd37p-41};
constexpr double COSINE[] = {0x1.5555555555554p-5, -0x1.6c16c16c163bbp-10, 0x1.a01a019f45627p-16, -0x1.27e4faf8ba223p-22,
                             0x1.1eed46edc6e9ap-29, -0x1.936d32f87c045p-37, 0x1.a2470626c65eep-45};

// sin r for |r| up to pi/2.
INLINE V sine_near(V r) {
  V square = r * r;
  return fma(r, square * polynomial(square, SINE), r);
}

// sin r/r in r^2 for |r| up to pi/2: to 6.3e-14, so that the square of a quotient of three by three sines is right to
// 8e-13.
constexpr double SHORT_SINE[] = {0x1.ffffffffffdcep-1,  -0x1.5555555540b89p-3, 0x1.111111090ed25p-7, -0x1.a019fce965ecap-13,
                                 0x1.71dce5a99a7f6p-19, -0x1.ae00fceaeda1bp-26, 0x1.52ace0d757b80p-33};

INLINE V short_sine_near(V r) { return r * polynomial(r * r, SHORT_SINE); }

// cos r for |r| up to pi/2.
INLINE V cosine_near(V r) {
  V square = r * r;
  return fma(square * square, polynomial(square, COSINE), fma(square, all(Real(-0.5)), all(Real(1.0))));
}

// x - n pi.
INLINE V beside(V x, V n) { return fma(n, all(-PI_REST), fma(n, all(-PI), x)); }

INLINE V half_turns(V x) { return fma(x, all(Real(0.31830988618379067)), all(ROUNDS)) - ROUNDS; }

// sin x or -sin x.
INLINE V sine_but_sign(V x) { return sine_near(beside(x, half_turns(x))); }

// sin x and cos x, both with the sign changed or neither: of the nearest multiple of pi.
struct SineCosine {
  V sine, cosine;
};

INLINE SineCosine sine_and_cosine(V x) {
  V n = half_turns(x), r = beside(x, n);
  V odd = n - Real(2.0) * nearest_even(n * Real(0.5));  // -1, 0 or 1
  V sign = fma(all(Real(-2.0)), odd * odd, all(Real(1.0)));
  return {sine_near(r) * sign, cosine_near(r) * sign};
}

// The same of pi r for |r| up to 1/2, in few terms: to 3e-13 and 3e-12, for slopes and for single precision.
constexpr double SINE_OF_PI[] = {-0x1.4abbce625b31dp+2, 0x1.466bc675c74b9p+1, -0x1.32d2cbbff6125p-1,
                                 0x1.5077977808512p-4,  -0x1.e2bb6b661665dp-8, 0x1.d800971fc2de9p-12};
constexpr double COSINE_OF_PI[] = {-0x1.3bd3cc9be108cp+2, 0x1.03c1f07df6245p+2,  -0x1.55d3c527e6038p+0,
                                   0x1.e1f390d4cfab0p-3,  -0x1.a677a11b67929p-6, 0x1.e5a33357c458ap-10};
// In single precision: to half of the last digit.
constexpr double SHORT_SINE_OF_PI[] = {-0x1.4abbcd77fda66p+2, 0x1.466adc13335d5p+1, -0x1.328962a4e0449p-1,
                                       0x1.41b1615fe715dp-4};
constexpr double SHORT_COSINE_OF_PI[] = {-0x1.3bd3cc98107dcp+2, 0x1.03c1ed8447545p+2, -0x1.55d248c72fa42p+0,
                                         0x1.e16e90814f119p-3, -0x1.937ba81ddd539p-6};

INLINE V sine_of_pi(V r) {
  V square = r * r;
  V tail;
  if constexpr (IS_DOUBLE) tail = polynomial(square, SINE_OF_PI);
  else tail = polynomial(square, SHORT_SINE_OF_PI);
  return r * fma(square, tail, all(PI));
}

INLINE V cosine_of_pi(V r) {
  V square = r * r;
  V tail;
  if constexpr (IS_DOUBLE) tail = polynomial(square, COSINE_OF_PI);
  else tail = polynomial(square, SHORT_COSINE_OF_PI);
  return fma(square, tail, all(Real(1.0)));
}

// (e^r - 1 - r)/r^2 for |r| up to half of ln 2.
constexpr double EXPONENTIAL[] = {0x1.0000000000000p-1,  0x1.5555555555557p-3,  0x1.5555555555556p-5,
                                  0x1.111111110ff87p-7,  0x1.6c16c16c16212p-10, 0x1.a01a01aca0134p-13,
                                  0x1.a01a01a741b3cp-16, 0x1.71ddffef9e7b1p-19, 0x1.27e4da1a3bf04p-22,
                                  0x1.af52906239de4p-26, 0x1.1f75aba0b1e2ep-29};

// e^x; 0 where that is below the smallest normal number, and at most about the largest.
INLINE V exponential(V x) {
  constexpr Real LOWEST = IS_DOUBLE ? Real(-708.0) : Real(-87.0), HIGHEST = -LOWEST;
  constexpr Real LN2 = Real(0x1.62e42fefa39efp-1);
  constexpr Real LN2_REST = IS_DOUBLE ? Real(0x1.abc9e3b39803fp-56) : Real(-1.9046542e-9);
  V held = smaller(larger(x, all(LOWEST)), all(HIGHEST));
  V n = nearest_even(held * Real(1.4426950408889634));
  V r = fma(n, all(-LN2_REST), fma(n, all(-LN2), held));
  V value = fma(r * r, polynomial(r, EXPONENTIAL), r) + Real(1.0);
  M scale = (integers(n) + (IS_DOUBLE ? 1023 : 127)) << (IS_DOUBLE ? 52 : 23);
  return x < LOWEST ? V{} : value * (V)scale;
}
