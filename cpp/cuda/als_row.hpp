// The factors of one row of an alternating-least-squares half-step, by one block of threads: the
// body of the kernel als_solve on a GPU.
//
// The normal equations of a ragged row, its matrix A = gramian + ridge I + sum of weight y y', are
// cut into tiles of 4 x 4. A thread takes whole tiles and runs over all entries of the row, so that
// sums need no atomic operations and have one order; sums of 128 entries are added to a second sum,
// so that rounding errors of long rows stay small. Factors are read from global memory: the threads
// of a block read the same row at a time, which is in the cache of the multiprocessor. All solvers
// then work on A, see dense_solve.hpp.
//
// Time: nnz f^2 / 2 multiply-adds for A and n f^3 / 6 for "cholesky", n f^2 for a step of the
// others. Memory of a block: A, a second matrix for "subspace", 7 vectors.
#pragma once

#include "../kernels/als_weights.hpp"
#include "dense_solve.hpp"

namespace aimass::cuda {

// Rows in the memory of the device; `first` is the offset of the first of their entries.
template <class T>
struct AlsRows {
  std::int64_t first = 0;
  const std::int64_t* begin = nullptr;   // a row's entries are begin[row] to begin[row + 1]
  const std::int32_t* column = nullptr;  // of entry number offset - first
  const T* value = nullptr;
  const T* start = nullptr;   // rows x f
  const T* linear = nullptr;  // rows x f, or nullptr
  const T* ridge = nullptr;
  T* solution = nullptr;  // rows x f
};

// What all rows have in common, in the memory of the device.
template <class T>
struct AlsCommon {
  std::int64_t f = 0;
  const T* factors = nullptr;
  const T* gramian = nullptr;
  const T* inverse = nullptr;  // the preconditioner of "pcg"
  T resolved = 0;              // steps end at a direction with less curvature
  AlsWeights weights{};
  AlsSolver solver = AlsSolver::cholesky;
  std::int64_t n_steps = 0, block_size = 0;
};

template <class T>
struct AlsScratch {
  T* matrix;   // f x f
  T* part;     // block_size x block_size, for "subspace"
  T* vectors;  // 7 f
};

namespace als_row {

constexpr int kTile = 4;
constexpr std::int64_t kInOneSum = 128;

// Tile number t of the lower triangle, row by row.
AIMASS_DEVICE inline void tile_at(std::int64_t t, std::int64_t& i, std::int64_t& j) {
  i = static_cast<std::int64_t>((std::sqrt(8.0 * static_cast<double>(t) + 1) - 1) / 2);
  while (i * (i + 1) / 2 > t) --i;
  while ((i + 1) * (i + 2) / 2 <= t) ++i;
  j = t - i * (i + 1) / 2;
}

template <class T>
AIMASS_DEVICE void add_entry(const AlsCommon<T>& common, const AlsRows<T>& rows, std::int64_t e,
                             std::int64_t i, std::int64_t j, T (&sums)[kTile][kTile]) {
  const T* y = common.factors + rows.column[e - rows.first] * common.f;
  T weight, target;
  common.weights.of(rows.value[e - rows.first], weight, target);
  for (int r = 0; r < kTile; ++r) {
    const T left = i + r < common.f ? weight * y[i + r] : T{0};
    for (int c = 0; c < kTile; ++c) sums[r][c] += left * (j + c < common.f ? y[j + c] : T{0});
  }
}

// One tile of A, to both sides of the diagonal.
template <class T>
AIMASS_DEVICE void fill_tile(const AlsCommon<T>& common, const AlsRows<T>& rows, std::int64_t row,
                             std::int64_t i, std::int64_t j, T* matrix) {
  const std::int64_t f = common.f, end = rows.begin[row + 1];
  T total[kTile][kTile] = {};
  for (std::int64_t from = rows.begin[row]; from < end; from += kInOneSum) {
    const std::int64_t to = from + kInOneSum < end ? from + kInOneSum : end;
    T sums[kTile][kTile] = {};
    for (std::int64_t e = from; e < to; ++e) add_entry(common, rows, e, i, j, sums);
    for (int r = 0; r < kTile; ++r)
      for (int c = 0; c < kTile; ++c) total[r][c] += sums[r][c];
  }
  for (int r = 0; r < kTile && i + r < f; ++r) {
    for (int c = 0; c < kTile && j + c < f; ++c) {
      if (j + c > i + r) continue;  // within a tile on the diagonal
      const std::int64_t a = i + r, b = j + c;
      const T value = common.gramian[a * f + b] + total[r][c] + (a == b ? rows.ridge[row] : T{0});
      matrix[a * f + b] = value;
      matrix[b * f + a] = value;
    }
  }
}

template <class T>
AIMASS_DEVICE T right_side(const AlsCommon<T>& common, const AlsRows<T>& rows, std::int64_t row,
                           std::int64_t i) {
  T total = 0;
  for (std::int64_t from = rows.begin[row]; from < rows.begin[row + 1]; from += kInOneSum) {
    T sum = 0;
    for (std::int64_t e = from; e < from + kInOneSum && e < rows.begin[row + 1]; ++e) {
      T weight, target;
      common.weights.of(rows.value[e - rows.first], weight, target);
      sum += target * common.factors[rows.column[e - rows.first] * common.f + i];
    }
    total += sum;
  }
  return total + (rows.linear == nullptr ? T{0} : rows.linear[row * common.f + i]);
}

template <class T, class Block>
AIMASS_DEVICE void normal_equations(Block& block, const AlsCommon<T>& common,
                                    const AlsRows<T>& rows, std::int64_t row, T* matrix, T* b) {
  const std::int64_t per_side = (common.f + kTile - 1) / kTile;
  const std::int64_t n_tiles = per_side * (per_side + 1) / 2;
  block.each([&](int thread) {
    for (std::int64_t t = thread; t < n_tiles; t += block.size()) {
      std::int64_t i, j;
      tile_at(t, i, j);
      fill_tile(common, rows, row, i * kTile, j * kTile, matrix);
    }
    for (std::int64_t i = thread; i < common.f; i += block.size())
      b[i] = right_side(common, rows, row, i);
  });
}

// y = x for "cg", inverse x for "pcg".
template <class T, class Block>
AIMASS_DEVICE void precondition(Block& block, const AlsCommon<T>& common, const T* x, T* y) {
  if (common.solver == AlsSolver::pcg) {
    symmetric_product(block, common.inverse, x, common.f, y);
    return;
  }
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < common.f; i += block.size()) y[i] = x[i];
  });
}

