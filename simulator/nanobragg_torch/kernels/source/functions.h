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

// A polynomial of even degree in r^2 whose first coefficient is 1, with about half of the multiplications of Horner's
// rule: with y = r^2 + c0 it is ((y^2 + c1 y + c2)(y^2 - c3) + c4)(y^2 - c5) + c6. Additions have units of their own.
// Source: J. Eve, Numer. Math. 6 (1964) 17. The shift c0 is the one whose roundings do least harm.
template <int n>
INLINE V adapted(V r, const double (&c)[n]) {
  V y = fma(r, r, all(Real(c[0]))), square = y * y;
  V total = fma(y, all(Real(c[1])), square + Real(c[2]));
  for (int i = 3; i < n; i += 2) total = fma(total, square - Real(c[i]), all(Real(c[i + 1])));
  return total;
}

// sin r for |r| up to pi/2 in units of 1.54e-10: to 6.3e-14, so that the square of a quotient of three by three sines is
// right to 8e-13.
constexpr double SHORT_SINE[] = {-0x1.470a3d70a3d71p+4, -0x1.3f05701b4711fp+5, -0x1.974e87b95d629p+9, -0x1.05f3af21785e2p+13,
                                 0x1.de0022c6a6c4ap+23, 0x1.16b5c42ef7beep+4,  -0x1.2a75ce264ce61p+30};

INLINE V short_sine_near(V r) { return r * adapted(r, SHORT_SINE); }

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

// sin pi r and cos pi r for |r| up to 1/2, for slopes and for single precision: in double precision to 6e-14 and 8e-13 in
// units of
constexpr double SINE_UNIT = IS_DOUBLE ? 0x1.d4ec351a361afp-12 : 1.0;
constexpr double COSINE_UNIT = IS_DOUBLE ? 0x1.e2598a99851b6p-10 : 1.0;
constexpr double SINE_OF_PI[] = {-0x1.0c083126e978dp+1, -0x1.f3832edc7fd3ep+1, -0x1.411b68cfbd20ep+3, -0x1.5d945a1156ca0p+6,
                                 0x1.c081698814a7dp+10, 0x1.37b1e86f5625ap-2,  -0x1.35f67cc4a981cp+10};
constexpr double COSINE_OF_PI[] = {-0x1.0cccccccccccdp+0, -0x1.ed5bfe2e6d842p+2, 0x1.d657773b16da2p+4, -0x1.4d84d62e02a1ap+5,
                                   -0x1.269aefd9c83d4p+9, 0x1.9ce72ba23ac75p-3,  -0x1.9d84b914687c9p+8};
// In single precision to half of the last digit, which `adapted` would lose.
constexpr double SHORT_SINE_OF_PI[] = {-0x1.4abbcd77fda66p+2, 0x1.466adc13335d5p+1, -0x1.328962a4e0449p-1,
                                       0x1.41b1615fe715dp-4};
constexpr double SHORT_COSINE_OF_PI[] = {-0x1.3bd3cc98107dcp+2, 0x1.03c1ed8447545p+2, -0x1.55d248c72fa42p+0,
                                         0x1.e16e90814f119p-3, -0x1.937ba81ddd539p-6};

INLINE V sine_of_pi(V r) {
  if constexpr (IS_DOUBLE) return r * adapted(r, SINE_OF_PI);
  V square = r * r;
  return r * fma(square, polynomial(square, SHORT_SINE_OF_PI), all(PI));
}

INLINE V cosine_of_pi(V r) {
  if constexpr (IS_DOUBLE) return adapted(r, COSINE_OF_PI);
  V square = r * r;
  return fma(square, polynomial(square, SHORT_COSINE_OF_PI), all(Real(1.0)));
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
