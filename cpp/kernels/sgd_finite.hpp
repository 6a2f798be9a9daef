// Divergence of stochastic gradient steps: what is said about it, and the search for numbers that
// are not finite. One pass over the factors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

inline NumericalFailure diverged(std::uint64_t epoch) {
  return NumericalFailure("training diverged in epoch " + std::to_string(epoch + 1) +
                          ": factors or scores are no longer finite numbers; lower learning_rate, "
                          "or raise the regularization");
}

template <class T>
bool all_finite(const T* values, std::int64_t n) {
  constexpr std::int64_t kSums = 16;  // several sums, or each would wait for the one before
  T sums[kSums] = {};                 // of zeros, and of NaN
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (std::int64_t k = 0; k < kSums; ++k) sums[k] += values[i + k] * 0;
  }
  for (; i < n; ++i) sums[0] += values[i] * 0;
  for (std::int64_t k = 1; k < kSums; ++k) sums[0] += sums[k];
  return sums[0] == 0;
}

// `epoch` counts from 0. rows, biases: nullptr where there are none.
template <class T>
void require_finite(const Run& run, const T* rows, const T* biases, std::int64_t n,
                    std::int64_t width, std::uint64_t epoch) {
  constexpr std::int64_t kBlock = 1 << 12;
  parallel_for(run, (n + kBlock - 1) / kBlock, [&](std::int64_t block, int) {
    const std::int64_t begin = block * kBlock, end = std::min(n, begin + kBlock);
    const bool finite =
        (rows == nullptr || all_finite(rows + begin * width, (end - begin) * width)) &&
        (biases == nullptr || all_finite(biases + begin, end - begin));
    if (!finite) throw diverged(epoch);
  });
}

}  // namespace aimass
