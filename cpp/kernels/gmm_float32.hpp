// When mixtures may be computed in float32: float32 rows whose spread is not so much larger than
// the components that rounding of the rows counts, and numbers whose squares are no problem. The
// limits are asked of the components before a step and, by their sums, of those after it: rounding
// of z z' is then at most 64^2 * 2^-24, some 2e-4, of a variance given the columns before. That is
// no bound of what many steps add up to: see aimass_core/mixture/_em.py.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "gmm_block.hpp"

namespace aimass {

constexpr double kMostAmplified = 64;  // spread over width
constexpr double kFarthest = 1000;     // nats below the highest density: rows in float64

// Mean of z^2 of each column, by some 500 rows.
template <class T>
std::vector<double> mean_squares(const GmmRows<T>& x) {
  const std::int64_t step = x.n / 500 + 1, n = (x.n + step - 1) / step;
  std::vector<double> square(static_cast<std::size_t>(x.d));
  for (std::int64_t b = 0; b < x.n; b += step) {
    for (std::int64_t i = 0; i < x.d; ++i) {
      const double z = (static_cast<double>(x.x[b * x.d + i]) - x.shift[i]) * x.scale[i];
      square[static_cast<std::size_t>(i)] += z * z / static_cast<double>(n);
    }
  }
  return square;
}

// Products of rows and weights are in the range of float32.
template <class T>
bool fits_float32(const GmmRows<T>& x, const std::vector<double>& square) {
  const auto usual = [](double value) { return value == 0 || (value >= 1e-8 && value <= 1e8); };
  return std::all_of(square.begin(), square.end(), usual) &&
         (x.weights == nullptr || std::all_of(x.weights, x.weights + x.n, usual));
}

// Whether some value is not within the limit, or is no number.
template <class S>
bool beyond(const S* values, std::int64_t n, S limit) {
  int any = 0;
  for (std::int64_t i = 0; i < n; ++i) any |= !(std::abs(values[i]) <= limit);
  return any != 0;
}

// Whether sums of the form full or diag, made in float32, give covariances that are not so narrow
// in some direction that rounding counts: a variance, given the columns before, against the mean
// square.
inline bool sums_are_safe(const double* sums, std::int64_t d, bool full) {
  const double count = sums[0];
  if (count == 0) return true;
  const double* const linear = sums + 1;
  const double* pairs = sums + 1 + d;
  std::vector<double> factor(static_cast<std::size_t>(full ? d * d : 0));  // columns, as upper rows
  for (std::int64_t i = 0; i < d; ++i) {
    const double mean = linear[i] / count, square = pairs[0] / count;
    double* const row = factor.data() + i * d;
    double variance = square - mean * mean;
    if (full) {
      for (std::int64_t j = i; j < d; ++j) row[j] = pairs[j - i] / count - mean * linear[j] / count;
      for (std::int64_t k = 0; k < i; ++k) {
        const double* const before = factor.data() + k * d;
        for (std::int64_t j = i; j < d; ++j) row[j] -= before[i] * before[j];
      }
      variance = row[i];
    }
    if (square != 0 && !(variance * kMostAmplified * kMostAmplified > square)) return false;
    if (full && square != 0)  // a column of zeros is exact
      for (std::int64_t j = d - 1; j >= i; --j) row[j] /= std::sqrt(variance);
    pairs += full ? d - i : 1;
  }
  return true;
}

}  // namespace aimass
