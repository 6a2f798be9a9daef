// Micro-kernels of rating models trained by stochastic gradient descent on squared errors. Included
// by the files compiled with ISA flags, so no inline functions: see table.hpp. Rows have a common
// width, a multiple of kSgdPad; the padding is zero and stays zero.
#pragma once

#include <cstdint>

namespace aimass::simd {

template <class T>
struct RatingSide {
  T* factors;  // rows x width
  T* biases;   // nullptr: there are none
  T rate, bias_rate;
  T penalty, bias_penalty;
};

struct RatingPair {
  std::int32_t user, item;
};

// One user of a model whose user factors come from the items that the user rated:
//   rating ~ mean + b_u + b_i + q_i'(p + z).
template <class T>
struct ImplicitUser {
  T* p;     // nullptr: there is none
  T* z;     // changed: z = (1 - rate penalty) z + gain rate error q_i
  T* bias;  // of the user; nullptr: there are no biases
  T gain;
};

template <class T>
struct RatingKernels {
  // Descends (rating - mean - b_u - b_i - x'y)^2 / 2 + penalties, entry by entry; returns the sum
  // of the squared errors before the steps.
  double (*steps)(const RatingSide<T>& users, const RatingSide<T>& items, std::int64_t width,
                  T mean, const RatingPair* pairs, const T* ratings, std::int64_t n);
  // The same for all ratings of one user; `implicit` has the rate and penalty of z.
  double (*implicit)(const ImplicitUser<T>& user, const RatingSide<T>& users,
                     const RatingSide<T>& items, const RatingSide<T>& implicit, std::int64_t width,
                     T mean, const std::int32_t* indices, const T* ratings, std::int64_t n);
  // out += sum of coefficient[k] * row indices[k]; coefficient nullptr: 1.
  void (*gather)(const T* rows, std::int64_t width, const std::int32_t* indices,
                 const T* coefficient, std::int64_t n, T* out);
  // row indices[k] = scale * row + coefficient[k] * x.
  void (*scatter)(T* rows, std::int64_t width, const std::int32_t* indices, const T* coefficient,
                  std::int64_t n, T scale, const T* x);
};

struct RatingTable {
  RatingKernels<float> f32;
  RatingKernels<double> f64;
};

// Those of the level in use.
template <class T>
const RatingKernels<T>& rating_kernels();

}  // namespace aimass::simd
