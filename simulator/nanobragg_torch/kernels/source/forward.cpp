// The values of pixels. Compiled into a library of its own, once for each precision; called through ctypes.

#include <algorithm>

#include "lattice.h"
#include "pixel.h"
#include "structure_factors.h"

// The sum over slices of one sub-sample and source.
template <int shape, int lookup, bool few>
INLINE V sum_of_slices(const Model& m, const Crystal& c, const Grid& g, V3 q, Polynomials* polynomials) {
  V total = {};
  Values values;
  for (int64_t slice = 0; slice < m.slices; slice++) {
    V3 hkl = miller_indices(m.real_m + 9 * slice, q), hkl0 = nearest(hkl);
    if constexpr (lookup == NEAREST) look_up(g, hkl0, m.slices > 1, values);
    FewCells F_latt;
    if constexpr (few) F_latt = few_cells(c, hkl, hkl0);
    else F_latt.root = lattice_factor<shape>(m, c, hkl, hkl0);
    V F = F_latt.root;
    if constexpr (lookup == NO_TABLE) F *= *m.default_F;
    if constexpr (lookup == NEAREST) F *= values.F;
    if constexpr (lookup == INTERPOLATED) F *= interpolated(g, hkl, hkl0, *polynomials);
    if constexpr (few) total = fma(F * F, F_latt.rest, total);
    else total = fma(F, F, total);
  }
  return total;
}

template <int shape, int lookup>
INLINE V sum_of_steps(const Model& m, const Crystal& c, const Grid& g, V3 q, Polynomials* polynomials) {
  constexpr bool may_be_few = shape == SQUARE && !IS_DOUBLE;
  V total;
  if (may_be_few && c.has_few_cells) total = sum_of_slices<shape, lookup, may_be_few>(m, c, g, q, polynomials);
  else total = sum_of_slices<shape, lookup, false>(m, c, g, q, polynomials);
  return m.dmin_m > 0 ? (is_resolved(m, q) ? total : V{}) : total;
}

constexpr int TILE = 8;  // vectors of pixels: so many rays wait for nothing but themselves

template <int shape, int lookup>
static void values(const Model& m, const int64_t* flat, int64_t first, int64_t count, Real* out) {
  const Crystal c = crystal(m);
  const Grid g = grid(m);
  std::conditional_t<lookup == INTERPOLATED, Polynomials, char> kept;
  Polynomials* polynomials = nullptr;
  if constexpr (lookup == INTERPOLATED) polynomials = &kept;
  Coordinates coordinates(m, flat, first, count);
  Pixels pixels[TILE];
  Ray first_rays[TILE];
  V3 diffracted[TILE];
  V I[TILE];
  for (int64_t begin = 0; begin < count; begin += TILE * W) {
    const int size = int(std::min<int64_t>(TILE, (count - begin + W - 1) / W));
    for (int t = 0; t < size; t++) {
      pixels[t] = coordinates.next();
      first_rays[t] = ray_to(m, pixels[t], 0, 0, 0);
      I[t] = all(*m.background);
    }
    for (int64_t layer = 0; layer < m.layers; layer++)
      for (int64_t subS = 0; subS < m.oversample; subS++)
        for (int64_t subF = 0; subF < m.oversample; subF++) {
          const bool is_first = layer + subS + subF == 0;
          for (int t = 0; t < size; t++)
            diffracted[t] = is_first ? first_rays[t].diffracted : ray_to(m, pixels[t], layer, subS, subF).diffracted;
          for (int64_t number = 0; number < m.sources; number++) {
            const Source source = source_at(m, number);
            for (int t = 0; t < size; t++)
              I[t] += sum_of_steps<shape, lookup>(m, c, g, scattering_vector(source, diffracted[t]), polynomials);
          }
        }
    for (int t = 0; t < size; t++) {
      V value = I[t] * pixel_factor(m, pixel_factors(m, pixels[t], first_rays[t]));
      const int64_t at = begin + t * W;
      std::memcpy(out + at, &value, std::min<int64_t>(W, count - at) * sizeof(Real));
    }
  }
}

extern "C" const char* nanobragg_names() { return NAMES; }

extern "C" void nanobragg_values(const Model* m, const int64_t* flat, int64_t first, int64_t count, Real* out) {
  specialised(*m, [&](auto shape, auto lookup) { values<shape, lookup>(*m, flat, first, count, out); });
}
