// Lanes of two vectors in a new order, for compilers with either spelling of it: GCC before 12 has
// no
// __builtin_shufflevector. Everything has internal linkage.
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

// Lane i of the result is lane kI[i] of the lanes of a followed by those of b.
template <std::int64_t... kI, class V>
inline V shuffle(V a, V b) {
#if __has_builtin(__builtin_shufflevector)
  return __builtin_shufflevector(a, b, kI...);
#else
  using Integer = typename IntegerOf<static_cast<std::int64_t>(sizeof(a[0]))>::Type;
  typedef Integer Order __attribute__((vector_size(sizeof(V))));
  return __builtin_shuffle(a, b, Order{static_cast<Integer>(kI)...});
#endif
}

}  // namespace
