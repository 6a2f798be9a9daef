// Packed items, and bounds of what a query can reach among them; rounding errors included, so that
// whatever is left out by a bound is left out rightly.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "../simd/score_kernels.hpp"

namespace aimass {

// The rows of the tile for n of them, and its place in simd::Tiles.
inline std::int64_t tile_rows(std::int64_t n) { return n > 4 ? 8 : n > 2 ? 4 : n; }
inline std::int64_t tile_place(std::int64_t n) { return n > 4 ? 3 : n > 2 ? 2 : n - 1; }

template <class T>
struct PackedItems {
  std::int64_t n_items, depth, n_panels;
  const T* panels;            // n_panels x depth x kPanelCols, in order of falling norm
  const T* biases;            // n_panels x kPanelCols; -inf: no candidate
  const std::int32_t* order;  // n_panels x kPanelCols: the item at a position
  const double* norms;        // n_panels: no item of this or a later panel is longer
  const double* offsets;      // n_panels: no bias of this or a later panel is higher
  // Heads: an item's product with n_axes orthonormal vectors, the length of its remainder, its
  // length times a rounding error, and with biases that error of its bias.
  std::int64_t n_axes, head_depth;  // 0: none
  const T* heads;                   // n_panels x head_depth x kPanelCols
  const double* axes;               // n_axes x depth
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

// The query's part of the product with heads, which is at least the score of every item:
//   q . v = sum over axes + (remainders' product), the latter at most |q_rest| |v_rest|.
// False where numbers are too large or small for it: the head is zero then.
template <class T>
bool make_head(const PackedItems<T>& items, const T* query, double norm, T* head) {
  for (std::int64_t a = 0; a < items.head_depth; ++a) head[a] = T(0);
  const double longest = items.n_panels > 0 ? items.norms[0] : 0;
  constexpr double kMost = std::numeric_limits<T>::max() * 1e-3;
  if (!(norm > 1e-100 && norm < 1e100 && longest < 1e100 && norm * longest < kMost && norm < kMost))
    return false;
  double along = 0;
  for (std::int64_t a = 0; a < items.n_axes; ++a) {
    const double* axis = items.axes + a * items.depth;
    double sum = 0;
    for (std::int64_t l = 0; l < items.depth; ++l) sum += axis[l] * static_cast<double>(query[l]);
    along += sum * sum;
    head[a] = static_cast<T>(sum);
  }
  constexpr double kUp = 1 + 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
  // The difference is off by some rounding errors of norm^2.
  const double rest = std::max(norm * norm - along, 0.0) + 1e-12 * norm * norm;
  head[items.n_axes] = static_cast<T>(std::sqrt(rest) * kUp);
  head[items.n_axes + 1] = static_cast<T>(norm * kUp);
  if (items.head_depth > items.n_axes + 2) head[items.n_axes + 2] = T(1);
  return true;
}

}  // namespace aimass
