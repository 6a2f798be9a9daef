// Micro-kernels of mixtures with diagonal covariances in float32: see kernels/gmm_diag.hpp.
// Included by files compiled with ISA flags, so it holds no inline functions.
//
// A block has kRows rows. `rows` are z and z^2, `stride` apart, zeros behind them. Scores and
// responsibilities are float64, in the layout of mixture.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd::mixture {

struct DiagKernels {
  std::int64_t tile;  // components at a time

  // z = (x - shift) * scale; rows behind the first n become zeros.
  void (*pack)(const float* x, std::int64_t n, std::int64_t d, const double* shift,
               const double* scale, std::int64_t stride, float* rows);
  // scores = constants - |roots z + offsets|^2 / 2; coefficients are, in tiles of components,
  // [column][roots, offsets]. `columns` are groups of rows as FullKernels::turn makes them. Returns
  // whether all best scores are at least `lowest`.
  bool (*scores)(std::int64_t n_components, std::int64_t d, const float* coefficients,
                 const double* constants, const float* columns, double lowest, double* scores);
  // sums [component][sums_stride] += responsibilities' rows, of n_features; scratch: n_components x
  // kRows.
  void (*statistics)(std::int64_t n_components, std::int64_t n_features, const float* rows,
                     std::int64_t stride, const double* responsibilities, float* scratch,
                     double* sums, std::int64_t sums_stride);
};

// Those of the level in use.
const DiagKernels& diag_kernels();

}  // namespace aimass::simd::mixture
