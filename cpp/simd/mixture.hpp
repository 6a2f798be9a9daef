// Micro-kernels of Gaussian mixtures: see kernels/gmm_em_step.hpp. Included by files compiled with
// ISA flags, so it holds no inline functions (table.hpp has the reason).
//
// A block has kRows rows z = (x - shift) * scale, in two layouts: `rows`, row by row with the first
// half of each repeated behind it, and `columns`, in groups of `group` rows, [group][d][row].
// Scores and responsibilities are [group][component][row].
//
// Features, d to a group: group 0 is z_i, group 1 + s is z_i z_(i+s mod d). The cyclic order makes
// each group one product of two contiguous pieces of `rows`, and d/2 + 1 groups hold every pair
// exactly once (the last group only to its half where d is even).
#pragma once

#include <cstdint>

namespace aimass::simd::mixture {

constexpr std::int64_t kRows = 96;
constexpr std::int64_t kPadding = 16;  // values readable and writable behind rows of features

struct Features {
  std::int64_t d;
  std::int64_t size;    // how many
  bool square;          // |z|^2 besides
  std::int64_t stride;  // of `rows`
};

// Sums over the rows of a part of the data. The last three hold one sum for each SIMD lane.
struct Sums {
  double* features;  // [component][stride]
  std::int64_t stride;
  double* counts;   // [component][lanes]
  double* squares;  // [component][lanes]
  double* score;    // [lanes]
};

template <class T>
using Pack = void (*)(const T* x, std::int64_t n, std::int64_t d, const double* shift,
                      const double* scale, std::int64_t stride, double* rows, double* columns,
                      double* squares);

struct Kernels {
  std::int64_t lanes, group, tile;
  std::int64_t scratch;  // values that `scores` and `statistics` need

  // Rows behind the first n become zeros.
  Pack<float> pack_f32;
  Pack<double> pack_f64;
  // scores = constants + features * coefficients; those are [tile of components][feature][tile],
  // |z|^2 the last feature.
  void (*scores)(const Features& f, std::int64_t n_components, const double* coefficients,
                 const double* constants, const double* columns, const double* squares,
                 double* scores, double* scratch);
  // Scores become responsibilities times weight; score_of_row gets the log of the sum of exp.
  // Counts and squares are summed where there are such arrays.
  void (*softmax)(std::int64_t n_components, const double* weights, const double* squares,
                  double* scores, double* score_of_row, const Sums& sums);
  void (*argmax)(std::int64_t n_components, const double* scores, double* score_of_row,
                 std::int64_t* labels);
  // Responsibilities of the first n rows, row by row.
  void (*turn_f32)(std::int64_t n, std::int64_t n_components, const double* responsibilities,
                   float* out);
  void (*turn_f64)(std::int64_t n, std::int64_t n_components, const double* responsibilities,
                   double* out);
  // sums.features += responsibilities' * features.
  void (*statistics)(const Features& f, std::int64_t n_components, const double* rows,
                     const double* responsibilities, const Sums& sums, double* scratch);
  // The same where a row belongs to one component only; counts, squares and score too.
  void (*scatter)(const Features& f, const double* rows, const double* weights,
                  const double* squares, const double* score_of_row, const std::int64_t* labels,
                  const Sums& sums, double* scratch);
};

// Those of the level in use.
const Kernels& kernels();

}  // namespace aimass::simd::mixture
