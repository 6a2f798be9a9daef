// What both sweeps of a factorization machine share: how the coefficients of one column of the
// design matrix are drawn given everything else, and the layout of the arrays.
//
// The prediction of a case is linear in the coefficients of one column: with h the derivatives,
// the conditional distribution of the coefficients is normal with
//   precision  A = L + alpha sum h h',   mean  A^-1 (L m + alpha sum h (e + h'v)),
// where m and L (diagonal) are the prior of the column's group, e the errors and v the present
// coefficients. A draw is L_A^-T (L_A^-1 b + z) for the Cholesky factor L_A and standard normal z.
// Without z it is the mean: one step of alternating least squares.
//
// Layout. Coefficients are drawn jointly in blocks of slots. A row of coefficients consists of
// blocks of `block_width` slots; slot 0 of the first block is the linear coefficient, slot 0 of the
// others is not used, and the rest are factors, padded with zeros. A row of sums of factors has
// the same layout with 1 in slot 0 of each block.
// Rendle, Factorization machines with libFM (ACM TIST 2012).
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include "../simd/als_kernels.hpp"
#include "../simd/fm_kernels.hpp"
#include "../simd/rating_kernels.hpp"
#include "buffer.hpp"
#include "csr.hpp"
#include "denormals.hpp"
#include "parallel.hpp"

namespace aimass {

// The columns of a design matrix as rows of its transpose, in runs whose columns share no row.
template <class T>
struct FmColumns {
  Csr<T> columns;
  const std::int64_t* runs;  // n_runs + 1 bounds
  std::int64_t n_runs;
  const std::int32_t* groups;  // group of the prior of each column
  double* coefficients;        // columns x width
  const double* prior_mean;    // groups x width
  const double* prior_precision;
  const double* noise;  // columns x width; nullptr: the mean is taken
  double alpha;         // precision of an error
  std::int64_t width;
  std::int64_t block_width;
  std::int64_t n_factors;

