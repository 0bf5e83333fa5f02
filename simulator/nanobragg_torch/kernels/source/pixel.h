// What does not change from slice to slice: the ray to a sub-sample, its scattering vector, and the pixel's factors.
//
// In double precision positions and scattering vectors are rounded as in PyTorch, step by step.
// Source: model sections 4, 7 and 8.

#pragma once

#include "functions.h"
#include "model.h"

// v about an axis by an angle (Rodrigues).
INLINE V3 rotated(V3 v, V3 axis, V sine, V cosine) {
  V along = dot(axis, v) * (Real(1.0) - cosine);
  return axis * along + v * cosine + cross(axis, v) * sine;
}

struct Ray {
  V F, S;         // along the detector's axes, in m
  Real depth;     // in the sensor, in m
  V3 position;    // in m
  V R, reciprocal_R;
  V3 diffracted;
};

INLINE V3 flat_position(const Model& m, const Ray& r) {
  V3 p;
  p.x = r.F * m.fdet[0] + r.S * m.sdet[0] + r.depth * m.odet[0] + m.pix0[0];
  p.y = r.F * m.fdet[1] + r.S * m.sdet[1] + r.depth * m.odet[1] + m.pix0[1];
  p.z = r.F * m.fdet[2] + r.S * m.sdet[2] + r.depth * m.odet[2] + m.pix0[2];
  return p;
}

// By the laboratory's components 2 and 3 of the flat position, whatever the axes.
static __attribute__((noinline)) V3 bent_position(const Model& m, V3 flat) {
  V3 on_beam = all3(m.beam) * all(*m.distance);
  SineCosine up = sine_and_cosine(flat.y / *m.distance), across = sine_and_cosine(flat.z / *m.distance);
  V3 bent = rotated(on_beam, all3(m.sdet), up.sine, up.cosine);
  return rotated(bent, all3(m.fdet), across.sine, across.cosine);
}

INLINE Ray ray_to(const Model& m, Pixels p, int64_t layer, int64_t subS, int64_t subF) {
  Ray r;
  Real n = Real(m.oversample), step = *m.pixel / n, half = step / 2;
  r.F = step * (p.fast * n + Real(subF)) + half;
  r.S = step * (p.slow * n + Real(subS)) + half;
  r.depth = *m.layer_depth * Real(layer);
  r.position = flat_position(m, r);
  if (m.curved) r.position = bent_position(m, r.position);
  r.R = root(dot(r.position, r.position));
  r.reciprocal_R = Real(1.0) / r.R;
  r.diffracted.x = quotient(r.position.x, r.R, r.reciprocal_R);
  r.diffracted.y = quotient(r.position.y, r.R, r.reciprocal_R);
  r.diffracted.z = quotient(r.position.z, r.R, r.reciprocal_R);
  return r;
}

struct Source {
  V3 incident;
  V wavelength, reciprocal;
};

INLINE Source source_at(const Model& m, int64_t source) {
  Real wavelength = m.wavelength_m[source];
  return {all3(m.incident + 3 * source), all(wavelength), all(Real(1.0) / wavelength)};
}

INLINE V3 scattering_vector(const Source& s, V3 diffracted) {
  V3 away = diffracted - s.incident;
  if constexpr (!IS_DOUBLE) return away * s.reciprocal;
  return {quotient(away.x, s.wavelength, s.reciprocal), quotient(away.y, s.wavelength, s.reciprocal),
          quotient(away.z, s.wavelength, s.reciprocal)};
}

INLINE V3 scattering_vector(const Model& m, V3 diffracted, int64_t source) {
  return scattering_vector(source_at(m, source), diffracted);
}

INLINE M is_resolved(const Model& m, V3 q) {
  V stol = Real(0.5) * root(dot(q, q));
  return ~((stol > Real(0.0)) & (all(Real(m.dmin_m)) > Real(0.5) / stol));
}

INLINE V solid_angle(const Model& m, const Ray& r) {
  if (m.point_pixel) return r.reciprocal_R * r.reciprocal_R;
  return (*m.pixel * *m.pixel) * *m.close_distance * r.reciprocal_R * r.reciprocal_R * r.reciprocal_R;
}

