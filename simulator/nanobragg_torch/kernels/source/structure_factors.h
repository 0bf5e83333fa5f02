// Structure factors: the nearest point of the grid, or four-point interpolation. Source: model sections 7 and 10.
//
// The grid has a border of default_F, so that an index that is kept within it needs no range check. A step whose 4x4x4
// block leaves the grid takes the nearest point.

#pragma once

#include "model.h"

struct Grid {
  const Real* F;
  V low[3], high[3];        // of the border, in indices
  V first_low[3], first_high[3];  // of the first node of a block, likewise
  int64_t nk, nl, origin;   // origin: the flat index of h, k, l = 0
};

INLINE Grid grid(const Model& m) {
  Grid g;
  g.F = m.F;
  g.nk = m.nk, g.nl = m.nl;
  const int64_t n[3] = {m.nh, m.nk, m.nl}, lowest[3] = {m.lowest_h, m.lowest_k, m.lowest_l};
  for (int i = 0; i < 3; i++) {
    g.low[i] = all(Real(lowest[i] - 1)), g.high[i] = all(Real(lowest[i] + n[i] - 2));
    g.first_low[i] = g.low[i], g.first_high[i] = all(Real(lowest[i] + n[i] - 5));
  }
  g.origin = -(((lowest[0] - 1) * n[1] + lowest[1] - 1) * n[2] + lowest[2] - 1);
  return g;
}

// Flat indices, from `origin` on, of whole indices; what is not a number becomes the border.
INLINE M flat_index(const Grid& g, V3 hkl, const V (&low)[3], const V (&high)[3]) {
  V h = smaller(larger(hkl.x, low[0]), high[0]);
  V k = smaller(larger(hkl.y, low[1]), high[1]);
  V l = smaller(larger(hkl.z, low[2]), high[2]);
  if constexpr (IS_DOUBLE) {
    V at = fma(fma(h, all(Real(g.nk)), k), all(Real(g.nl)), l);
    return (M)(at + ROUNDS) - (M)all(ROUNDS);
  } else {
    return (integers(h) * Int(g.nk) + integers(k)) * Int(g.nl) + integers(l);
  }
}

// Values at the nearest points of a step. Where there are many slices these often share them, and they are only looked
// up where they differ.
struct Values {
  V3 hkl0 = {all(std::numeric_limits<Real>::infinity()), V{}, V{}};
  V F;
};

INLINE void look_up(const Grid& g, V3 hkl0, bool are_many, Values& values) {
  if (are_many) {
    M differs = ((M)hkl0.x ^ (M)values.hkl0.x) | ((M)hkl0.y ^ (M)values.hkl0.y) | ((M)hkl0.z ^ (M)values.hkl0.z);
    if (!any_bit(differs)) return;
    values.hkl0 = hkl0;
  }
  values.F = gather(g.F + g.origin, flat_index(g, hkl0, g.low, g.high));
}

// Weights of the nodes -1, 0, 1, 2 at x in [0, 1).
INLINE void lagrange(V x, V (&weight)[4]) {
  V before = Real(-1.0) - x, after = Real(1.0) - x, last = x - Real(2.0);
  V outer = x * after * Real(1.0 / 6), inner = before * last * Real(0.5);
  weight[0] = outer * last, weight[1] = inner * after, weight[2] = inner * x, weight[3] = outer * before;
}

INLINE M is_outside(const Grid& g, V3 hkl) {
  // On the index itself, not on its floor.
  M inside = all_int(-1);
  const V x[3] = {hkl.x, hkl.y, hkl.z};
  for (int i = 0; i < 3; i++) {
    V low = g.low[i] + Real(1.0), high = g.high[i] - Real(1.0);
    inside &= (((high - low) + Real(1.0)) - ((x[i] - low) + Real(3.0)) >= Real(0.0)) & ((x[i] - Real(2.0)) - low >= Real(0.0));
  }
  return ~inside;
}

struct Block {
  M first;  // flat index of the first of its nodes
  V h[4], k[4], l[4];
};

INLINE Block block(const Grid& g, V3 hkl) {
  Block b;
  V3 base = {floor_of(hkl.x), floor_of(hkl.y), floor_of(hkl.z)};
  V3 x = hkl - base;
  lagrange(x.x, b.h), lagrange(x.y, b.k), lagrange(x.z, b.l);
  V3 first = {base.x - Real(1.0), base.y - Real(1.0), base.z - Real(1.0)};
  b.first = flat_index(g, first, g.first_low, g.first_high);
  return b;
}

// The sum over one block, for all pixels: node by node, each loaded once.
INLINE V sum_of_block(const Grid& g, const Block& b, const Real* at) {
  V total = {};
  for (int i = 0; i < 4; i++) {
    V over_k = {};
    for (int j = 0; j < 4; j++) {
      const Real* row = at + (i * g.nk + j) * g.nl;
      V over_l = b.l[0] * row[0];
      for (int n = 1; n < 4; n++) over_l = fma(b.l[n], all(row[n]), over_l);
      over_k = fma(b.k[j], over_l, over_k);
    }
    total = fma(b.h[i], over_k, total);
  }
  return total;
}

typedef Real Row __attribute__((vector_size(4 * sizeof(Real))));

// Neighbouring pixels mostly share their block; where many differ, a pixel after the other by rows of four.
INLINE V interpolated(const Grid& g, V3 hkl, V3 hkl0) {
  Block b = block(g, hkl);
  M open = ~is_outside(g, hkl);
  V total = {};
  if (any(~open)) {
    total = gather(g.F + g.origin, flat_index(g, hkl0, g.low, g.high));
  }
  const Real* F = g.F + g.origin;
  for (int blocks = 0; blocks < W / 8 && any(open); blocks++) {
    int lane = 0;
    while (!open[lane]) lane++;
    M same = open & (b.first == b.first[lane]);
    total = same ? sum_of_block(g, b, F + b.first[lane]) : total;
    open &= ~same;
  }
  if (!any(open)) return total;
  alignas(VECTOR_BYTES) Real weights[16][W];
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) store(weights[4 * i + j], b.h[i] * b.k[j]);
  for (int lane = 0; lane < W; lane++) {
    if (!open[lane]) continue;
    Row even = {}, odd = {}, over_l = {b.l[0][lane], b.l[1][lane], b.l[2][lane], b.l[3][lane]};
    const Real* at = F + b.first[lane];
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j += 2) {
        Row row, next;
        std::memcpy(&row, at + (i * g.nk + j) * g.nl, sizeof row);
        std::memcpy(&next, at + (i * g.nk + j + 1) * g.nl, sizeof next);
        even += row * weights[4 * i + j][lane], odd += next * weights[4 * i + j + 1][lane];
      }
    over_l *= even + odd;
    total[lane] = (over_l[0] + over_l[1]) + (over_l[2] + over_l[3]);
  }
  return total;
}
