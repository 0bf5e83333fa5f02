// The backward pass of lattice.h and structure_factors.h: slopes by the index of a step.
//
// Rounding need not be that of the forward pass: a slope is exact to some 1e-11 of the largest.

#pragma once

#include "lattice.h"
#include "structure_factors.h"

// F_latt, up to its sign, and its slopes. Those by `reciprocal_A` are by_delta times the distances to the nearest point.
struct LatticeSlopes {
  V F, by_h, by_k, by_l, by_Na, by_Nb, by_Nc, by_fudge;
  V3 away, by_delta;
};

// Sines and cosines of pi r and N pi r, each in its unit, of r kept away from 0 where slopes lose their digits.
struct Peak {
  V sine, cosine, wide_sine, wide_cosine, rest, scale;
};

INLINE Peak peak(V h, V h0, V N, V least, V most) {
  Peak p;
  V rest = h - h0;
  p.rest = larger(magnitude(rest), least);
  p.scale = smaller(larger(rest * most, all(-1.0)), all(1.0));  // the sign; below `least` slopes go to 0 in proportion
  p.sine = sine_of_pi(p.rest), p.cosine = cosine_of_pi(p.rest);
  V wide = p.rest * N;
  wide = wide - nearest_even(wide);
  p.wide_sine = sine_of_pi(wide), p.wide_cosine = cosine_of_pi(wide);
  return p;
}

struct Least {
  V a, b, c, most_a, most_b, most_c;
};

INLINE Least least(const Crystal& c) {
  const Real small = IS_DOUBLE ? Real(1e-6) : Real(3e-3);
  return {small / c.Na, small / c.Nb, small / c.Nc, c.Na / small, c.Nb / small, c.Nc / small};
}

INLINE LatticeSlopes square_slopes(const Crystal& c, const Least& n, V3 hkl, V3 hkl0) {
  LatticeSlopes s;
  Peak a = peak(hkl.x, hkl0.x, c.Na, n.a, n.most_a), b = peak(hkl.y, hkl0.y, c.Nb, n.b, n.most_b);
  Peak l = peak(hkl.z, hkl0.z, c.Nc, n.c, n.most_c);
  // One division for three.
  V ab = a.sine * b.sine, inverse = PI / (ab * l.sine), il = inverse * ab, i = inverse * l.sine;
  V ia = i * b.sine, ib = i * a.sine;  // pi over each sine
  V Fa = a.wide_sine * ia, Fb = b.wide_sine * ib, Fl = l.wide_sine * il;  // pi times each factor
  constexpr double pi = 3.14159265358979323846;
  constexpr Real part = Real(1 / (pi * pi * pi)), pi_part = Real(COSINE_UNIT / SINE_UNIT / (pi * pi));
  V Fbl = Fb * Fl, Fal = Fa * Fl, Fab = Fa * Fb;
  s.F = Fa * Fbl * part;
  V rest_a = Fbl * pi_part, rest_b = Fal * pi_part, rest_l = Fab * pi_part;
  V Ca = a.wide_cosine * ia, Cb = b.wide_cosine * ib, Cl = l.wide_cosine * il;
  s.by_h = rest_a * a.scale * fma(Ca, c.Na, -(Fa * a.cosine * ia) * Real(1 / pi));
  s.by_k = rest_b * b.scale * fma(Cb, c.Nb, -(Fb * b.cosine * ib) * Real(1 / pi));
  s.by_l = rest_l * l.scale * fma(Cl, c.Nc, -(Fl * l.cosine * il) * Real(1 / pi));
  s.by_Na = rest_a * a.rest * Ca, s.by_Nb = rest_b * b.rest * Cb, s.by_Nc = rest_l * l.rest * Cl;
  return s;
}

INLINE LatticeSlopes round_slopes(const Crystal& c, V3 away) {
  LatticeSlopes s;
  V a = away.x * c.Na, b = away.y * c.Nb, l = away.z * c.Nc;
  V u = a * a + b * b + l * l, x2 = u * c.fudge * (PI * PI), x = root(x2);
  SineCosine at = sine_and_cosine(x);
  M near = x2 < Real(0.04);
  V safe = near ? all(1.0) : x2, quotient = near ? all(1.0) : at.sine / x;
  V far = Real(3.0) * (quotient - at.cosine) / safe;
  V value = near ? Real(1.0) + x2 * (Real(-1.0 / 10) + x2 * (Real(1.0 / 280) - x2 * (Real(1.0 / 15120) - x2 * Real(1.0 / 1330560))))
                 : far;
  V by_x2 = near ? Real(-1.0 / 10) + x2 * (Real(1.0 / 140) - x2 * (Real(1.0 / 5040) - x2 * Real(1.0 / 332640)))
                 : Real(1.5) * (quotient - far) / safe;
  V size = c.total * ROUND_CORRECTION;
  s.F = size * value;
  V by_u = size * by_x2 * c.fudge * (PI * PI), twice = Real(2.0) * by_u;
  s.by_h = twice * a * c.Na, s.by_k = twice * b * c.Nb, s.by_l = twice * l * c.Nc;
  s.by_Na = twice * a * away.x + s.F / c.Na, s.by_Nb = twice * b * away.y + s.F / c.Nb;
  s.by_Nc = twice * l * away.z + s.F / c.Nc;
  s.by_fudge = size * by_x2 * u * (PI * PI);
  return s;
}

