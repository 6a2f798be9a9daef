// One side of alternating least squares, and factors as kernels read them. What every row
// minimises: als_weights.hpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../simd/als_kernels.hpp"
#include "als_weights.hpp"
#include "buffer.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

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
