// Vectors of as many numbers as the processor works on at once, and the few operations that C++ has no operator for.
//
// Compiled once for each precision, with REAL as float or double. Products and sums are never contracted by the
// compiler (-ffp-contract=off): what must be rounded as in PyTorch is written with * and +, all else with fma.

#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
constexpr int VECTOR_BYTES = 64;
#elif defined(__AVX2__) && defined(__FMA__)
constexpr int VECTOR_BYTES = 32;
#else
constexpr int VECTOR_BYTES = 16;
#endif

using Real = REAL;
constexpr bool IS_DOUBLE = sizeof(Real) == 8;
using Int = std::conditional_t<IS_DOUBLE, int64_t, int32_t>;
constexpr int W = VECTOR_BYTES / sizeof(Real);
typedef Real V __attribute__((vector_size(VECTOR_BYTES)));
typedef Int M __attribute__((vector_size(VECTOR_BYTES)));  // integers, and masks of -1 and 0

#define INLINE static inline __attribute__((always_inline))

INLINE V all(Real x) { return V{} + x; }
INLINE M all_int(Int x) { return M{} + x; }

INLINE V load(const Real* from) {
  V v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

INLINE void store(Real* to, V v) { std::memcpy(to, &v, sizeof v); }

INLINE V fma(V x, V y, V z) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (IS_DOUBLE) return (V)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)z);
  else return (V)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#elif defined(__AVX2__) && defined(__FMA__)
  if constexpr (IS_DOUBLE) return (V)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)z);
  else return (V)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#else
  V r;
  for (int i = 0; i < W; i++) r[i] = std::fma(x[i], y[i], z[i]);
  return r;
#endif
}

INLINE V root(V x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (IS_DOUBLE) return (V)_mm512_sqrt_pd((__m512d)x);
  else return (V)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__) && defined(__FMA__)
  if constexpr (IS_DOUBLE) return (V)_mm256_sqrt_pd((__m256d)x);
  else return (V)_mm256_sqrt_ps((__m256)x);
#else
  V r;
  for (int i = 0; i < W; i++) r[i] = std::sqrt(x[i]);
  return r;
#endif
}

INLINE V ceiling(V x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (IS_DOUBLE) return (V)_mm512_roundscale_pd((__m512d)x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  else return (V)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
#elif defined(__AVX2__) && defined(__FMA__)
  if constexpr (IS_DOUBLE) return (V)_mm256_ceil_pd((__m256d)x);
  else return (V)_mm256_ceil_ps((__m256)x);
#else
  V r;
  for (int i = 0; i < W; i++) r[i] = std::ceil(x[i]);
  return r;
#endif
}

INLINE V floor_of(V x) { return -ceiling(-x); }

// Of a comparison with what is not a number the answer is y, here and in most; so x may be anything.
INLINE V larger(V x, V y) { return x > y ? x : y; }
INLINE V smaller(V x, V y) { return x < y ? x : y; }
INLINE V magnitude(V x) {
  return (V)((M)x & all_int(std::numeric_limits<Int>::max()));
}

INLINE bool any(M mask) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (IS_DOUBLE) return _mm512_movepi64_mask((__m512i)mask) != 0;
  else return _mm512_movepi32_mask((__m512i)mask) != 0;
#elif defined(__AVX2__) && defined(__FMA__)
  return _mm256_movemask_epi8((__m256i)mask) != 0;
#else
  Int found = 0;
  for (int i = 0; i < W; i++) found |= mask[i];
  return found != 0;
#endif
}

// The first lane of a mask that has one.
INLINE int first_lane(M mask) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  if constexpr (IS_DOUBLE) return __builtin_ctz(_mm512_movepi64_mask((__m512i)mask));
  else return __builtin_ctz(_mm512_movepi32_mask((__m512i)mask));
#else
  int lane = 0;
  while (!mask[lane]) lane++;
  return lane;
#endif
}

// Whether any bit is set.
INLINE bool any_bit(M x) {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return _mm512_test_epi64_mask((__m512i)x, (__m512i)x) != 0;
#elif defined(__AVX2__) && defined(__FMA__)
  return !_mm256_testz_si256((__m256i)x, (__m256i)x);
#else
  Int found = 0;
  for (int i = 0; i < W; i++) found |= x[i];
  return found != 0;
#endif
}

INLINE double sum(V x) {
  double total = 0.0;
  for (int i = 0; i < W; i++) total += double(x[i]);
  return total;
}

// Adding this and subtracting it again rounds a number to the nearest whole one (halves to even).
constexpr Real ROUNDS = IS_DOUBLE ? Real(6755399441055744.0) : Real(12582912.0);

INLINE V nearest_even(V x) { return (x + ROUNDS) - ROUNDS; }

// Whole numbers, of at most 22 bits in single precision and 51 in double, as integers.
INLINE M integers(V whole) { return (M)(whole + ROUNDS) - (M)all(ROUNDS); }

// Values at flat indices, copied one by one through whole-number registers and memory: the processor's own gather takes
// longer, and so do vectors that are put together in registers.
INLINE V gather(const Real* from, M at) {
  alignas(VECTOR_BYTES) Int i[W];
  alignas(VECTOR_BYTES) Real v[W];
  std::memcpy(i, &at, sizeof at);
  asm("" : "+m"(i));  // else the compiler takes vectors apart, and puts them together, in registers
  for (int n = 0; n < W; n++) {
    std::memcpy(v + n, from + i[n], sizeof(Real));
    asm("" : "+m"(v[n]));
  }
  return load(v);
}

// x / y rounded as that is, of y and its reciprocal. Source: P. W. Markstein, IBM J. Res. Dev. 34 (1990) 111.
INLINE V quotient(V x, V y, V reciprocal) {
  V near = x * reciprocal;
  return fma(fma(-near, y, x), reciprocal, near);
}

struct V3 {
  V x, y, z;
};

INLINE V3 operator+(V3 a, V3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
INLINE V3 operator-(V3 a, V3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
INLINE V3 operator*(V3 a, V s) { return {a.x * s, a.y * s, a.z * s}; }
INLINE V dot(V3 a, V3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
INLINE V3 cross(V3 a, V3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
INLINE V3 all3(const Real* v) { return {all(v[0]), all(v[1]), all(v[2])}; }