INLINE V capture_fraction(const Model& m, const Ray& r) {
  V decay = *m.layer_depth * *m.mu / dot(r.diffracted, all3(m.odet));
  Real layer = Real(m.layers - 1);
  return exponential(-layer * decay) - exponential(-(layer + 1) * decay);
}

// What the polarisation factor is made of; cos 2 psi is 1 where nothing lies across the beam.
struct Polarization {
  V cos2theta, along_E, along_B, across, cos2psi, factor;
};

INLINE Polarization polarization(const Model& m, V3 diffracted, int64_t source) {
  Polarization p = {};
  p.cos2theta = dot(all3(m.incident + 3 * source), diffracted);
  V square = p.cos2theta * p.cos2theta;
  if (m.polarized != KAHN) {
    p.factor = (Real(1.0) + square) * Real(0.5);
    return p;
  }
  p.along_E = dot(diffracted, all3(m.E + 3 * source));
  p.along_B = dot(diffracted, all3(m.B + 3 * source));
  V across = p.along_E * p.along_E + p.along_B * p.along_B;
  M is_zero = across == Real(0.0);
  p.across = is_zero ? all(1.0) : across;
  p.cos2psi = is_zero ? all(1.0) : (p.along_E * p.along_E - p.along_B * p.along_B) / p.across;
  p.factor = (Real(1.0) + square - *m.kahn * p.cos2psi * (Real(1.0) - square)) * Real(0.5);
  return p;
}

// The factors of a pixel. Quirk first-value: solid angle and polarisation of the first layer's first sub-sample (the
// first source that is resolved; 0 if none is), the capture fraction of the last layer's.
struct Factors {
  V omega, polar, capture;
};

// Calls f(ray, its number, source, mask) for the sub-samples and sources that pixels take their polarisation from.
template <typename F>
INLINE void first_resolved(const Model& m, Pixels p, F&& f) {
  M open = all_int(-1);
  for (int64_t layer = 0; layer < m.layers; layer++)
    for (int64_t subS = 0; subS < m.oversample; subS++)
      for (int64_t subF = 0; subF < m.oversample; subF++) {
        Ray ray = ray_to(m, p, layer, subS, subF);
        for (int64_t source = 0; source < m.sources; source++) {
          M takes = open & is_resolved(m, scattering_vector(m, ray.diffracted, source));
          if (any(takes)) f(ray, (layer * m.oversample + subS) * m.oversample + subF, source, takes);
          open &= ~takes;
          if (!any(open)) return;
        }
      }
}

static __attribute__((noinline)) V polar_of_first_resolved(const Model& m, Pixels p) {
  V polar = {};
  first_resolved(m, p, [&](const Ray& ray, int64_t, int64_t source, M takes) {
    polar = takes ? polarization(m, ray.diffracted, source).factor : polar;
  });
  return polar;
}

static __attribute__((noinline)) V capture_of_last_layer(const Model& m, Pixels p) {
  return capture_fraction(m, ray_to(m, p, m.layers - 1, 0, 0));
}

// Of pixels and the ray to their first sub-sample.
INLINE Factors pixel_factors(const Model& m, Pixels p, const Ray& first) {
  Factors f;
  f.omega = solid_angle(m, first);
  f.polar = !m.polarized   ? all(1.0)
            : m.dmin_m > 0 ? polar_of_first_resolved(m, p)
                           : polarization(m, first.diffracted, 0).factor;
  f.capture = m.layers > 1 ? capture_of_last_layer(m, p) : all(1.0);
  return f;
}

constexpr double R_E_SQR_M2 = 7.94079248018965e-30;  // Thomson cross section

// What a pixel's sum of steps is multiplied by, but for its factors.
INLINE Real pixel_scale(const Model& m) { return Real(R_E_SQR_M2) * *m.fluence / Real(m.steps); }

INLINE V pixel_factor(const Model& m, Factors f) { return pixel_scale(m) * f.capture * f.polar * f.omega; }
