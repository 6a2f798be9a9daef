// The matrix as gram_topk wants it. Problem: columns relabelled by falling popularity, rows by
// falling activity; every row as a list (column, value) in ascending new labels, so that what lies
// beyond a given column is contiguous; and for every group of columns the rows that hold one of
// them, with the place of the first. A group is as many of the most popular columns as a vector
// register has lanes, while rows hold more than one or two of them at once, and then a single
// column. Cost: O(nnz) time; nnz row entries and at most nnz group entries of 8 bytes (float32).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

#include "../simd/simd.hpp"
#include "buffer.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

using simd::RowEntry;

// Factors of rows and columns, multiplied in while the lists are built. Null: ones.
template <class T>
struct Scales {
  const T* row = nullptr;
  const T* col = nullptr;
};

struct GroupEntry {
  std::uint32_t row;
  std::uint32_t pos;  // place in the row's list of its first entry in the group
};

template <class T>
struct GramLayout {
  static constexpr std::int64_t kLanes = simd::kLaneBytes / static_cast<std::int64_t>(sizeof(T));

  std::int64_t n_rows, n_cols;
  std::vector<std::int32_t> col_of;      // new label -> column of the input
  std::vector<std::int64_t> popularity;  // entries of each column, by new label: falling
  std::vector<std::int64_t> row_of;      // new label -> row of the input
  std::vector<std::int64_t> row_ptr;     // n_rows + 1
  Buffer<RowEntry<T>> row;
  double squares = 0;                      // sum of squared row lengths
  std::int64_t grouped = 0;                // columns before this one are in groups of kLanes
  std::vector<std::uint32_t> row_grouped;  // by row: its entries in those columns
  std::vector<std::int64_t> group_ptr;
  Buffer<GroupEntry> group;  // by group, ascending rows

  std::int64_t nnz() const { return row_ptr.back(); }
  std::int64_t n_groups() const { return static_cast<std::int64_t>(group_ptr.size()) - 1; }
  std::int64_t group_begin_entry(std::int64_t g) const {
    return group_ptr[static_cast<std::size_t>(g)];
  }
  std::int64_t group_of(std::int64_t col) const {
    return col < grouped ? col / kLanes : grouped / kLanes + col - grouped;
  }
  std::int64_t group_begin(std::int64_t g) const {
    return g < grouped / kLanes ? g * kLanes : g - grouped / kLanes + grouped;
  }

  const RowEntry<T>* row_begin(std::int64_t r) const {
    return row.data() + row_ptr[static_cast<std::size_t>(r)];
  }
  // Entries [begin, end) of the group lists, each with its row; brings the rows to come nearer.
  // tail: the part of a row that will be read, by row; may be null.
  template <class Visit>
  void each_row(std::int64_t g, const std::uint32_t* tail, const Run& run, Visit&& visit) const {
    constexpr std::int64_t kFar = 24, kNear = 8;
    const std::int64_t end = group_begin_entry(g + 1), last = group_ptr.back();
    for (std::int64_t n = group_begin_entry(g); n < end; ++n) {
      if (n % 1024 == 0) run.poll();
      if (n + kFar < last) {
        const std::uint32_t far = group[n + kFar].row;
        __builtin_prefetch(row_ptr.data() + far);
        if (tail) __builtin_prefetch(tail + far);
        const GroupEntry near = group[n + kNear];
        __builtin_prefetch(row_begin(near.row) + near.pos);
        if (tail) __builtin_prefetch(row_begin(near.row) + tail[near.row]);
      }
      visit(group[n], row_begin(group[n].row));
    }
  }
  // How many entries of row r lie in columns before c.
  std::int64_t place_of(std::int64_t r, std::int64_t c) const {
    const auto before = [c](const RowEntry<T>& entry) { return entry.col < c; };
    return std::partition_point(row_begin(r), row_begin(r + 1), before) - row_begin(r);
  }
};

namespace gram_layout_detail {

// Labels of n keys by falling value, equal ones in their order.
template <class Label, class Key>
std::vector<Label> by_falling(std::int64_t n, Key&& key) {
  std::vector<Label> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Label{0});
  std::stable_sort(order.begin(), order.end(), [&](Label a, Label b) { return key(a) > key(b); });
  return order;
}

