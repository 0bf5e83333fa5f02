// The lattice factor of a step. Source: model section 7.

#pragma once

#include "functions.h"
#include "model.h"

constexpr Real ROUND_CORRECTION = Real(0.723601254558268);
// Added to an argument, such that 0/0 is the limit; far below the rounding of any other.
constexpr Real NOTHING = IS_DOUBLE ? Real(1e-30) : Real(1e-10);

// What changes from crystal to crystal but not from step to step.
struct Crystal {
  V Na, Nb, Nc, total, fudge;
  V a_star[9];
  bool has_few_cells;  // see few_cells
  V few[3][4], is_even[3];
};

// (sin N x / sin x)^2 is a polynomial in z = sin^2 x: the square of this one in z, times 1 - z where N is even.
constexpr int MOST_FEW = 8;  // for more cells terms of opposite sign cost digits, and sines cost less
constexpr float FEW[MOST_FEW + 1][4] = {{},           {1},           {2},           {3, -4},
                                        {4, -8},      {5, -20, 16},  {6, -32, 32},  {7, -56, 112, -64},
                                        {8, -80, 192, -128}};

// In double precision the phase N pi h has to be rounded as in PyTorch, so that it must be there.
INLINE void set_few_cells(const Model& m, Crystal& c) {
  c.has_few_cells = !IS_DOUBLE && m.shape == SQUARE && !m.real_counts;
  for (int axis = 0; axis < 3; axis++) c.has_few_cells &= m.cells[axis] >= 1 && m.cells[axis] <= MOST_FEW;
  if (!c.has_few_cells) return;
  for (int axis = 0; axis < 3; axis++) {
    const int N = int(m.cells[axis]);
    c.is_even[axis] = all(Real(N % 2 == 0));
    for (int i = 0; i < 4; i++) c.few[axis][i] = all(Real(FEW[N][i]));
  }
}

INLINE Crystal crystal(const Model& m) {
  Crystal c;
  c.Na = all(m.cells[0]), c.Nb = all(m.cells[1]), c.Nc = all(m.cells[2]);
  c.total = all(m.cells[0] * m.cells[1] * m.cells[2]);
  c.fudge = all(*m.fudge);
  for (int i = 0; i < 9; i++) c.a_star[i] = all(m.reciprocal_A[i]);
  set_few_cells(m, c);
  return c;
}

// h, k, l of a slice: each product and sum rounded, as in PyTorch.
INLINE V3 miller_indices(const Real* real, V3 q) {
  return {real[0] * q.x + real[1] * q.y + real[2] * q.z, real[3] * q.x + real[4] * q.y + real[5] * q.z,
          real[6] * q.x + real[7] * q.y + real[8] * q.z};
}

INLINE V3 nearest(V3 hkl) {
  return {ceiling(hkl.x - Real(0.5)), ceiling(hkl.y - Real(0.5)), ceiling(hkl.z - Real(0.5))};
}

// sin(N pi h) and sin(pi h), up to the sign of each and a factor, of an index and the nearest whole number to it.
struct Axis {
  V above, below;
};

// In double precision rounded as the plain formula is: N pi h twice.
INLINE Axis square_axis(V h, V h0, V N, bool is_real) {
  Axis a;
  if constexpr (IS_DOUBLE) {
    V x = fma(h, all(PI), all(NOTHING));
    if (__builtin_expect(is_real, 0)) x = (h * PI - PI * half_turns(h * PI)) + NOTHING;
    V near = is_real ? x : beside(x, h0);
    V wide = x * N;
    a.above = short_sine_near(beside(wide, half_turns(wide)));
    a.below = short_sine_near(near);
  } else {
    V rest = (h - h0) + NOTHING;
    V wide = rest * N;
    a.above = sine_of_pi(wide - nearest_even(wide));
    a.below = sine_of_pi(rest);
  }
  return a;
}

// F_latt^2 of a few cells, as the square of `root` times `rest`.
struct FewCells {
  V root, rest;
};

INLINE FewCells few_cells(const Crystal& c, V3 hkl, V3 hkl0) {
  auto axis = [&](int i, V rest) {
    V sine = sine_of_pi(rest), z = sine * sine;
    V root = fma(fma(fma(c.few[i][3], z, c.few[i][2]), z, c.few[i][1]), z, c.few[i][0]);
    return FewCells{root, fma(-c.is_even[i], z, all(Real(1.0)))};
  };
  FewCells a = axis(0, hkl.x - hkl0.x), b = axis(1, hkl.y - hkl0.y), l = axis(2, hkl.z - hkl0.z);
  return {a.root * b.root * l.root, a.rest * b.rest * l.rest};
}

INLINE V sphere(V x) {  // 3 (sin x/x - cos x)/x^2
  SineCosine s = sine_and_cosine(x);
  V value = Real(3.0) * (s.sine / x - s.cosine) / (x * x);
  return x == Real(0.0) ? all(1.0) : value;
}

// The square of the vector to the nearest reciprocal point, times that of the number of cells.
INLINE V spread(const Crystal& c, V3 away) {
  V x = away.x * c.a_star[0] + away.y * c.a_star[3] + away.z * c.a_star[6];
  V y = away.x * c.a_star[1] + away.y * c.a_star[4] + away.z * c.a_star[7];
  V z = away.x * c.a_star[2] + away.y * c.a_star[5] + away.z * c.a_star[8];
  return (x * x + y * y + z * z) * (c.total * c.total);
}

// F_latt, up to its sign.
template <int shape>
INLINE V lattice_factor(const Model& m, const Crystal& c, V3 hkl, V3 hkl0) {
  if constexpr (shape == SQUARE) {
    Axis a = square_axis(hkl.x, hkl0.x, c.Na, m.real_counts & 1);
    Axis b = square_axis(hkl.y, hkl0.y, c.Nb, m.real_counts & 2);
    Axis l = square_axis(hkl.z, hkl0.z, c.Nc, m.real_counts & 4);
    return (a.above * b.above * l.above) / (a.below * b.below * l.below);
  }
  V3 away = hkl - hkl0;
  if constexpr (shape == ROUND) {
    V3 square = {away.x * away.x, away.y * away.y, away.z * away.z};
    V u = square.x * c.Na * c.Na + square.y * c.Nb * c.Nb + square.z * c.Nc * c.Nc;
    return c.total * ROUND_CORRECTION * sphere(PI * root(u * c.fudge));
  }
  if constexpr (shape == GAUSS) return c.total * exponential(-(spread(c, away) / Real(0.63) * c.fudge));
  return spread(c, away) * c.fudge < Real(0.3969) ? c.total : V{};
}