template <class T, class Block>
AIMASS_DEVICE void conjugate_gradient(Block& block, const AlsCommon<T>& common, const T* a, T* r,
                                      T* x, T* more, DotShared<T>& shared) {
  const std::int64_t f = common.f;
  T *p = more, *z = more + f, *product = more + 2 * f;
  symmetric_product(block, a, x, f, product);
  block.each([&](int thread) {  // r holds the right side
    for (std::int64_t i = thread; i < f; i += block.size()) r[i] -= product[i];
  });
  precondition(block, common, r, z);
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < f; i += block.size()) p[i] = z[i];
  });
  T now = dot(block, r, z, f, shared);
  for (std::int64_t step = 0; step < common.n_steps; ++step) {
    symmetric_product(block, a, p, f, product);
    const T curvature = dot(block, p, product, f, shared);
    const T length = dot(block, p, p, f, shared);
    if (!(now > 0) || !(curvature > common.resolved * length)) return;
    const T size = now / curvature;
    block.each([&](int thread) {
      for (std::int64_t i = thread; i < f; i += block.size()) {
        x[i] += size * p[i];
        r[i] -= size * product[i];
      }
    });
    precondition(block, common, r, z);
    const T before = now;
    now = dot(block, r, z, f, shared);
    block.each([&](int thread) {
      for (std::int64_t i = thread; i < f; i += block.size()) p[i] = z[i] + now / before * p[i];
    });
  }
}

template <class T, class Block>
AIMASS_DEVICE void sweep_blocks(Block& block, const AlsCommon<T>& common, const T* a, const T* b,
                                T* x, T* part, T* more) {
  const std::int64_t f = common.f;
  T *residual = more, *y = more + f, *change = more + 2 * f;
  for (std::int64_t step = 0; step < common.n_steps; ++step) {
    for (std::int64_t begin = 0; begin < f; begin += common.block_size) {
      const std::int64_t left = f - begin;
      const std::int64_t n = common.block_size < left ? common.block_size : left;
      block.each([&](int thread) {
        for (std::int64_t i = thread; i < n; i += block.size()) {
          T sum = 0;
          for (std::int64_t j = 0; j < f; ++j) sum += a[j * f + begin + i] * x[j];
          residual[i] = b[begin + i] - sum;
        }
        for (std::int64_t e = thread; e < n * n; e += block.size())
          part[e] = a[(begin + e / n) * f + begin + e % n];
      });
      cholesky_solve(block, part, n, residual, y, change);
      block.each([&](int thread) {
        for (std::int64_t i = thread; i < n; i += block.size()) x[begin + i] += change[i];
      });
    }
  }
}

template <class T, class Block>
AIMASS_DEVICE void sweep_nonnegative(Block& block, const AlsCommon<T>& common, const T* a,
                                     const T* b, T* x, DotShared<T>& shared) {
  const std::int64_t f = common.f;
  for (std::int64_t step = 0; step < common.n_steps; ++step) {
    for (std::int64_t k = 0; k < f; ++k) {
      const T product = dot(block, a + k * f, x, f, shared);
      block.each([&](int thread) {
        if (thread != 0) return;
        const T diagonal = a[k * f + k];
        const T moved = diagonal > 0 ? x[k] + (b[k] - product) / diagonal : T{0};
        x[k] = moved < 0 ? T{0} : moved;  // NaN stays
      });
    }
  }
}

}  // namespace als_row

template <class T, class Block>
AIMASS_DEVICE void solve_als_row(Block& block, const AlsCommon<T>& common, const AlsRows<T>& rows,
                                 std::int64_t row, const AlsScratch<T>& scratch,
                                 DotShared<T>& shared) {
  const std::int64_t f = common.f;
  T *b = scratch.vectors, *x = b + f, *more = x + f;
  als_row::normal_equations(block, common, rows, row, scratch.matrix, b);
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < f; i += block.size()) x[i] = rows.start[row * f + i];
  });
  switch (common.solver) {
    case AlsSolver::cholesky:
      cholesky_solve(block, scratch.matrix, f, b, more, x);
      break;
    case AlsSolver::cg:
    case AlsSolver::pcg:
      als_row::conjugate_gradient(block, common, scratch.matrix, b, x, more, shared);
      break;
    case AlsSolver::subspace:
      als_row::sweep_blocks(block, common, scratch.matrix, b, x, scratch.part, more);
      break;
    case AlsSolver::nonnegative:
      als_row::sweep_nonnegative(block, common, scratch.matrix, b, x, shared);
  }
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < f; i += block.size()) rows.solution[row * f + i] = x[i];
  });
}

}  // namespace aimass::cuda
