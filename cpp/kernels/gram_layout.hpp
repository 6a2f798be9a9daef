// The matrix as gram_topk wants it. Problem: columns relabelled by falling popularity, rows by
// falling activity; every row as a list (column, value) in ascending new labels and every column as
// a list (row, place in that row's list), so that the entries of a row beyond a given column are
// contiguous, with the column's own value just before them. Cost: O(nnz) time, two copies of nnz
// entries. Both lists are filled chunk of rows by chunk of rows, each small enough for its write
// positions to stay in the cache; the result does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// Factors of rows and columns, multiplied in while the lists are built. Null: ones.
template <class T>
struct Scales {
  const T* row = nullptr;
  const T* col = nullptr;
};

template <class T>
struct RowEntry {
  std::uint32_t col;
  T value;
};

template <class T>
struct ColEntry {
  std::uint32_t row;
  union {
    T value;            // while the lists are built
    std::uint32_t pos;  // afterwards: place in the row's list
  };
};

template <class T>
struct GramLayout {
  std::int64_t n_rows, n_cols;
  std::vector<std::int32_t> col_of;    // new label -> column of the input
  std::vector<std::int64_t> row_of;    // new label -> row of the input
  std::vector<std::int64_t> row_ptr;   // n_rows + 1
  std::vector<std::int64_t> col_ptr;   // n_cols + 1
  std::unique_ptr<RowEntry<T>[]> row;  // by row, ascending new column labels
  std::unique_ptr<ColEntry<T>[]> col;  // by column, ascending new row labels

  const RowEntry<T>* row_begin(std::int64_t r) const {
    return row.get() + row_ptr[static_cast<std::size_t>(r)];
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

// First rows of chunks of about equal numbers of entries.
inline std::vector<std::int64_t> chunks_of(const std::vector<std::int64_t>& row_ptr, std::int64_t n_chunks) {
  std::vector<std::int64_t> first(static_cast<std::size_t>(n_chunks) + 1);
  for (std::int64_t c = 0; c <= n_chunks; ++c)
    first[static_cast<std::size_t>(c)] =
        std::lower_bound(row_ptr.begin(), row_ptr.end(), row_ptr.back() * c / n_chunks) - row_ptr.begin();
  first.back() = static_cast<std::int64_t>(row_ptr.size()) - 1;
  return first;
}

}  // namespace gram_layout_detail

template <class T>
GramLayout<T> gram_layout(const Csr<T>& a, const Scales<T>& scales, const Run& run) {
  namespace d = gram_layout_detail;
  GramLayout<T> out{a.n_rows, a.n_cols, {}, {}, {}, {}, {}, {}};
  out.row_of = d::by_falling<std::int64_t>(a.n_rows, [&](std::int64_t r) { return a.end(r) - a.begin(r); });
  out.row_ptr.assign(static_cast<std::size_t>(a.n_rows) + 1, 0);
  for (std::size_t r = 0; r < out.row_of.size(); ++r)
    out.row_ptr[r + 1] = out.row_ptr[r] + a.end(out.row_of[r]) - a.begin(out.row_of[r]);

  // Chunks: some per thread, at most 8192 rows, but a table of chunks x columns below nnz.
  const std::int64_t n_chunks = std::max<std::int64_t>(
      1, std::min(a.nnz() / std::max<std::int64_t>(1, a.n_cols),
                  std::clamp<std::int64_t>(a.n_rows / 8192, 4 * run.n_threads(), 64)));
  const std::vector<std::int64_t> first = d::chunks_of(out.row_ptr, n_chunks);
  const auto n_cols = static_cast<std::size_t>(a.n_cols);
  std::vector<std::vector<std::uint32_t>> place(static_cast<std::size_t>(n_chunks));
  parallel_for(run, n_chunks, [&](std::int64_t chunk, int) {
    auto& count = place[static_cast<std::size_t>(chunk)];
    count.assign(n_cols, 0);
    for (auto r = first[static_cast<std::size_t>(chunk)]; r < first[static_cast<std::size_t>(chunk) + 1]; ++r) {
      const std::int64_t source = out.row_of[static_cast<std::size_t>(r)];
      for (std::int64_t i = a.begin(source); i < a.end(source); ++i)
        ++count[static_cast<std::size_t>(a.indices[i])];
    }
  });
  // Counts become the first place of each chunk inside its column.
  std::vector<std::uint32_t> total(n_cols, 0);
  for (auto& count : place)
    for (std::size_t c = 0; c < n_cols; ++c) {
      const std::uint32_t n = count[c];
      count[c] = total[c];
      total[c] += n;
    }
  out.col_of = d::by_falling<std::int32_t>(a.n_cols, [&](std::int32_t c) { return total[static_cast<std::size_t>(c)]; });
  std::vector<std::uint32_t> label(n_cols);
  out.col_ptr.assign(n_cols + 1, 0);
  for (std::size_t c = 0; c < n_cols; ++c) {
    const auto source = static_cast<std::size_t>(out.col_of[c]);
    label[source] = static_cast<std::uint32_t>(c);
    out.col_ptr[c + 1] = out.col_ptr[c] + total[source];
  }

  out.col = std::make_unique_for_overwrite<ColEntry<T>[]>(static_cast<std::size_t>(a.nnz()));
  out.row = std::make_unique_for_overwrite<RowEntry<T>[]>(static_cast<std::size_t>(a.nnz()));
  parallel_for(run, n_chunks, [&](std::int64_t chunk, int) {
    auto& next = place[static_cast<std::size_t>(chunk)];
    const std::vector<std::uint32_t> begin = next;
    const auto first_row = first[static_cast<std::size_t>(chunk)];
    const auto last_row = first[static_cast<std::size_t>(chunk) + 1];
    for (auto r = first_row; r < last_row; ++r) {
      const std::int64_t source = out.row_of[static_cast<std::size_t>(r)];
      const T row_scale = scales.row ? scales.row[source] : T(1);
      for (std::int64_t i = a.begin(source); i < a.end(source); ++i) {
        const auto c = static_cast<std::size_t>(a.indices[i]);
        ColEntry<T>& entry = out.col[static_cast<std::size_t>(out.col_ptr[label[c]] + next[c]++)];
        entry.row = static_cast<std::uint32_t>(r);
        entry.value = a.data[i] * row_scale * (scales.col ? scales.col[c] : T(1));
      }
    }
    run.poll();
    std::vector<std::uint32_t> length(static_cast<std::size_t>(last_row - first_row), 0);
    for (std::size_t c = 0; c < n_cols; ++c) {
      const auto source = static_cast<std::size_t>(out.col_of[c]);
      for (auto i = out.col_ptr[c] + begin[source]; i < out.col_ptr[c] + next[source]; ++i) {
        ColEntry<T>& entry = out.col[static_cast<std::size_t>(i)];
        const std::uint32_t pos = length[static_cast<std::size_t>(entry.row - first_row)]++;
        out.row[static_cast<std::size_t>(out.row_ptr[entry.row] + pos)] = {static_cast<std::uint32_t>(c), entry.value};
        entry.pos = pos;
      }
    }
  });
  return out;
}

}  // namespace aimass
