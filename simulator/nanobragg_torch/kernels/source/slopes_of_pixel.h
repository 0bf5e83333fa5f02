// The backward pass of pixel.h: slopes by positions, rays and factors, summed over pixels.

#pragma once

#include "pixel.h"

// Slopes by what all pixels share, a sum for each lane.
struct Sums {
  V3 beam, fdet, sdet, odet, pix0;
  V pixel, distance, close_distance, layer_depth, mu, kahn, fluence, background;
};

// Slopes by one source.
struct SourceSums {
  V3 incident, E, B;
  V wavelength_m;
};

INLINE void add(double* to, V x) {
  if (to) *to += sum(x);
}

INLINE void add(double* to, V3 v) {
  if (to) to[0] += sum(v.x), to[1] += sum(v.y), to[2] += sum(v.z);
}

static __attribute__((noinline)) void add(Slopes& to, const Sums& s) {
  add(to.beam, s.beam), add(to.fdet, s.fdet), add(to.sdet, s.sdet), add(to.odet, s.odet), add(to.pix0, s.pix0);
  add(to.pixel, s.pixel), add(to.distance, s.distance), add(to.close_distance, s.close_distance);
  add(to.layer_depth, s.layer_depth), add(to.mu, s.mu), add(to.kahn, s.kahn);
  add(to.fluence, s.fluence), add(to.background, s.background);
}

static __attribute__((noinline)) void add(Slopes& to, int64_t source, const SourceSums& s) {
  auto of = [source](double* tensor, int64_t size) { return tensor ? tensor + size * source : nullptr; };
  add(of(to.incident, 3), s.incident), add(of(to.E, 3), s.E), add(of(to.B, 3), s.B);
  add(of(to.wavelength_m, 1), s.wavelength_m);
}

// Of slopes by `rotated(v, axis, angle)`: those by v, and those by axis and angle added.
INLINE V3 unrotated(V3 by, V3 v, V3 axis, SineCosine angle, V3& by_axis, V& by_angle) {
  V along = dot(axis, v), by_along = dot(by, axis), rest = Real(1.0) - angle.cosine;
  by_axis = by_axis + by * (along * rest) + v * (by_along * rest) + cross(v, by) * angle.sine;
  by_angle += angle.sine * (by_along * along - dot(by, v)) + angle.cosine * dot(by, cross(axis, v));
  return axis * (by_along * rest) + by * angle.cosine + cross(by, axis) * angle.sine;
}

// Of slopes by a bent position: those by the flat one.
static __attribute__((noinline)) V3 unbent(const Model& m, V3 flat, V3 by, Sums& s) {
  V distance = all(*m.distance);
  V3 beam = all3(m.beam), on_beam = beam * distance, sdet = all3(m.sdet), fdet = all3(m.fdet);
  SineCosine up = sine_and_cosine(flat.y / distance), across = sine_and_cosine(flat.z / distance);
  V3 once = rotated(on_beam, sdet, up.sine, up.cosine);
  V by_up = {}, by_across = {};
  V3 by_once = unrotated(by, once, fdet, across, s.fdet, by_across);
  V3 by_beam = unrotated(by_once, on_beam, sdet, up, s.sdet, by_up);
  s.beam = s.beam + by_beam * distance;
  s.distance += dot(by_beam, beam) - (by_up * flat.y + by_across * flat.z) / (distance * distance);
  return {V{}, by_up / distance, by_across / distance};
}

// Of slopes by a ray's direction and length.
INLINE void ray_slopes(const Model& m, Pixels p, const Ray& r, int64_t layer, int64_t subS, int64_t subF, V3 by_diffracted,
                       V by_R, Sums& s) {
  V3 d = r.diffracted;
  V3 by = (by_diffracted - d * dot(d, by_diffracted)) * r.reciprocal_R + d * by_R;
  if (m.curved) by = unbent(m, flat_position(m, r), by, s);
  s.pix0 = s.pix0 + by;
  s.fdet = s.fdet + by * r.F;
  s.sdet = s.sdet + by * r.S;
  s.odet = s.odet + by * all(r.depth);
  s.layer_depth += dot(by, all3(m.odet)) * Real(layer);
  Real n = Real(m.oversample), half = Real(0.5);
  V F_in_steps = p.fast * n + Real(subF) + half, S_in_steps = p.slow * n + Real(subS) + half;
  s.pixel += (dot(by, all3(m.fdet)) * F_in_steps + dot(by, all3(m.sdet)) * S_in_steps) / n;
}

// Of slopes by the scattering vector: those by the direction.
INLINE V3 scattering_slopes(const Model& m, V3 q, V3 by_q, int64_t source, SourceSums& s) {
  V reciprocal = all(Real(1.0) / m.wavelength_m[source]);
  V3 by = by_q * reciprocal;
  s.incident = s.incident - by;
  s.wavelength_m -= dot(q, by);
  return by;
}

