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

// The polynomials of blocks: F = sum c[16 i + 4 j + n] x^i y^j z^n of the place x, y, z in the cell. Each is made once, of
// the block's nodes, and kept until another block takes its place.
class Polynomials {
 public:
  Polynomials() { std::memset(key, -1, sizeof key); }

  const Real* of_block(const Grid& g, Int first) {
    const int at = int(uint64_t(first) * 0x9e3779b97f4a7c15 >> (64 - BITS));
    if (key[at] != first) make(g, g.F + g.origin + first, c[at]), key[at] = first;
    return c[at];
  }

 private:
  static constexpr int BITS = 8;

  // Of the values at -1, 0, 1, 2: the coefficients.
  template <typename T>
  static void coefficients(T (&f)[4]) {
    const T before = f[0], here = f[1], after = f[2], last = f[3];
    f[0] = here;
    f[1] = after - before * Real(1.0 / 3) - here * Real(0.5) - last * Real(1.0 / 6);
    f[2] = (before + after) * Real(0.5) - here;
    f[3] = (last - before) * Real(1.0 / 6) + (here - after) * Real(0.5);
  }

  static __attribute__((noinline)) void make(const Grid& g, const Real* nodes, Real* to) {
    typedef Real Row __attribute__((vector_size(4 * sizeof(Real))));
    Row f[4][4];  // along k, h; each over l
    for (int i = 0; i < 4; i++)
      for (int j = 0; j < 4; j++) {
        Real row[4];
        std::memcpy(row, nodes + (i * g.nk + j) * g.nl, sizeof row);
        coefficients(row);
        std::memcpy(&f[j][i], row, sizeof row);
      }
    for (int j = 0; j < 4; j++) coefficients(f[j]);
    for (int i = 0; i < 4; i++) {
      Row over_k[4] = {f[0][i], f[1][i], f[2][i], f[3][i]};
      coefficients(over_k);
      std::memcpy(to + 16 * i, over_k, sizeof over_k);
    }
  }

  Int key[1 << BITS];
  alignas(VECTOR_BYTES) Real c[1 << BITS][64];
};

INLINE V value(const Real* c, V3 place) {
  V total;
  for (int i = 3; i >= 0; i--) {
    V over_k;
    for (int j = 3; j >= 0; j--) {
      const Real* row = c + 16 * i + 4 * j;
      V over_l = fma(all(row[3]), place.z, all(row[2]));
      over_l = fma(fma(over_l, place.z, all(row[1])), place.z, all(row[0]));
      over_k = j == 3 ? over_l : fma(over_k, place.y, over_l);
    }
    total = i == 3 ? over_k : fma(total, place.x, over_k);
  }
  return total;
}

// Neighbouring pixels mostly share their block.
INLINE V interpolated(const Grid& g, V3 hkl, V3 hkl0, Polynomials& polynomials) {
  V3 base = {floor_of(hkl.x), floor_of(hkl.y), floor_of(hkl.z)}, place = hkl - base;
  V3 before = {base.x - Real(1.0), base.y - Real(1.0), base.z - Real(1.0)};
  M first = flat_index(g, before, g.first_low, g.first_high);
  M open = ~is_outside(g, hkl);
  V total = {};
  if (any(~open)) total = gather(g.F + g.origin, flat_index(g, hkl0, g.low, g.high));
  while (any(open)) {
    int lane = first_lane(open);
    M same = open & (first == first[lane]);
    total = same ? value(polynomials.of_block(g, first[lane]), place) : total;
    open &= ~same;
  }
  return total;
}
