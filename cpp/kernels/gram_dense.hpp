// The dense part of gram_topk. Problem: among the most active rows the most popular columns are so
// dense that a product of dense panels costs less than the sparse products it replaces. Rows are
// taken in classes of 512 by falling activity; each class has a prefix of the columns that it
// treats as dense, chosen by a cost model (ratio of the two costs per multiply-add, a constant of
// the ISA level, so the choice never depends on the number of threads). A stripe of the product,
// all columns from i0 on for i in [i0, i1), is accumulated by register tiles from panels packed on
// the fly. Memory per thread: the stripe and two panels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../simd/simd.hpp"
#include "gram_layout.hpp"

namespace aimass {

constexpr std::int64_t kClassRows = 512;
constexpr std::int64_t kStripe = 192;  // columns; a multiple of every tile's columns

// Columns [0, prefix[c]) are dense for the rows of class c; row_end[r] entries of row r lie there.
struct DensePlan {
  std::vector<std::int64_t> prefix;
  std::vector<std::uint32_t> row_end;
  std::int64_t width = 0;  // the widest prefix
};

template <class T>
DensePlan plan_dense(const GramLayout<T>& a, const Run& run) {
  DensePlan plan;
  plan.row_end.assign(static_cast<std::size_t>(a.n_rows), 0);
  // Where a prefix may end: never between columns of equal popularity, so that equal columns get
  // bit-equal sums.
  const auto popularity = [&](std::int64_t c) { return a.popularity[static_cast<std::size_t>(c)]; };
  std::vector<std::int64_t> ends;
  for (std::int64_t c = 48; c < a.n_cols; c += 48) {
    std::int64_t end = c;
    while (end > 0 && popularity(end - 1) == popularity(end)) --end;
    if (ends.empty() ? end > 0 : end > ends.back()) ends.push_back(end);
  }
  if (a.n_cols > 0) ends.push_back(a.n_cols);

  const double ratio = simd::kernels<T>().dense_gain;
  const std::int64_t n_classes = (a.n_rows + kClassRows - 1) / kClassRows;
  plan.prefix.assign(static_cast<std::size_t>(n_classes), 0);
  parallel_for(run, n_classes, [&](std::int64_t c, int) {
    const std::int64_t first = c * kClassRows, last = std::min(a.n_rows, first + kClassRows);
    std::vector<double> squares(ends.size(), 0.0);  // sum over rows of (entries in the prefix)^2
    for (std::int64_t r = first; r < last; ++r) {
      const RowEntry<T>* entry = a.row_begin(r);
      const RowEntry<T>* const stop = a.row_begin(r + 1);
      for (std::size_t e = 0; e < ends.size(); ++e) {
        while (entry != stop && entry->col < static_cast<std::uint64_t>(ends[e])) ++entry;
        const auto n = static_cast<double>(entry - a.row_begin(r));
        squares[e] += n * n;
      }
    }
    double best = 0.0;
    std::int64_t prefix = 0;
    for (std::size_t e = 0; e < ends.size(); ++e) {
      const auto width = static_cast<double>(ends[e]);
      const double gain = squares[e] - static_cast<double>(last - first) * width * width / ratio;
      if (gain > best) {
        best = gain;
        prefix = ends[e];
      }
    }
    plan.prefix[static_cast<std::size_t>(c)] = prefix;
    for (std::int64_t r = first; r < last; ++r)
      plan.row_end[static_cast<std::size_t>(r)] = static_cast<std::uint32_t>(a.place_of(r, prefix));
  });
  for (const std::int64_t p : plan.prefix) plan.width = std::max(plan.width, p);
  return plan;
}

template <class T>
class DenseStripe {
 public:
  // Accumulates the stripe of columns [i0, i1): afterwards row(j)[i - i0] is the sum of pair (i, j)
  // for i < j < plan.width; what lies on the other side of the diagonal is not defined.
  void compute(const GramLayout<T>& a, const DensePlan& plan, std::int64_t i0, std::int64_t i1,
               const Run& run) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const std::int64_t cols = kernels.tile_cols, rows = kernels.tile_rows;
    i0_ = i0;
    sums_.assign(static_cast<std::size_t>((plan.width - i0 + rows) * kStripe), T(0));
    for (std::int64_t c = 0; c < static_cast<std::int64_t>(plan.prefix.size()); ++c) {
      const std::int64_t prefix = plan.prefix[static_cast<std::size_t>(c)];
      if (prefix <= i0) continue;
      const std::int64_t first = c * kClassRows,
                         depth = std::min(a.n_rows, first + kClassRows) - first;
      for (std::int64_t r = 0; r < depth; ++r)
        start_[r] = cursor_[r] = a.row_begin(first + r) + a.place_of(first + r, i0);
      const std::int64_t i_end = std::min(i1, prefix);
      pack(a, first, depth, i0, i_end, cols, right_);
      std::copy(start_, start_ + depth, cursor_);
      constexpr std::int64_t kPanel =
          480;  // columns packed at once; a multiple of every tile's rows
      for (std::int64_t j0 = i0; j0 < prefix; j0 += kPanel) {
        run.poll();
        const std::int64_t j1 = std::min(prefix, j0 + kPanel);
        pack(a, first, depth, j0, j1, rows, left_);
        for (std::int64_t i = i0; i < i_end; i += cols)
          for (std::int64_t j = j0; j < j1; j += rows)
            if (j + rows > i)
              kernels.gemm_tile(depth, left_.data() + (j - j0) * depth,
                                right_.data() + (i - i0) * depth,
                                sums_.data() + (j - i0) * kStripe + (i - i0), kStripe);
      }
    }
  }

  const T* row(std::int64_t j) const { return sums_.data() + (j - i0_) * kStripe; }

 private:
  // Columns [j0, j1) of rows first.. as panels of `width` columns, row after row; advances cursor_.
  void pack(const GramLayout<T>& a, std::int64_t first, std::int64_t depth, std::int64_t j0,
            std::int64_t j1, std::int64_t width, std::vector<T>& panels) {
    const std::int64_t n_panels = (j1 - j0 + width - 1) / width;
    panels.assign(static_cast<std::size_t>(n_panels * width * depth), T(0));
    offset_.resize(static_cast<std::size_t>(j1 - j0));
    for (std::int64_t j = 0; j < j1 - j0; ++j)
      offset_[static_cast<std::size_t>(j)] =
          static_cast<std::uint32_t>(j / width * width * depth + j % width);
    for (std::int64_t r = 0; r < depth; ++r) {
      const RowEntry<T>* entry = cursor_[r];
      const RowEntry<T>* const stop = a.row_begin(first + r + 1);
      for (; entry != stop && entry->col < static_cast<std::uint64_t>(j1); ++entry)
        panels[offset_[static_cast<std::size_t>(entry->col - j0)] +
               static_cast<std::size_t>(r * width)] = entry->value;
      cursor_[r] = entry;
    }
  }

  std::int64_t i0_ = 0;
  std::vector<T> sums_, left_, right_;
  std::vector<std::uint32_t> offset_;
  const RowEntry<T>* start_[kClassRows];   // first entry of each row at or beyond i0
  const RowEntry<T>* cursor_[kClassRows];  // first entry not yet packed
};

}  // namespace aimass
