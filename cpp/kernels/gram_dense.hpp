// The dense part of gram_topk. Problem: among the most active rows the most popular columns are so
// dense that a product of dense panels costs less than the sparse products it replaces. Rows are
// taken in classes of 512 by falling activity; each class has a prefix of the columns that it
// treats as dense, chosen by a cost model (ratio of the two costs per multiply-add, a constant of
// the ISA level, so the choice never depends on the number of threads). A stripe of the product,
// all columns from i0 on for i in [i0, i1), is accumulated by register tiles from panels packed on
// the fly. Memory per thread: the stripe and two panels.
#pragma once

#include <algorithm>
#include <cmath>
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

  const std::uint32_t* row_end_data() const { return width > 0 ? row_end.data() : nullptr; }
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
    // No row has more entries in a prefix than its first one has in all: wider ones cannot pay.
    const double longest = static_cast<double>(a.row_begin(first + 1) - a.row_begin(first));
    std::size_t n_ends = 0;
    while (n_ends < ends.size() && static_cast<double>(ends[n_ends]) <= longest * std::sqrt(ratio))
      ++n_ends;
    std::vector<double> squares(n_ends, 0.0);  // sum over rows of (entries in the prefix)^2
    for (std::int64_t r = first; r < last; ++r) {
      const RowEntry<T>* entry = a.row_begin(r);
      const RowEntry<T>* const stop = a.row_begin(r + 1);
      for (std::size_t e = 0; e < n_ends; ++e) {
        while (entry != stop && entry->col < static_cast<std::uint64_t>(ends[e])) ++entry;
        const auto n = static_cast<double>(entry - a.row_begin(r));
        squares[e] += n * n;
      }
    }
    double best = 0.0;
    std::int64_t prefix = 0;
    for (std::size_t e = 0; e < n_ends; ++e) {
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
  // Accumulates the sums of the pairs of a column i and a column j: sums_of(j)[i - begin()]. The
  // range of j covers that of i; where it reaches further only j > i are defined, where it begins
  // earlier only j < i.
  void compute(const GramLayout<T>& a, const DensePlan& plan, Range i, Range j, const Run& run) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const std::int64_t cols = kernels.tile_cols, rows = kernels.tile_rows;
    i_begin_ = i.begin;
    j_begin_ = j.begin;
    sums_.assign(static_cast<std::size_t>((j.end - j.begin + rows) * kStripe), T(0));
    for (std::int64_t c = 0; c < static_cast<std::int64_t>(plan.prefix.size()); ++c) {
      const std::int64_t prefix = plan.prefix[static_cast<std::size_t>(c)];
      if (prefix <= i.begin) continue;
      const Range r{c * kClassRows, std::min(a.n_rows, (c + 1) * kClassRows)};
      const std::int64_t depth = r.end - r.begin;
      const std::int64_t i_end = std::min(i.end, prefix), j_end = std::min(j.end, prefix);
      seek(a, r, i.begin);
      pack(a, r, {i.begin, i_end}, cols, right_);
      seek(a, r, j.begin);
      constexpr std::int64_t kPanel =
          480;  // columns packed at once; a multiple of every tile's rows
      for (std::int64_t j0 = j.begin; j0 < j_end; j0 += kPanel) {
        run.poll();
        const std::int64_t j1 = std::min(j_end, j0 + kPanel);
        pack(a, r, {j0, j1}, rows, left_);
        for (std::int64_t it = i.begin; it < i_end; it += cols)
          for (std::int64_t jt = j0; jt < j1; jt += rows)
            if (j.end > i.end ? jt + rows > it : j.begin == i.begin || jt < it + cols)
              kernels.gemm_tile(depth, left_.data() + (jt - j0) * depth,
                                right_.data() + (it - i.begin) * depth,
                                sums_.data() + (jt - j.begin) * kStripe + (it - i.begin), kStripe);
      }
    }
  }

  std::int64_t begin() const { return i_begin_; }
  const T* sums_of(std::int64_t j) const { return sums_.data() + (j - j_begin_) * kStripe; }

 private:
  // Puts cursor_ on the first entry of each row at or beyond a column.
  void seek(const GramLayout<T>& a, Range rows, std::int64_t col) {
    for (std::int64_t r = rows.begin; r < rows.end; ++r)
      cursor_[r - rows.begin] = a.row_begin(r) + a.place_of(r, col);
  }

  // A range of columns as panels of `width` columns, row after row; moves cursor_ to its end.
  void pack(const GramLayout<T>& a, Range rows, Range j, std::int64_t width,
            std::vector<T>& panels) {
    const std::int64_t depth = rows.end - rows.begin, n = j.end - j.begin;
    panels.assign(static_cast<std::size_t>((n + width - 1) / width * width * depth), T(0));
    offset_.resize(static_cast<std::size_t>(n));
    for (std::int64_t c = 0; c < n; ++c)
      offset_[static_cast<std::size_t>(c)] =
          static_cast<std::uint32_t>(c / width * width * depth + c % width);
    for (std::int64_t r = 0; r < depth; ++r) {
      const RowEntry<T>* entry = cursor_[r];
      const RowEntry<T>* const stop = a.row_begin(rows.begin + r + 1);
      for (; entry != stop && entry->col < static_cast<std::uint64_t>(j.end); ++entry)
        panels[offset_[static_cast<std::size_t>(entry->col - j.begin)] +
               static_cast<std::size_t>(r * width)] = entry->value;
      cursor_[r] = entry;
    }
  }

  std::int64_t i_begin_ = 0, j_begin_ = 0;
  std::vector<T> sums_, left_, right_;
  std::vector<std::uint32_t> offset_;
  const RowEntry<T>* cursor_[kClassRows];
};

}  // namespace aimass
