// Lanes of two vectors in a new order, for compilers with either spelling of it: GCC before 12 does
// not have __builtin_shufflevector. Everything has internal linkage.
#pragma once

#include <cstdint>

namespace {

template <std::int64_t bytes>
struct IntegerOf;
template <>
struct IntegerOf<4> {
  using Type = std::int32_t;
};
template <>
struct IntegerOf<8> {
  using Type = std::int64_t;
};

// Lane i of `out` is lane kI[i] of the lanes of a followed by those of b. By reference, for vectors
// that are larger than the registers of a level.
template <std::int64_t... kI, class V>
inline void shuffle_to(const V& a, const V& b, V& out) {
#if __has_builtin(__builtin_shufflevector)
  out = __builtin_shufflevector(a, b, kI...);
#else
  using Integer = typename IntegerOf<static_cast<std::int64_t>(sizeof(a[0]))>::Type;
  typedef Integer Order __attribute__((vector_size(sizeof(V))));
  out = __builtin_shuffle(a, b, Order{static_cast<Integer>(kI)...});
#endif
}

template <std::int64_t... kI, class V>
inline V shuffle(V a, V b) {
  V out;
  shuffle_to<kI...>(a, b, out);
  return out;
}

}  // namespace
