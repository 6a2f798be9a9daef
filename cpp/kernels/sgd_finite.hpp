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

// `epoch` counts from 0. rows, biases: nullptr where there are none.
template <class T>
void require_finite(const Run& run, const T* rows, const T* biases, std::int64_t n,
                    std::int64_t width, std::uint64_t epoch) {
  constexpr std::int64_t kBlock = 1 << 12;
  parallel_for(run, (n + kBlock - 1) / kBlock, [&](std::int64_t block, int) {
    const std::int64_t begin = block * kBlock, end = std::min(n, begin + kBlock);
    T sum = 0;  // of zeros, and of NaN
    for (std::int64_t i = begin * width; rows != nullptr && i < end * width; ++i)
      sum += rows[i] * 0;
    for (std::int64_t i = begin; biases != nullptr && i < end; ++i) sum += biases[i] * 0;
    if (!(sum == 0)) throw diverged(epoch);
  });
}

}  // namespace aimass
