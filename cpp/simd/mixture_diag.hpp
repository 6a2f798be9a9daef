// Micro-kernels of mixtures with diagonal covariances in float32: see kernels/gmm_diag.hpp.
// Included by files compiled with ISA flags, so it holds no inline functions.
//
// A block has kRows rows. `rows` are z and z^2, `stride` apart, zeros behind them. Scores, less the
// highest constant of a component, and responsibilities are float32, [component][row].
#pragma once

#include <cstdint>

#include "mixture.hpp"

namespace aimass::simd::mixture {

struct DiagKernels {
  std::int64_t tile;  // components at a time

  // z = (x - shift) * scale; rows behind the first n become zeros. Returns whether all z^2 are
  // numbers of at most `limit`.
  bool (*pack)(const float* x, std::int64_t n, std::int64_t d, const double* shift,
               const double* scale, std::int64_t stride, float limit, float* rows);
  // scores = constants - |roots z + offsets|^2 / 2; coefficients are, in tiles of components,
  // [column][roots, offsets]. `columns` are groups of rows as FullKernels::turn makes them. `best`
  // gets the highest score of each row. Returns whether all of these are at least `lowest`.
  bool (*scores)(std::int64_t n_components, std::int64_t d, const float* coefficients,
                 const float* constants, const float* columns, float lowest, float* scores,
                 float* best);
  // Scores become responsibilities times weight; score_of_row gets `highest` and the log of the
  // sum of exp. The weighted sum of these is added to total.
  void (*softmax)(std::int64_t n_components, double highest, const double* weights,
                  const float* best, float* scores, double* score_of_row, double* total);
  // The first component of the highest score.
  void (*labels)(std::int64_t n_components, const float* scores, std::int64_t* labels);
  // sums.features += responsibilities' rows, of n_features, and sums.counts those of ones.
  void (*statistics)(std::int64_t n_components, std::int64_t n_features, const float* rows,
                     std::int64_t stride, const float* responsibilities, const Sums& sums);
  // Responsibilities of the first n rows, row by row.
  void (*turn)(std::int64_t n, std::int64_t n_components, const float* responsibilities,
               float* out);
};

// Those of the level in use.
const DiagKernels& diag_kernels();

}  // namespace aimass::simd::mixture