// Ascending by column; least significant digit first for long rows.
template <class T>
void sort_row(RowEntry<T>* begin, std::int64_t n, int n_bits, std::vector<RowEntry<T>>& scratch) {
  if (n < 96) {
    std::sort(begin, begin + n,
              [](const RowEntry<T>& a, const RowEntry<T>& b) { return a.col < b.col; });
    return;
  }
  scratch.resize(static_cast<std::size_t>(n));
  RowEntry<T>*from = begin, *to = scratch.data();
  for (int bit = 0; bit < n_bits; bit += 8) {
    std::int64_t place[256] = {};
    for (std::int64_t i = 0; i < n; ++i) ++place[(from[i].col >> bit) & 255];
    std::exclusive_scan(place, place + 256, place, std::int64_t{0});
    for (std::int64_t i = 0; i < n; ++i) to[place[(from[i].col >> bit) & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != begin) std::copy(from, from + n, begin);
}

// How many columns are worth grouping: those that the rows, weighted by the products they take part
// in, hold two or more of a group at once. weight: sum of squared lengths of the rows of a column.
template <class T>
std::int64_t choose_grouped(const GramLayout<T>& a, const std::vector<double>& weight) {
  constexpr double kEnough = 2.0;
  std::int64_t end = 0;
  for (; end + a.kLanes <= a.n_cols; end += a.kLanes) {
    double held = 0;
    for (std::int64_t c = end; c < end + a.kLanes; ++c)
      held += weight[static_cast<std::size_t>(a.col_of[static_cast<std::size_t>(c)])];
    if (held < kEnough * a.squares) break;
  }
  return end;
}

}  // namespace gram_layout_detail

template <class T>
GramLayout<T> gram_layout(const Csr<T>& in, const Scales<T>& scales, bool group_columns,
                          const Run& run) {
  namespace d = gram_layout_detail;
  GramLayout<T> out{};
  out.n_rows = in.n_rows;
  out.n_cols = in.n_cols;
  const auto length = [&](std::int64_t r) { return in.end(r) - in.begin(r); };
  out.row_of = d::by_falling<std::int64_t>(in.n_rows, length);
  out.row_ptr.assign(static_cast<std::size_t>(in.n_rows) + 1, 0);
  for (std::size_t r = 0; r < out.row_of.size(); ++r)
    out.row_ptr[r + 1] = out.row_ptr[r] + length(out.row_of[r]);

  // Popularity and weight of the input's columns.
  const auto n_cols = static_cast<std::size_t>(in.n_cols);
  std::vector<std::int64_t> count(n_cols, 0);
  std::vector<double> weight(n_cols, 0.0);
  for (std::int64_t r = 0; r < in.n_rows; ++r) {
    const auto n = static_cast<double>(length(r));
    out.squares += n * n;
    for (std::int64_t i = in.begin(r); i < in.end(r); ++i) {
      ++count[static_cast<std::size_t>(in.indices[i])];
      weight[static_cast<std::size_t>(in.indices[i])] += n * n;
    }
  }
  run.poll();
  out.col_of = d::by_falling<std::int32_t>(
      in.n_cols, [&](std::int32_t c) { return count[static_cast<std::size_t>(c)]; });
  std::vector<std::uint32_t> label(n_cols);
  out.popularity.resize(n_cols);
  for (std::size_t c = 0; c < n_cols; ++c) {
    const auto source = static_cast<std::size_t>(out.col_of[c]);
    label[source] = static_cast<std::uint32_t>(c);
    out.popularity[c] = count[source];
  }
  if (group_columns) out.grouped = d::choose_grouped(out, weight);
  out.row_grouped.resize(static_cast<std::size_t>(in.n_rows));

  // Rows, and how many entries each chunk of rows has in each group.
  const std::int64_t n_groups = out.group_of(in.n_cols);
  const std::int64_t n_chunks = std::clamp<std::int64_t>(
      out.nnz() / std::max<std::int64_t>(1, 4 * n_groups), 1, 4 * run.n_threads());
  const auto chunk_begin = [&](std::int64_t c) {
    if (c == n_chunks) return in.n_rows;
    return std::lower_bound(out.row_ptr.begin(), out.row_ptr.end(), out.nnz() * c / n_chunks) -
           out.row_ptr.begin();
  };
  const int n_bits = std::bit_width(static_cast<std::uint64_t>(in.n_cols));
  out.row = Buffer<RowEntry<T>>(out.nnz());
  std::vector<std::vector<std::int64_t>> place(static_cast<std::size_t>(n_chunks));
  const auto each_group_entry = [&](std::int64_t chunk, auto&& visit) {
    for (auto r = chunk_begin(chunk); r < chunk_begin(chunk + 1); ++r) {
      std::int64_t last = -1;
      const RowEntry<T>* const row = out.row_begin(r);
      for (const RowEntry<T>* entry = row; entry != out.row_begin(r + 1); ++entry) {
        const std::int64_t g = out.group_of(entry->col);
        if (g == last) continue;
        last = g;
        visit(static_cast<std::size_t>(g),
              GroupEntry{static_cast<std::uint32_t>(r), static_cast<std::uint32_t>(entry - row)});
      }
    }
  };
  parallel_for(run, n_chunks, [&](std::int64_t chunk, int) {
    std::vector<RowEntry<T>> scratch;
    for (auto r = chunk_begin(chunk); r < chunk_begin(chunk + 1); ++r) {
      const std::int64_t source = out.row_of[static_cast<std::size_t>(r)];
      const T row_scale = scales.row ? scales.row[source] : T(1);
      RowEntry<T>* to = out.row.data() + out.row_ptr[static_cast<std::size_t>(r)];
      for (std::int64_t i = in.begin(source); i < in.end(source); ++i) {
        const auto c = static_cast<std::size_t>(in.indices[i]);
        *to++ = {label[c], in.data[i] * row_scale * (scales.col ? scales.col[c] : T(1))};
      }
      d::sort_row(to - length(source), length(source), n_bits, scratch);
      out.row_grouped[static_cast<std::size_t>(r)] =
          static_cast<std::uint32_t>(out.place_of(r, out.grouped));
      if (r % 256 == 0) run.poll();
    }
    auto& counts = place[static_cast<std::size_t>(chunk)];
    counts.assign(static_cast<std::size_t>(n_groups), 0);
    each_group_entry(chunk, [&](std::size_t g, const GroupEntry&) { ++counts[g]; });
  });
  out.group_ptr.assign(static_cast<std::size_t>(n_groups) + 1, 0);
  std::int64_t total = 0;
  for (std::size_t g = 0; g < static_cast<std::size_t>(n_groups); ++g) {
    for (auto& counts : place) total += std::exchange(counts[g], total);
    out.group_ptr[g + 1] = total;
  }
  out.group = Buffer<GroupEntry>(total);
  parallel_for(run, n_chunks, [&](std::int64_t chunk, int) {
    auto& next = place[static_cast<std::size_t>(chunk)];
    each_group_entry(chunk,
                     [&](std::size_t g, const GroupEntry& entry) { out.group[next[g]++] = entry; });
  });
  return out;
}

}  // namespace aimass