// Of slopes by the polarisation factor: those by the direction.
INLINE V3 polarization_slopes(const Model& m, V3 d, const Polarization& p, V by, int64_t source, Sums& sums, SourceSums& s) {
  V3 incident = all3(m.incident + 3 * source);
  V square = p.cos2theta * p.cos2theta, half = by * Real(0.5);
  V kahn = m.polarized == KAHN ? all(*m.kahn) : V{};
  V by_cos2theta = Real(2.0) * p.cos2theta * half * (Real(1.0) + kahn * p.cos2psi);
  s.incident = s.incident + d * by_cos2theta;
  V3 by_d = incident * by_cos2theta;
  if (m.polarized != KAHN) return by_d;
  V rest = half * (Real(1.0) - square);
  sums.kahn -= p.cos2psi * rest;
  V by_cos2psi = Real(-2.0) * kahn * rest / p.across;
  V by_E = by_cos2psi * p.along_E * (Real(1.0) - p.cos2psi), by_B = -by_cos2psi * p.along_B * (Real(1.0) + p.cos2psi);
  s.E = s.E + d * by_E;
  s.B = s.B + d * by_B;
  return by_d + all3(m.E + 3 * source) * by_E + all3(m.B + 3 * source) * by_B;
}

static __attribute__((noinline)) void slopes_of_first_resolved(const Model& m, Pixels p, V by_polar, Sums& s, Slopes& to) {
  if (!m.polarized) return;
  int64_t layer = 0, at = 0, n = m.oversample;
  first_resolved(m, p, [&](const Ray& ray, int64_t number, int64_t source, M takes) {
    layer = number / (n * n), at = number % (n * n);
    V by = takes ? by_polar : V{};
    SourceSums of_source = {};
    V3 by_d = polarization_slopes(m, ray.diffracted, polarization(m, ray.diffracted, source), by, source, s, of_source);
    ray_slopes(m, p, ray, layer, at / n, at % n, by_d, V{}, s);
    add(to, source, of_source);
  });
}

static __attribute__((noinline)) void capture_slopes(const Model& m, Pixels p, V by, Sums& s) {
  Ray r = ray_to(m, p, m.layers - 1, 0, 0);
  Real layer = Real(m.layers - 1);
  V3 odet = all3(m.odet);
  V parallax = dot(r.diffracted, odet), reciprocal = Real(1.0) / parallax;
  V decay = *m.layer_depth * *m.mu * reciprocal;
  V by_decay = by * ((layer + 1) * exponential(-(layer + 1) * decay) - layer * exponential(-layer * decay));
  s.layer_depth += by_decay * *m.mu * reciprocal;
  s.mu += by_decay * *m.layer_depth * reciprocal;
  V by_parallax = -by_decay * decay * reciprocal;
  s.odet = s.odet + r.diffracted * by_parallax;
  ray_slopes(m, p, r, m.layers - 1, 0, 0, odet * by_parallax, V{}, s);
}

// Slopes by what a pixel's sum of steps I is multiplied by, of slopes `by` by its value. Returns those by the sum.
INLINE V factor_slopes(const Model& m, Pixels p, V by, V value, Sums& s, SourceSums& first_source, Slopes& to) {
  const Ray first = ray_to(m, p, 0, 0, 0);
  const Factors f = pixel_factors(m, p, first);
  const Real scale = pixel_scale(m);
  V factor = scale * f.capture * f.polar * f.omega;
  // A factor of 0 is one at its least, whose slope is 0, so that the sum behind it does not count.
  V I = value / (factor == Real(0.0) ? all(1.0) : factor);
  V by_factors = by * I * scale;
  s.fluence += by_factors * f.capture * f.polar * f.omega / *m.fluence;
  s.background += by * factor;
  V by_omega = by_factors * f.capture * f.polar, by_R;
  V by_R_part = by_omega * f.omega * first.reciprocal_R;
  by_R = (m.point_pixel ? Real(-2.0) : Real(-3.0)) * by_R_part;
  if (!m.point_pixel) {
    s.pixel += Real(2.0) * by_omega * f.omega / *m.pixel;
    s.close_distance += by_omega * f.omega / *m.close_distance;
  }
  V by_polar = by_factors * f.capture * f.omega;
  V3 by_d = {};
  if (m.dmin_m > 0) slopes_of_first_resolved(m, p, by_polar, s, to);
  else if (m.polarized)
    by_d = polarization_slopes(m, first.diffracted, polarization(m, first.diffracted, 0), by_polar, 0, s, first_source);
  ray_slopes(m, p, first, 0, 0, 0, by_d, by_R, s);
  if (m.layers > 1) capture_slopes(m, p, by_factors * f.polar * f.omega, s);
  return by * factor;
}
