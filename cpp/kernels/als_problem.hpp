// One side of alternating least squares: what every row minimises, and factors as kernels read
// them.
//   x' (gramian + ridge I) x - 2 linear'x
//   + sum over the row's entries of (weight (y'x)^2 - 2 target y'x)
// An entry of value v, preferences:  weight = alpha |v| + weight_shift,
//                                    target = alpha v + target_shift if v > 0, else 0;
//                                    a stored zero is no entry.
//                       else values:  weight = weight_shift, target = v.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../simd/als_kernels.hpp"
#include "buffer.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

struct AlsWeights {
  double alpha, weight_shift, target_shift;
  bool preferences;

  // Whether every weight is zero, so that all rows have one matrix.
  bool none() const { return weight_shift == 0 && (alpha == 0 || !preferences); }

  template <class T>
  void of(const T* data, std::int64_t n, T* weight, T* target) const {
    if (!preferences) {
      std::fill(weight, weight + n, static_cast<T>(weight_shift));
      std::copy(data, data + n, target);
      return;
    }
    const T a = static_cast<T>(alpha), w = static_cast<T>(weight_shift),
            t = static_cast<T>(target_shift);
    for (std::int64_t i = 0; i < n; ++i) {
      const T scaled = a * std::abs(data[i]);
      weight[i] = data[i] != 0 ? scaled + w : T{0};
      target[i] = data[i] > 0 ? scaled + t : T{0};
    }
  }
};

// Factors with rows padded by zeros to whole vectors, on large pages: rows are read at random.
template <class T>
class PaddedFactors {
 public:
  PaddedFactors(const Run& run, const T* factors, std::int64_t n, std::int64_t n_factors)
      : width_(padded(n_factors)), rows_(std::max<std::int64_t>(n, 1) * width_) {
    constexpr std::int64_t kBlock = 1 << 14;
    parallel_for(run, (n + kBlock - 1) / kBlock, [&](std::int64_t block, int) {
      for (std::int64_t i = block * kBlock; i < std::min(n, (block + 1) * kBlock); ++i) {
        pad(factors + i * n_factors, n_factors, rows_.data() + i * width_);
      }
    });
  }

  static std::int64_t padded(std::int64_t n_factors) {
    constexpr std::int64_t kPad = simd::kAlsPad<T>;
    return (n_factors + kPad - 1) / kPad * kPad;
  }
  static void pad(const T* row, std::int64_t n_factors, T* out) {
    std::copy(row, row + n_factors, out);
    std::fill(out + n_factors, out + padded(n_factors), T{0});
  }

  std::int64_t width() const { return width_; }
  const T* data() const { return rows_.data(); }

 private:
  std::int64_t width_;
  Buffer<T> rows_;
};

enum class AlsSolver { cholesky, cg, pcg, subspace, nonnegative };

template <class T>
struct AlsProblem {
  Csr<T> rows;
  const T* factors;  // rows.n_cols x n_factors
  std::int64_t n_factors;
  const double* gramian;  // n_factors x n_factors, symmetric
  const T* start;         // rows x n_factors
  const double* ridge;    // per row
  const T* linear;        // rows x n_factors, or nullptr: zero
  double common_ridge;    // what of it every row has at least
  AlsWeights weights;
  AlsSolver solver;
  std::int64_t n_steps, block_size;
  T* solution;  // rows x n_factors

  bool iterates() const { return solver == AlsSolver::cg || solver == AlsSolver::pcg; }
};

// Boundaries of blocks of rows that cost about the same, where an empty row costs `per_row`
// entries. They depend on the matrix alone.
template <class T>
std::vector<std::int64_t> row_blocks(const Csr<T>& rows, std::int64_t per_row) {
  const std::int64_t total = rows.nnz() + rows.n_rows * per_row;
  const std::int64_t wanted = std::max<std::int64_t>(total / 1024, 16 * per_row);
  std::vector<std::int64_t> bounds{0};
  std::int64_t cost = 0;
  for (std::int64_t row = 0; row < rows.n_rows; ++row) {
    cost += rows.end(row) - rows.begin(row) + per_row;
    if (cost >= wanted || row + 1 == rows.n_rows) {
      bounds.push_back(row + 1);
      cost = 0;
    }
  }
  return bounds;
}

}  // namespace aimass
