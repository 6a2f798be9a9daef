// Packed items, and bounds of what a query can reach among them; rounding errors included, so that
// whatever is left out by a bound is left out rightly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/code_kernels.hpp"
#include "../simd/score_kernels.hpp"
#include "errors.hpp"

namespace aimass {

// The rows of the tile for n of them, and its place in simd::Tiles.
inline std::int64_t tile_rows(std::int64_t n) { return n > 4 ? 8 : n > 2 ? 4 : n; }
inline std::int64_t tile_place(std::int64_t n) { return n > 4 ? 3 : n > 2 ? 2 : n - 1; }

// After how many groups a scan compares its sums with a bound of the other groups, see
// simd::CodeScan. Few factors have no cuts: these tests would cost more than they save.
struct CodeCuts {
  explicit CodeCuts(std::int64_t n_groups)
      : n(n_groups < 32 ? 0 : simd::kCodeCuts),
        groups{n_groups * 2 / 8, n_groups * 3 / 8, n_groups * 4 / 8, n_groups * 6 / 8} {}
  std::int64_t n;
  std::int64_t groups[simd::kCodeCuts];
};

template <class T>
struct PackedItems {
  std::int64_t n_items, depth, n_panels;
  const T* panels;            // n_panels x depth x kPanelCols, in order of falling norm
  const T* biases;            // n_panels x kPanelCols; at least -max / 2, or -inf: no candidate
  const std::int32_t* order;  // n_panels x kPanelCols: the item at a position
  const double* norms;        // n_panels: no item of this or a later panel is longer
  const double* offsets;      // n_panels: no bias of this or a later panel is higher
  const std::uint8_t* codes;  // null: none; see simd::CodeScan
  const double* grids;        // n_panels x simd::kGridFields
};

// Euclidean norm without overflow or underflow.
template <class T>
double norm_of(const T* x, std::int64_t n) {
  double largest = 0, sum = 0;
  for (std::int64_t i = 0; i < n; ++i)
    largest = std::max(largest, std::abs(static_cast<double>(x[i])));
  if (largest == 0) return 0;
  if (largest > 1e-100 && largest < 1e100) {
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
    return std::sqrt(sum);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double scaled = static_cast<double>(x[i]) / largest;
    sum += scaled * scaled;
  }
  return largest * std::sqrt(sum);
}

// By Cauchy-Schwarz no rounded score of a query is above
//   norm * (largest item norm) + (largest bias), plus this.
template <class T>
struct ScoreBound {
  explicit ScoreBound(std::int64_t depth)
      : relative((2 * static_cast<double>(depth) + 8) * std::numeric_limits<T>::epsilon()),
        absolute((static_cast<double>(depth) + 1) * std::numeric_limits<T>::min()) {
    if (relative > 0.1) relative = std::numeric_limits<double>::infinity();  // no bound then
  }
  double operator()(double length, double bias) const {
    return length * (1 + relative) + bias + std::abs(bias) * relative + absolute;
  }
  double relative, absolute;
};

// Throws when a score of a row may leave the range of the type: its magnitude is at most
//   length * (largest norm) + (magnitude of the bias),
// and so are all partial sums. Infinite scores would tie with each other, and inf - inf is no
// number. Half of the range is left for rounding and for biases of the other sign.
template <class T>
void require_range(std::int64_t row, double length, double largest_norm, double bias) {
  constexpr double kHalf = std::numeric_limits<T>::max() / T(2);
  const double norm = length == 0 ? 0 : length * largest_norm;
  if (norm <= kHalf && norm + bias <= kHalf) return;
  throw NumericalFailure(
      row, sizeof(T) == sizeof(float)
               ? "has scores that may be beyond the range of float32; scale the factors and biases "
                 "down, or use float64"
               : "has scores that may be beyond the range of float64; scale the factors and biases "
                 "down");
}

// A query in codes, see simd::CodeScan; what bounds are made of.
struct CodedQuery {
  double per_step = 1, error_share = 0, length_share = 0;
  std::int32_t start = 0;
  double tails[simd::kCodeCuts] = {};
  std::int32_t cut_starts[simd::kCodeCuts] = {};
  std::vector<std::int32_t> codes;  // kCodeGroup bytes each
  bool usable = false;              // else nothing may be left out because of the codes

  template <class T>
  void set(const T* query, std::int64_t depth, double norm) {
    const auto n_groups =
        static_cast<std::size_t>((depth + simd::kCodeGroup - 1) / simd::kCodeGroup);
    codes.assign(n_groups, 0);
    per_step = 1;
    error_share = length_share = 0;
    start = 0;
    usable = norm > 1e-9 && norm < 1e9;
    if (!usable) return;
    T largest = 0;
    for (std::int64_t l = 0; l < depth; ++l) largest = std::max(largest, std::abs(query[l]));
    const std::int32_t most = simd::code_table().most;
    per_step = most / static_cast<double>(largest);
    const double step = 1 / per_step;
    double coded = 0, rest = 0;
    const CodeCuts cuts(static_cast<std::int64_t>(n_groups));
    std::fill(tails, tails + simd::kCodeCuts, 0.0);
    for (std::int64_t l = 0; l < depth; ++l) {
      const auto x = static_cast<double>(query[l]);
      // Rounded to the nearest by the large number; never above `most` but by a rounding error.
      constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52
      const double whole = x * per_step + kRound - kRound;
      const auto code = std::clamp(static_cast<std::int32_t>(whole), -most, most);
      start -= static_cast<std::int32_t>(simd::kCodeZero) * code;
      for (std::int64_t c = 0; c < cuts.n; ++c) {
        if (l < cuts.groups[c] * simd::kCodeGroup)
          cut_starts[c] = start;
        else
          tails[c] += x * x;
      }
      codes[static_cast<std::size_t>(l / simd::kCodeGroup)] |= static_cast<std::int32_t>(
          (static_cast<std::uint32_t>(code) & 0xFF) << (8 * (l % simd::kCodeGroup)));
      const double value = code * step, off = x - value;
      coded += value * value;
      rest += off * off;
    }
    // Rounding errors of these sums, and of the scores themselves.
    const double relative = ScoreBound<T>(depth).relative;
    error_share = std::sqrt(coded) * (1 + 1e-12);
    for (double& tail : tails) tail = std::sqrt(tail) * (1 + 1e-12);
    length_share = std::sqrt(rest) * (1 + 1e-12) + (relative + 1e-12) * norm;
  }
};

}  // namespace aimass