  std::int64_t n_blocks() const { return width / block_width; }
  // Slots of a block that hold coefficients: [first, last).
  static std::int64_t first(std::int64_t block) { return block == 0 ? 0 : 1; }
  std::int64_t last(std::int64_t block) const {
    const std::int64_t per_block = block_width - 1;
    return 1 + std::min(per_block, std::max<std::int64_t>(n_factors - block * per_block, 0));
  }
};

namespace fm_detail {

constexpr std::int64_t kPart = 4096;  // entries whose sums are added up before they join the total
constexpr std::int64_t kPanel = 128;  // entries whose vectors are copied together

inline std::int64_t parts_of(std::int64_t n) {
  return std::max<std::int64_t>(1, (n + kPart - 1) / kPart);
}

// Sums over the entries of a column: the matrix of second moments of h, then those of h with e.
inline std::int64_t size_of_sums(std::int64_t block_width) {
  return block_width * (block_width + 1);
}

// Calls part(index, thread) for each part of n entries, on all threads or on the given one.
template <class Part>
void for_each_part(const Run& run, bool divided, std::int64_t n, int thread, Part&& part) {
  const std::int64_t n_parts = parts_of(n);
  if (divided && n_parts > 1) {
    parallel_for(run, n_parts, [&](std::int64_t p, int worker) {
      const FlushDenormals flush;
      part(p, worker);
    });
    return;
  }
  for (std::int64_t p = 0; p < n_parts; ++p) {
    if (p > 0) run.poll();
    part(p, thread);
  }
}

// Calls part(index, thread, sums) for each part of n entries and adds the sums up in order.
// `scratch` holds parts_of(n) sums, of which the first becomes the total.
template <class Part>
void sum_parts(const Run& run, bool divided, std::int64_t n, int thread, std::int64_t size,
               double* scratch, Part&& part) {
  for_each_part(run, divided, n, thread,
                [&](std::int64_t p, int worker) { part(p, worker, scratch + p * size); });
  for (std::int64_t p = 1; p < parts_of(n); ++p) {
    for (std::int64_t i = 0; i < size; ++i) scratch[i] += scratch[p * size + i];
  }
}

[[noreturn]] inline void throw_no_finite_coefficients(std::int64_t column) {
  throw NumericalFailure("column " + std::to_string(column) +
                         " of the design matrix has no finite coefficients: its values or the "
                         "targets are too large or too far apart; standardise them");
}

// Draws the coefficients of a block of one column; moments: as by size_of_sums, the matrix
// complete. Changes the coefficients and writes their change, zero in other slots.
// work: block_width^2 numbers of scratch.
template <class T>
void draw(const FmColumns<T>& model, std::int64_t column, std::int64_t block, const double* moments,
          double* work, double* change) {
  const std::int64_t at = block * model.block_width;
  double* v = model.coefficients + column * model.width + at;
  const std::int64_t prior = model.groups[column] * model.width + at;
  const simd::FmSystem system{
      moments,
      v,
      model.prior_mean + prior,
      model.prior_precision + prior,
      model.noise == nullptr ? nullptr : model.noise + column * model.width + at,
      model.alpha,
      model.first(block),
      model.last(block),
      model.block_width};
  if (!simd::fm_kernels().draw(system, work, change)) {
    throw_no_finite_coefficients(column);
  }
  for (std::int64_t i = 0; i < model.block_width; ++i) v[i] += change[i];
}

// Completes the moments of the first `used` slots, of which the upper triangle is known.
inline void complete(std::int64_t width, std::int64_t used, double* moments) {
  for (std::int64_t i = 1; i < used; ++i) {
    for (std::int64_t j = 0; j < i; ++j) moments[i * width + j] = moments[j * width + i];
  }
}

// moments += sums over n rows of a panel of p q' and q e, where q is the panel times weights. The
// upper triangle of the matrix is summed. sums: size_of_sums(width) numbers of scratch.
template <class T>
void add_panel(std::int64_t n, const T* panel, const T* weighted, const T* errors,
               std::int64_t width, T* sums, double* moments) {
  const auto add = [&](T* matrix) {
    simd::als_systems<T>().syrk(n, panel, weighted, width, matrix, {});
    simd::als_passes<T>().combine({weighted, nullptr, width, nullptr, nullptr, n}, width, errors,
                                  matrix + width * width);
  };
  if constexpr (std::is_same_v<T, double>) {
    add(moments);
  } else {  // short sums in float, long ones in double
    std::fill(sums, sums + size_of_sums(width), T{0});
    add(sums);
    for (std::int64_t i = 0; i < size_of_sums(width); ++i) {
      moments[i] += static_cast<double>(sums[i]);
    }
  }
}

// Calls column(c, divided, thread) for all columns in order, those of a run at once where that
// pays. A column that stands alone is `divided` where all threads should share its entries.
// `kWork`: entries that pay for starting threads. Denormal numbers are 0 in all of them.
template <std::int64_t kWork, class T, class Column>
void for_each_column(const Run& run, const FmColumns<T>& model, Column&& column) {
  const FlushDenormals flush;
  std::int64_t work = 0;  // since the last poll
  for (std::int64_t r = 0; r < model.n_runs; ++r) {
    const std::int64_t begin = model.runs[r], end = model.runs[r + 1];
    const std::int64_t n_entries = model.columns.indptr[end] - model.columns.indptr[begin];
    const bool divided = run.n_threads() > 1 && n_entries + (end - begin) * 64 >= kWork;
    if (!divided || end - begin == 1) {
      for (std::int64_t c = begin; c < end; ++c) {
        work += model.columns.end(c) - model.columns.begin(c) + 64;
        if (work >= kWork) {
          run.poll();
          work = 0;
        }
        column(c, divided, 0);
      }
      continue;
    }
    const std::int64_t n_pieces = std::min<std::int64_t>(end - begin, 256);
    parallel_for(run, n_pieces, [&](std::int64_t piece, int thread) {
      const FlushDenormals of_thread;
      const Range range = block_range(end - begin, n_pieces, piece);
      for (std::int64_t c = begin + range.begin; c < begin + range.end; ++c) {
        column(c, false, thread);
      }
    });
  }
}

template <class T>
std::int64_t longest_column(const Csr<T>& columns) {
  std::int64_t longest = 0;
  for (std::int64_t c = 0; c < columns.n_rows; ++c) {
    longest = std::max(longest, columns.end(c) - columns.begin(c));
  }
  return longest;
}

}  // namespace fm_detail

}  // namespace aimass