INLINE LatticeSlopes gauss_slopes(const Crystal& c, V3 away) {
  LatticeSlopes s;
  const V* r = c.a_star;
  V3 delta = {away.x * r[0] + away.y * r[3] + away.z * r[6], away.x * r[1] + away.y * r[4] + away.z * r[7],
              away.x * r[2] + away.y * r[5] + away.z * r[8]};
  V square = c.total * c.total, rho = dot(delta, delta) * square;
  s.F = c.total * exponential(-(rho / Real(0.63) * c.fudge));
  V by_rho = s.F * c.fudge * Real(-1 / 0.63);
  s.by_delta = delta * (Real(2.0) * by_rho * square);
  s.away = away;
  s.by_h = dot(s.by_delta, {r[0], r[1], r[2]});
  s.by_k = dot(s.by_delta, {r[3], r[4], r[5]});
  s.by_l = dot(s.by_delta, {r[6], r[7], r[8]});
  V by_total = s.F + Real(2.0) * by_rho * rho;  // times the total
  s.by_Na = by_total / c.Na, s.by_Nb = by_total / c.Nb, s.by_Nc = by_total / c.Nc;
  s.by_fudge = s.F * rho * Real(-1 / 0.63);
  return s;
}

template <int shape>
INLINE LatticeSlopes lattice_slopes(const Crystal& c, const Least& n, V3 hkl, V3 hkl0) {
  if constexpr (shape == SQUARE) return square_slopes(c, n, hkl, hkl0);
  if constexpr (shape == ROUND) return round_slopes(c, hkl - hkl0);
  if constexpr (shape == GAUSS) return gauss_slopes(c, hkl - hkl0);
  LatticeSlopes s = {};
  s.F = spread(c, hkl - hkl0) * c.fudge < Real(0.3969) ? c.total : V{};
  s.by_Na = s.F / c.Na, s.by_Nb = s.F / c.Nb, s.by_Nc = s.F / c.Nc;
  return s;
}

// F_cell of interpolation and its slopes by the index; what is needed to add those by the grid.
struct CellSlopes {
  V F, by_h, by_k, by_l;
  Block block;
  M inside, nearest;
};

INLINE void lagrange_slopes(V x, V (&slope)[4]) {
  V square = x * x;
  slope[0] = x - square * Real(0.5) - Real(1.0 / 3);
  slope[1] = square * Real(1.5) - Real(2.0) * x - Real(0.5);
  slope[2] = x + Real(1.0) - square * Real(1.5);
  slope[3] = square * Real(0.5) - Real(1.0 / 6);
}

static __attribute__((noinline)) CellSlopes interpolated_slopes(const Grid& g, V3 hkl, V3 hkl0) {
  CellSlopes s = {};
  s.block = block(g, hkl);
  const Block& b = s.block;
  V dh[4], dk[4], dl[4];
  lagrange_slopes(hkl.x - floor_of(hkl.x), dh), lagrange_slopes(hkl.y - floor_of(hkl.y), dk);
  lagrange_slopes(hkl.z - floor_of(hkl.z), dl);
  s.inside = ~is_outside(g, hkl);
  s.nearest = flat_index(g, hkl0, g.low, g.high);
  if (any(~s.inside)) s.F = gather(g.F + g.origin, s.nearest);
  for (M open = s.inside; any(open);) {
    int lane = 0;
    while (!open[lane]) lane++;
    M same = open & (b.first == b.first[lane]);
    const Real* at = g.F + g.origin + b.first[lane];
    V F = {}, by_h = {}, by_k = {}, by_l = {};
    for (int i = 0; i < 4; i++) {
      V over_k = {}, over_k_by_k = {}, over_k_by_l = {};
      for (int j = 0; j < 4; j++) {
        const Real* row = at + (i * g.nk + j) * g.nl;
        V over_l = {}, over_l_by_l = {};
        for (int n = 0; n < 4; n++) over_l = fma(b.l[n], all(row[n]), over_l), over_l_by_l = fma(dl[n], all(row[n]), over_l_by_l);
        over_k = fma(b.k[j], over_l, over_k);
        over_k_by_k = fma(dk[j], over_l, over_k_by_k);
        over_k_by_l = fma(b.k[j], over_l_by_l, over_k_by_l);
      }
      F = fma(b.h[i], over_k, F);
      by_h = fma(dh[i], over_k, by_h), by_k = fma(b.h[i], over_k_by_k, by_k), by_l = fma(b.h[i], over_k_by_l, by_l);
    }
    s.F = same ? F : s.F, s.by_h = same ? by_h : s.by_h, s.by_k = same ? by_k : s.by_k, s.by_l = same ? by_l : s.by_l;
    open &= ~same;
  }
  return s;
}

// Adds slopes by the values of the grid.
INLINE void add_nearest(const Grid& g, M at, V by, M lanes, double* to) {
  for (int lane = 0; lane < W; lane++)
    if (lanes[lane]) to[g.origin + at[lane]] += double(by[lane]);
}

static __attribute__((noinline)) void add_interpolated(const Grid& g, const CellSlopes& s, V by, double* to) {
  add_nearest(g, s.nearest, by, ~s.inside, to);
  for (int lane = 0; lane < W; lane++) {
    if (!s.inside[lane]) continue;
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j++) {
        double* row = to + g.origin + s.block.first[lane] + (i * g.nk + j) * g.nl;
        double weight = double(by[lane]) * double(s.block.h[i][lane]) * double(s.block.k[j][lane]);
        for (int n = 0; n < 4; n++) row[n] += weight * double(s.block.l[n][lane]);
      }
  }
}
