// The sum of a 4x4x4 block of a grid, each node by the product of its three weights: for kernels (see kernel_block.py).
// A pixel after the other, since four nodes of a row lie side by side: 16 loads instead of 64, and no gather.

#include <cstdint>
#include <type_traits>

#if defined(__clang__)
#define FUSED_SUMS _Pragma("clang fp contract(fast)")
#define FUSED_FUNCTION
#else
#define FUSED_SUMS
#define FUSED_FUNCTION __attribute__((noinline, optimize("fp-contract=fast")))
#endif

// The block begins at F + first; a step along the axis before last is `row` values, along the first one `plane`.
// Weights of pixel p are weights[4 * axis + node][p].
template <typename T, int pixels, typename Index>
FUSED_FUNCTION static void block_sums(
    const T* __restrict F, const Index* __restrict first, int64_t row, int64_t plane,
    const T (*__restrict weights)[pixels], T* __restrict sums) {
  FUSED_SUMS
  typedef T Four __attribute__((vector_size(4 * sizeof(T))));
  typedef T Packed __attribute__((vector_size(4 * sizeof(T)), aligned(sizeof(T))));
  for (int p = 0; p < pixels; p++) {
    const auto weight = [&](int n) { return weights[n][p]; };
    const auto all = [&](int n) { return Four{weight(n), weight(n), weight(n), weight(n)}; };
    const Four k[4] = {all(4), all(5), all(6), all(7)};
    Four sum = {0, 0, 0, 0};
    for (int i = 0; i < 4; i++) {
      const T* at = F + first[p] + i * plane;
      Four over_k = k[0] * *(const Packed*)at;
      for (int j = 1; j < 4; j++) over_k = k[j] * *(const Packed*)(at + j * row) + over_k;
      sum = all(i) * over_k + sum;
    }
    sum = sum * Four{weight(8), weight(9), weight(10), weight(11)};
    sums[p] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }
}

// The weights of one pixel, or of as many as a vector has, in memory.
template <typename Value, typename T, int pixels, typename Index>
struct BlockWeights {
  alignas(64) T weights[12][pixels];
  alignas(64) Index first[pixels];
};

template <typename Index, typename Value, typename... Values>
static inline auto block_weights(const Index& first, const Value& weight, const Values&... more) {
  static_assert(sizeof...(more) == 11);
  if constexpr (std::is_arithmetic_v<Value>) {
    return BlockWeights<Value, Value, 1, Index>{{{weight}, {more}...}, {first}};
  } else {
    using T = typename Value::value_type;
    BlockWeights<Value, T, Value::size(), std::conditional_t<sizeof(T) == 4, int32_t, int64_t>> stored;
    int n = 0;
    weight.store(stored.weights[n++]);
    (more.store(stored.weights[n++]), ...);
    first.store(stored.first);
    return stored;
  }
}

template <typename Value, typename T, int pixels, typename Index>
static inline Value block_sum(
    const T* F, const BlockWeights<Value, T, pixels, Index>& stored, int64_t row, int64_t plane) {
  alignas(64) T sums[pixels];
  block_sums<T, pixels, Index>(F, stored.first, row, plane, stored.weights, sums);
  if constexpr (pixels == 1) {
    return sums[0];
  } else {
    return Value::loadu(sums);
  }
}
