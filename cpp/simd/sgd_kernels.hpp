// Micro-kernels of stochastic gradient methods: one step moves a user's factors and those of one or
// more items. Included by the files compiled with ISA flags, so no inline functions: see table.hpp.
// Rows of factors have a common width, a multiple of kSgdPad; the padding is zero and stays zero.
#pragma once

#include <cstdint>

namespace aimass::simd {

constexpr std::int64_t kSgdPad = 16;

// How a direction d (ascent, regularisation included) moves a parameter w:
//   sgd       w += rate d
//   momentum  m = momentum m + d;  w += rate m
//   adagrad   s += d^2;  w += rate d / sqrt(s + epsilon)
//   adam      m = momentum m + (1 - momentum) d;  s = decay s + (1 - decay) d^2;
//             w += rate correction[steps] m / (sqrt(s) + epsilon)
// m and s of a row change only in steps that move the row; `steps` counts those of a row.
enum class SgdRule { sgd, momentum, adagrad, adam };
constexpr int kSgdRules = 4;

template <class T>
struct SgdSteps {
  T rate, bias_rate;
  T momentum, decay, epsilon;
  const T* corrections;  // of adam: by the number of steps before, the last one for all after
  std::int64_t n_corrections;
};

// The parameters of one side. Arrays that a rule or a model lacks are nullptr.
template <class T>
struct SgdRows {
  T* factors;  // rows x width
  T* first;    // of momentum and adam: m; of adagrad: s
  T* second;   // of adam: s
  T* biases;   // one for each row
  T* bias_first;
  T* bias_second;
  std::int32_t* steps;  // of adam
};

template <class T>
struct SgdPenalties {
  T user, positive, negative, bias;
};

struct SgdPair {
  std::int32_t user, positive, negative;
};

struct SgdTally {
  double loss;
  std::int64_t n_correct;  // pairs in their right order before the step
};

// What a list step adds to the rows of its items and of its user:
//   item k    own[k] x + self[k] y_k   (self: nullptr for 0)
//   user      sum of own[k] y_k + self_user x
template <class T>
struct SgdList {
  const std::int32_t* items;
  const T* own;
  const T* self;
  const T* bias_moves;          // what is added to the direction of the items' biases
  std::int64_t n, n_positives;  // the positives come first
  T self_user, user_bias_move;
};

template <class T>
struct SgdKernels {
  // out[k] = x'y_k + bias_k; norms (or nullptr)[k] = y_k'y_k.
  void (*scores)(const SgdRows<T>& items, std::int64_t width, const T* x,
                 const std::int32_t* indices, std::int64_t n, T* out, T* norms);
  // Ascends ln sigmoid(score of positive - score of negative) pair by pair, in their order.
  void (*pairs[kSgdRules])(const SgdRows<T>& users, const SgdRows<T>& items, std::int64_t width,
                           const SgdSteps<T>& steps, const SgdPenalties<T>& penalties,
                           const SgdPair* pairs, std::int64_t n, SgdTally* tally);
  // Ascends slope * (score of positive - score of negative) of one pair.
  void (*pair[kSgdRules])(const SgdRows<T>& users, const SgdRows<T>& items, std::int64_t width,
                          const SgdSteps<T>& steps, const SgdPenalties<T>& penalties,
                          const SgdPair& pair, T slope);
  // direction: width, for the user's.
  void (*list[kSgdRules])(const SgdRows<T>& users, const SgdRows<T>& items, std::int64_t width,
                          const SgdSteps<T>& steps, const SgdPenalties<T>& penalties,
                          std::int32_t user, const SgdList<T>& list, T* direction);
};

struct SgdTable {
  SgdKernels<float> f32;
  SgdKernels<double> f64;
};

// Those of the level in use.
template <class T>
const SgdKernels<T>& sgd_kernels();

}  // namespace aimass::simd
