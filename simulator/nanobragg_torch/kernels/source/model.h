// What a kernel is given: the tensors of a model in the precision of the kernel, whole numbers, and two plain numbers.
//
// The Python side (model.py) passes them in the order of these lists, which it reads from the library.

#pragma once

#include "vectors.h"

// Name, and how many numbers: B sources, K slices, G points of the grid of structure factors.
#define TENSORS(X)                                                                                                   \
  X(beam) X(fdet) X(sdet) X(odet) X(pix0) X(pixel) X(distance) X(close_distance) X(layer_depth) X(mu) X(incident)    \
  X(wavelength_m) X(E) X(B) X(kahn) X(fluence) X(background) X(real_m) X(cells) X(fudge) X(reciprocal_A) X(F)        \
  X(default_F)
#define COUNTS(X)                                                                                                    \
  X(width) X(oversample) X(layers) X(sources) X(slices) X(shape) X(lookup) X(curved) X(point_pixel) X(polarized)     \
  X(real_counts) X(nh) X(nk) X(nl) X(lowest_h) X(lowest_k) X(lowest_l)
#define NUMBERS(X) X(steps) X(dmin_m)

#define AS_POINTER(name) const Real* name;
#define AS_SLOPES(name) double* name;
#define AS_COUNT(name) int64_t name;
#define AS_NUMBER(name) double name;
#define AS_TEXT(name) #name " "

struct Model {
  TENSORS(AS_POINTER)
  COUNTS(AS_COUNT)
  NUMBERS(AS_NUMBER)
};

// As the tensors; null where a slope is not wanted.
struct Slopes {
  TENSORS(AS_SLOPES)
};

constexpr const char NAMES[] = TENSORS(AS_TEXT) "/ " COUNTS(AS_TEXT) "/ " NUMBERS(AS_TEXT);

static_assert(sizeof(void*) == 8 && sizeof(Slopes) % 8 == 0, "made for processors of 64 bits");

enum Shape { SQUARE, ROUND, GAUSS, TOPHAT };
enum Lookup { NO_TABLE, NEAREST, INTERPOLATED };
enum Polarized { UNPOLARIZED, PLAIN, KAHN };

// Calls f with the shape and the lookup as constants of the compiler.
template <typename F>
INLINE void specialised(const Model& m, F&& f) {
  auto with_shape = [&](auto shape) {
    switch (m.lookup) {
      case NO_TABLE: return f(shape, std::integral_constant<int, NO_TABLE>());
      case NEAREST: return f(shape, std::integral_constant<int, NEAREST>());
      default: return f(shape, std::integral_constant<int, INTERPOLATED>());
    }
  };
  switch (m.shape) {
    case SQUARE: return with_shape(std::integral_constant<int, SQUARE>());
    case ROUND: return with_shape(std::integral_constant<int, ROUND>());
    case GAUSS: return with_shape(std::integral_constant<int, GAUSS>());
    default: return with_shape(std::integral_constant<int, TOPHAT>());
  }
}

// W pixels at once.
struct Pixels {
  V slow, fast;
};

// The coordinates of pixels one after the other: of flat indices, or of `first` and on where `flat` is null.
class Coordinates {
 public:
  Coordinates(const Model& m, const int64_t* flat, int64_t first, int64_t count)
      : flat(flat), width(m.width), count(count), row(first / width), column(first % width) {}

  // The next W pixels, of which those beyond the last repeat it.
  Pixels next() {
    if (!flat && column + W <= width && done + W <= count) {  // within a row
      V steps;
      for (int i = 0; i < W; i++) steps[i] = Real(i);
      Pixels p = {all(Real(row)), all(Real(column)) + steps};
      done += W, column += W;
      if (column == width) row++, column = 0;
      return p;
    }
    alignas(VECTOR_BYTES) Real slow[W], fast[W];
    for (int i = 0; i < W; i++, done++) {
      if (flat && done < count) row = flat[done] / width, column = flat[done] % width;
      slow[i] = Real(row), fast[i] = Real(column);
      if (!flat && done + 1 < count && ++column == width) row++, column = 0;
    }
    return {load(slow), load(fast)};
  }

 private:
  const int64_t* flat;
  int64_t width, count, row, column, done = 0;
};
