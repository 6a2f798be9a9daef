// The matrix in the form that gram_topk reads. Problem: columns relabelled by falling popularity,
// rows by falling activity; every row as a list (column, value) in ascending new labels, so that
// what lies beyond a given column is contiguous; and for every group of columns the rows that hold
// one of them, with the position of the first. A group is as many of the most popular columns as a
// vector register has lanes, while rows hold more than one or two of them at once, and then a
// single column. Cost: O(nnz) time; nnz row entries and at most nnz group entries of 8 bytes
// (float32). Columns are counted by each thread for itself, in whole numbers, whose sums do not
// depend on their order: 16 bytes per column and thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "../simd/simd.hpp"
#include "buffer.hpp"
#include "counting_sort.hpp"
#include "csr.hpp"
#include "gram_topk.hpp"
#include "parallel.hpp"

namespace aimass {

using simd::RowEntry;

struct GroupEntry {
  std::uint32_t row;
  std::uint32_t pos;  // position in the row's list of its first entry in the group
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

// Labels [0, n), n < 2^31, by falling key(label), equal keys in their order; keys are in [0, 2^31).
template <class Label, class Key>
std::vector<Label> by_falling(std::int64_t n, Key&& key, const Run& run) {
  constexpr int kLabelBits = 31;
  const auto size = static_cast<std::size_t>(n);
  std::vector<std::uint64_t> words(size), scratch(size);
  std::int64_t limit = 0;
  for (std::int64_t label = 0; label < n; ++label) limit = std::max(limit, key(label));
  for (std::int64_t label = 0; label < n; ++label)
    words[static_cast<std::size_t>(label)] =
        static_cast<std::uint64_t>((limit - key(label)) << kLabelBits | label);
  const int key_bits = std::bit_width(static_cast<std::uint64_t>(limit));
  radix_sort(
      words.data(), n, scratch.data(), kLabelBits, kLabelBits + key_bits,
      [](std::uint64_t word) { return word; }, &run);
  std::vector<Label> order(size);
  std::transform(words.begin(), words.end(), order.begin(), [](std::uint64_t word) {
    return static_cast<Label>(word & ((std::uint64_t{1} << kLabelBits) - 1));
  });
  return order;
}

// Ascending by column.
template <class T>
void sort_row(RowEntry<T>* begin, std::int64_t n, int n_bits, std::vector<RowEntry<T>>& scratch) {
  if (n < 96) {
    std::sort(begin, begin + n,
              [](const RowEntry<T>& a, const RowEntry<T>& b) { return a.col < b.col; });
    return;
  }
  scratch.resize(std::max(scratch.size(), static_cast<std::size_t>(n)));
  radix_sort(begin, n, scratch.data(), 0, n_bits, [](const RowEntry<T>& e) { return e.col; });
}

// What is counted of each column of the input: its entries, and the sum of the squared lengths of
// their rows (modulo 2^64: it only serves to choose a strategy).
struct ColumnCounts {
  std::vector<std::uint64_t> entries, weight;

  template <class T>
  static ColumnCounts of(const Csr<T>& in, const Run& run) {
    const auto n_cols = static_cast<std::size_t>(in.n_cols);
    const std::int64_t n_blocks = std::clamp<std::int64_t>(in.nnz() >> 18, 1, 1024);
    std::vector<ColumnCounts> by_thread(static_cast<std::size_t>(run.n_threads()));
    parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
      ColumnCounts& own = by_thread[static_cast<std::size_t>(thread)];
      own.entries.resize(n_cols, 0);
      own.weight.resize(n_cols, 0);
      const Range rows = block_range(in.n_rows, n_blocks, block);
      for (std::int64_t r = rows.begin; r < rows.end; ++r) {
        const auto length = static_cast<std::uint64_t>(in.end(r) - in.begin(r));
        for (std::int64_t i = in.begin(r); i < in.end(r); ++i) {
          const auto c = static_cast<std::size_t>(in.indices[i]);
          ++own.entries[c];
          own.weight[c] += length * length;
        }
        if (r % 4096 == 0) run.poll();
      }
    });
    ColumnCounts sum{std::vector<std::uint64_t>(n_cols, 0), std::vector<std::uint64_t>(n_cols, 0)};
    for (const ColumnCounts& own : by_thread) {
      if (own.entries.empty()) continue;
      for (std::size_t c = 0; c < n_cols; ++c) {
        sum.entries[c] += own.entries[c];
        sum.weight[c] += own.weight[c];
      }
    }
    return sum;
  }
};

// How many columns are worth grouping: those that the rows, weighted by the products they take part
// in, hold two or more of a group at once. weight: see ColumnCounts.
template <class T>
std::int64_t choose_grouped(const GramLayout<T>& a, const std::vector<std::uint64_t>& weight) {
  constexpr double kEnough = 2.0;
  std::int64_t end = 0;
  for (; end + a.kLanes <= a.n_cols; end += a.kLanes) {
    double held = 0;
    for (std::int64_t c = end; c < end + a.kLanes; ++c)
      held += static_cast<double>(
          weight[static_cast<std::size_t>(a.col_of[static_cast<std::size_t>(c)])]);
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
  out.row_of = d::by_falling<std::int64_t>(in.n_rows, length, run);
  out.row_ptr.assign(static_cast<std::size_t>(in.n_rows) + 1, 0);
  for (std::size_t r = 0; r < out.row_of.size(); ++r) {
    const std::int64_t n = length(out.row_of[r]);
    out.row_ptr[r + 1] = out.row_ptr[r] + n;
    out.squares += static_cast<double>(n) * static_cast<double>(n);
  }
  const auto n_cols = static_cast<std::size_t>(in.n_cols);
  const d::ColumnCounts counts = d::ColumnCounts::of(in, run);
  const auto entries_of = [&](std::int64_t c) {
    return static_cast<std::int64_t>(counts.entries[static_cast<std::size_t>(c)]);
  };
  out.col_of = d::by_falling<std::int32_t>(in.n_cols, entries_of, run);
  std::vector<std::uint32_t> label(n_cols);
  out.popularity.resize(n_cols);
  for (std::size_t c = 0; c < n_cols; ++c) {
    label[static_cast<std::size_t>(out.col_of[c])] = static_cast<std::uint32_t>(c);
    out.popularity[c] = entries_of(out.col_of[c]);
  }
  if (group_columns) out.grouped = d::choose_grouped(out, counts.weight);
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
  BlockCounts group_entries(n_chunks, n_groups);
  const auto each_group_entry = [&](std::int64_t chunk, auto&& visit) {
    for (auto r = chunk_begin(chunk); r < chunk_begin(chunk + 1); ++r) {
      std::int64_t last = -1;
      const RowEntry<T>* const row = out.row_begin(r);
      for (const RowEntry<T>* entry = row; entry != out.row_begin(r + 1); ++entry) {
        const std::int64_t g = out.group_of(entry->col);
        if (g == last) continue;
        last = g;
        visit(g,
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
    std::int64_t* const count = group_entries.of_block(chunk);
    each_group_entry(chunk, [&](std::int64_t g, const GroupEntry&) { ++count[g]; });
  });
  out.group_ptr = group_entries.start();
  out.group = Buffer<GroupEntry>(out.group_ptr.back());
  parallel_for(run, n_chunks, [&](std::int64_t chunk, int) {
    std::int64_t* const next = group_entries.of_block(chunk);
    each_group_entry(
        chunk, [&](std::int64_t g, const GroupEntry& entry) { out.group[next[g]++] = entry; });
  });
  return out;
}

}  // namespace aimass
