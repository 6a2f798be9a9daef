// Micro-kernels of mixtures with full covariances, one component at a time, in float or double: see
// kernels/gmm_full.hpp. Included by files compiled with ISA flags, so it holds no inline functions.
//
// `rows` are standardised rows z, `stride` apart, zeros behind the last column. `columns` are
// groups of `group` rows, [column][row], `width` columns: as many as the data has, rounded up to
// whole tiles. The triangle of a component is [tile][column][tile] for the columns up to the tile's
// end.
#pragma once

#include <cstdint>

namespace aimass::simd::mixture {

template <class S>
struct FullKernels {
  std::int64_t lanes, group, tile;

  // z = (x - shift) * scale; rows behind the first n become zeros.
  void (*pack_f32)(const float* x, std::int64_t n, std::int64_t n_rows, std::int64_t d,
                   const double* shift, const double* scale, std::int64_t stride, S* rows);
  void (*pack_f64)(const double* x, std::int64_t n, std::int64_t n_rows, std::int64_t d,
                   const double* shift, const double* scale, std::int64_t stride, S* rows);
  // One group of columns from the rows of these numbers, 0 < n <= group; the last one is repeated.
  void (*turn)(const S* rows, std::int64_t stride, const std::int32_t* index, std::int64_t n,
               std::int64_t width, S* columns);
  // distances += the squares of y = triangle' z + offsets, of some tiles; those from tile 0 on
  // begin at 0. Where limits are given, a group all of whose distances are above them is left
  // early.
  void (*distances)(std::int64_t n_groups, std::int64_t width, std::int64_t first_tile,
                    std::int64_t end_tile, const S* columns, const S* triangle, const S* offsets,
                    const S* limits, S* distances);
  // The best of constant - distance / 2, and of which component it is.
  void (*improve)(std::int64_t n, std::int64_t component, double constant, const S* distances,
                  S* best, S* labels);
  // Numbers of the rows with this label.
  std::int64_t (*labelled)(std::int64_t n, std::int64_t component, const S* labels,
                           std::int32_t* index);
  // Numbers of the rows of other labels whose distance is not above limits = 2 (highest - best);
  // the distances above become infinite.
  std::int64_t (*within)(std::int64_t n, std::int64_t component, S highest, const S* labels,
                         const S* best, S* distances, S* limits, std::int32_t* index);
  // constant - distance / 2, in groups of 3 vectors of doubles that lie `stride` apart.
  void (*scores)(std::int64_t n, double constant, const S* distances, std::int64_t stride,
                 double* scores);
  // Rows that this component has more than `least` of their weight of, and how much: r, in groups
  // of 3 vectors of doubles that lie `stride` apart. Returns how many.
  std::int64_t (*shares)(std::int64_t n, double least, const double* weights, std::int64_t stride,
                         const double* r, S* shares, std::int32_t* index);
  // sums += r z z' of these rows: [tile][tile][columns from the tile's begin, in whole vectors of
  // floats]; linear += r z. scratch: n x width, in whole vectors.
  void (*outer)(std::int64_t n, const std::int32_t* index, const S* r, const S* rows,
                std::int64_t stride, std::int64_t d, S* scratch, double* sums, double* linear);
};

struct FullTable {
  FullKernels<float> f32;
  FullKernels<double> f64;
};

// Those of the level in use.
template <class S>
const FullKernels<S>& full_kernels();

}  // namespace aimass::simd::mixture
