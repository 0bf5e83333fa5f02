// The sum of a 4x4x4 block of a grid, each node by the product of its three weights, or the nearest node where there is
// no such block: for kernels (see kernel_block.py).
// Neighbouring pixels mostly have the same block, whose nodes are then loaded once for all of them. Where too many blocks
// follow each other it is a pixel after the other, four nodes of a row with one load. Neither needs a gather.

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__clang__)
#define FUSED_SUMS _Pragma("clang fp contract(fast)")
#define FUSED_FUNCTION
#else
#define FUSED_SUMS
#define FUSED_FUNCTION __attribute__((noinline, optimize("fp-contract=fast")))
#endif

// What is needed of one pixel, or of as many as a vector has, in memory.
template <typename Value, typename T, int pixels, typename Index>
struct BlockWeights {
  uint32_t outside;  // a bit for each pixel without a block
  alignas(64) T weights[12][pixels];  // of axis and node: 4 * axis + node
  alignas(64) Index first[pixels], nearest[pixels];
};

// A bit for each number that is not at least 0.
template <typename T>
static inline uint32_t negative(const at::vec::Vectorized<T>& x) {
  return (x >= at::vec::Vectorized<T>(0)).zero_mask();
}

template <typename T, int vectors>
static inline uint32_t negative(const at::vec::VectorizedN<T, vectors>& x) {
  uint32_t found = 0;
  for (int n = 0; n < vectors; n++) found |= negative(x[n]) << n * at::vec::Vectorized<T>::size();
  return found;
}

template <typename Index, typename Value, typename... Values>
static inline auto block_weights(
    const Index& first, const Index& nearest, const Value& margin, const Values&... weights) {
  static_assert(sizeof...(weights) == 12);
  if constexpr (std::is_arithmetic_v<Value>) {
    return BlockWeights<Value, Value, 1, Index>{!(margin >= 0), {{weights}...}, {first}, {nearest}};
  } else {
    using T = typename Value::value_type;
    BlockWeights<Value, T, Value::size(), std::conditional_t<sizeof(T) == 4, int32_t, int64_t>> stored;
    stored.outside = negative(margin);
    int n = 0;
    (weights.store(stored.weights[n++]), ...);
    first.store(stored.first);
    nearest.store(stored.nearest);
    return stored;
  }
}

// The sum of the block at `at` with the weights of pixel p. A step along the axis before last is `row` values, along the
// first one `plane`.
template <typename T, int pixels>
static inline T sum_of_one(const T* at, int64_t row, int64_t plane, const T (*__restrict weights)[pixels], int p) {
  FUSED_SUMS
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  const auto weight = [&](int n) { return weights[n][p]; };
  Four over_hk = {0, 0, 0, 0};
  for (int i = 0; i < 4; i++) {
    Four over_k = {0, 0, 0, 0};
    for (int j = 0; j < 4; j++) {
      Four nodes;
      std::memcpy(&nodes, at + i * plane + j * row, sizeof nodes);
      over_k = weight(4 + j) * nodes + over_k;
    }
    over_hk = weight(i) * over_k + over_hk;
  }
  const Four of_l = Four{weight(8), weight(9), weight(10), weight(11)} * over_hk;
  return (of_l[0] + of_l[1]) + (of_l[2] + of_l[3]);
}

// The sums of the block at `at` with the weights of as many pixels as a vector has.
template <typename Vector, typename T>
static inline Vector sum_of_all(const T* at, int64_t row, int64_t plane, const Vector* weights) {
  Vector over_hkl(0);
  for (int i = 0; i < 4; i++) {
    Vector over_kl(0);
    for (int j = 0; j < 4; j++) {
      const T* nodes = at + i * plane + j * row;
      Vector over_l = weights[8] * Vector(nodes[0]);
      for (int m = 1; m < 4; m++) over_l = at::vec::fmadd(weights[8 + m], Vector(nodes[m]), over_l);
      over_kl = at::vec::fmadd(weights[4 + j], over_l, over_kl);
    }
    over_hkl = at::vec::fmadd(weights[i], over_kl, over_hkl);
  }
  return over_hkl;
}

template <typename Value, typename T, int pixels, typename Index>
FUSED_FUNCTION static void block_sums(
    const T* __restrict F, const BlockWeights<Value, T, pixels, Index>& stored, int64_t row, int64_t plane,
    T* __restrict sums) {
  const auto one = [&](int p) { return sum_of_one<T, pixels>(F + stored.first[p], row, plane, stored.weights, p); };
  if constexpr (pixels == 1) {
    sums[0] = one(0);
  } else {
    using Vector = at::vec::Vectorized<T>;
    constexpr int size = Vector::size(), most = size / 4;
    for (int begin = 0; begin < pixels; begin += size) {
      Vector weights[12], found;
      for (int n = 0; n < 12; n++) weights[n] = Vector::loadu(stored.weights[n] + begin);
      const Index* first = stored.first + begin;
      int p = 0;
      for (int blocks = 0; p < size && blocks < most && p >= 3 * (blocks - 1); blocks++) {
        const Index here = first[p];
        const Vector sum = sum_of_all<Vector, T>(F + here, row, plane, weights);
        found = p == 0 ? sum : Vector::blendv(found, sum, Vector::arange(T(0), T(1)) >= Vector(T(p)));
        while (p < size && first[p] == here) p++;
      }
      found.store(sums + begin);
      for (; p < size; p++) sums[begin + p] = one(begin + p);
    }
  }
  for (int p = 0; stored.outside != 0 && p < pixels; p++) {
    if (stored.outside >> p & 1) sums[p] = F[stored.nearest[p]];
  }
}

template <typename Value, typename T, int pixels, typename Index>
static inline Value block_sum(
    const T* F, const BlockWeights<Value, T, pixels, Index>& stored, int64_t row, int64_t plane) {
  alignas(64) T sums[pixels];
  block_sums(F, stored, row, plane, sums);
  if constexpr (pixels == 1) {
    return sums[0];
  } else {
    return Value::loadu(sums);
  }
}
