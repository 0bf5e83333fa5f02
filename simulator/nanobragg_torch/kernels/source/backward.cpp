// The slopes of a number by all tensors of a model, of those by the values of pixels. Compiled as forward.cpp.
//
// A tile of pixels is gone through slice by slice, so that sums over pixels stay in registers and all else in the
// first-level cache.

#include "slopes_of_pixel.h"
#include "slopes_of_step.h"

constexpr int TILE = 24;  // vectors of pixels

struct Tile {
  int size;
  Pixels pixels[TILE];
  V weight[TILE];      // slopes by the sums of steps
  V masked[TILE];      // those of one source
  V3 q[TILE], by_q[TILE];
};

// Sums over the pixels of a tile and the slices.
struct StepSums {
  V Na, Nb, Nc, fudge, default_F;
  V3 a_star[3];
};

template <int shape, int lookup>
INLINE void slopes_of_slice(const Model& m, const Crystal& c, const Least& n, const Grid& g, int64_t slice, Tile& tile,
                            StepSums& sums, Slopes& to) {
  const Real* real = m.real_m + 9 * slice;
  V3 by_a = {}, by_b = {}, by_c = {};
  for (int t = 0; t < tile.size; t++) {
    V3 q = tile.q[t];
    V3 hkl = miller_indices(real, q), hkl0 = nearest(hkl);
    LatticeSlopes s = lattice_slopes<shape>(c, n, hkl, hkl0);
    CellSlopes cell;
    M at;
    if constexpr (lookup == NO_TABLE) cell.F = all(*m.default_F);
    if constexpr (lookup == NEAREST) {
      at = flat_index(g, hkl0, g.low, g.high);
      cell.F = gather(g.F + g.origin, at);
    }
    if constexpr (lookup == INTERPOLATED) cell = interpolated_slopes(g, hkl, hkl0);
    V by_amplitude = Real(2.0) * tile.masked[t] * cell.F * s.F, by_F = by_amplitude * cell.F;
    V by_h = by_F * s.by_h, by_k = by_F * s.by_k, by_l = by_F * s.by_l;
    if constexpr (lookup == INTERPOLATED) {
      V by_cell = by_amplitude * s.F;
      by_h = fma(by_cell, cell.by_h, by_h), by_k = fma(by_cell, cell.by_k, by_k), by_l = fma(by_cell, cell.by_l, by_l);
    }
    sums.Na = fma(by_F, s.by_Na, sums.Na), sums.Nb = fma(by_F, s.by_Nb, sums.Nb), sums.Nc = fma(by_F, s.by_Nc, sums.Nc);
    if constexpr (shape == ROUND || shape == GAUSS) sums.fudge = fma(by_F, s.by_fudge, sums.fudge);
    if constexpr (shape == GAUSS) {
      V3 by_delta = s.by_delta * by_F;
      sums.a_star[0] = sums.a_star[0] + by_delta * s.away.x;
      sums.a_star[1] = sums.a_star[1] + by_delta * s.away.y;
      sums.a_star[2] = sums.a_star[2] + by_delta * s.away.z;
    }
    if constexpr (lookup == NO_TABLE) sums.default_F = fma(by_amplitude, s.F, sums.default_F);
    if (to.F) {
      if constexpr (lookup == NEAREST) add_nearest(g, at, by_amplitude * s.F, all_int(-1), to.F);
      if constexpr (lookup == INTERPOLATED) add_interpolated(g, cell, by_amplitude * s.F, to.F);
    }
    by_a = {fma(by_h, q.x, by_a.x), fma(by_h, q.y, by_a.y), fma(by_h, q.z, by_a.z)};
    by_b = {fma(by_k, q.x, by_b.x), fma(by_k, q.y, by_b.y), fma(by_k, q.z, by_b.z)};
    by_c = {fma(by_l, q.x, by_c.x), fma(by_l, q.y, by_c.y), fma(by_l, q.z, by_c.z)};
    V3& by_q = tile.by_q[t];
    by_q.x = fma(by_h, all(real[0]), fma(by_k, all(real[3]), fma(by_l, all(real[6]), by_q.x)));
    by_q.y = fma(by_h, all(real[1]), fma(by_k, all(real[4]), fma(by_l, all(real[7]), by_q.y)));
    by_q.z = fma(by_h, all(real[2]), fma(by_k, all(real[5]), fma(by_l, all(real[8]), by_q.z)));
  }
  if (double* by_real = to.real_m) {
    by_real += 9 * slice;
    add(by_real, by_a), add(by_real + 3, by_b), add(by_real + 6, by_c);
  }
}

template <int shape, int lookup>
static void slopes(const Model& m, const int64_t* flat, int64_t first, int64_t count, const Real* grad, const Real* values,
                   Slopes& to) {
  const Crystal c = crystal(m);
  const Least n = least(c);
  const Grid g = grid(m);
  Coordinates coordinates(m, flat, first, count);
  Tile tile;
  for (int64_t begin = 0; begin < count; begin += TILE * W) {
    Sums sums = {};
    SourceSums first_source = {};
    StepSums steps = {};
    tile.size = 0;
    for (int64_t at = begin; at < count && tile.size < TILE; at += W, tile.size++) {
      V by = {}, value = {};
      const size_t bytes = (at + W <= count ? W : count - at) * sizeof(Real);
      std::memcpy(&by, grad + at, bytes);
      std::memcpy(&value, values + at, bytes);
      tile.pixels[tile.size] = coordinates.next();
      tile.weight[tile.size] = factor_slopes(m, tile.pixels[tile.size], by, value, sums, first_source, to);
    }
    add(to, 0, first_source);
    for (int64_t layer = 0; layer < m.layers; layer++)
      for (int64_t subS = 0; subS < m.oversample; subS++)
        for (int64_t subF = 0; subF < m.oversample; subF++)
          for (int64_t source = 0; source < m.sources; source++) {
            for (int t = 0; t < tile.size; t++) {
              V3 q = scattering_vector(m, ray_to(m, tile.pixels[t], layer, subS, subF).diffracted, source);
              tile.q[t] = q, tile.by_q[t] = V3{};
              tile.masked[t] = m.dmin_m > 0 ? (is_resolved(m, q) ? tile.weight[t] : V{}) : tile.weight[t];
            }
            for (int64_t slice = 0; slice < m.slices; slice++)
              slopes_of_slice<shape, lookup>(m, c, n, g, slice, tile, steps, to);
            SourceSums of_source = {};
            for (int t = 0; t < tile.size; t++) {
              Ray ray = ray_to(m, tile.pixels[t], layer, subS, subF);
              V3 by_diffracted = scattering_slopes(m, tile.q[t], tile.by_q[t], source, of_source);
              ray_slopes(m, tile.pixels[t], ray, layer, subS, subF, by_diffracted, V{}, sums);
            }
            add(to, source, of_source);
          }
    add(to, sums);
    if (to.cells) add(to.cells, V3{steps.Na, steps.Nb, steps.Nc});
    add(to.fudge, steps.fudge);
    add(to.default_F, steps.default_F);
    if (to.reciprocal_A)
      for (int i = 0; i < 3; i++) add(to.reciprocal_A + 3 * i, steps.a_star[i]);
  }
}

extern "C" const char* nanobragg_names() { return NAMES; }

extern "C" void nanobragg_slopes(const Model* m, const int64_t* flat, int64_t first, int64_t count, const Real* grad,
                                 const Real* values, Slopes* to) {
  specialised(*m, [&](auto shape, auto lookup) { slopes<shape, lookup>(*m, flat, first, count, grad, values, *to); });
}
