// Divergence of stochastic gradient steps: what is said about it, and the search for numbers that
// are not finite. One pass over the factors.
#pragma once

#include <cmath>
#include <string>

#include "../simd/sgd_kernels.hpp"
#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

inline NumericalFailure diverged(std::uint64_t epoch) {
  return NumericalFailure("training diverged in epoch " + std::to_string(epoch + 1) +
                          ": factors or scores are no longer finite numbers; lower learning_rate, "
                          "or raise the regularization");
}

// `epoch` counts from 0.
template <class T>
void require_finite(const Run& run, const simd::SgdRows<T>& rows, std::int64_t n,
                    std::int64_t width, std::uint64_t epoch) {
  constexpr std::int64_t kBlock = 1 << 12;
  parallel_for(run, (n + kBlock - 1) / kBlock, [&](std::int64_t block, int) {
    const std::int64_t begin = block * kBlock, end = std::min(n, begin + kBlock);
    T sum = 0;  // of zeros, and of NaN
    for (std::int64_t i = begin * width; i < end * width; ++i) sum += rows.factors[i] * T{0};
    for (std::int64_t i = begin; rows.biases != nullptr && i < end; ++i) sum += rows.biases[i] * 0;
    if (!(sum == 0)) throw diverged(epoch);
  });
}

}  // namespace aimass
