// Problem: CSR of the transpose; its rows come out sorted, since a stable sort by column keeps the
// order of the rows. Cost: O(nnz + n_cols) time, nnz * (8 + sizeof(T)) bytes of scratch. Layout:
// entries are parted by ranges of columns, then counted and placed inside the cache.
// Gustavson (1978), "Two fast algorithms for sparse matrices".
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "csr.hpp"
#include "parallel.hpp"
#include "partition.hpp"

namespace aimass {

// indptr: n_cols + 1; indices, data: nnz.
template <class T>
void csr_transpose(const Run& run, const Csr<T>& x, std::int64_t* indptr, std::int32_t* indices,
                   T* data) {
  struct Entry {
    std::int32_t row, col;
    T value;
  };
  check_bounds(run, x.indices, x.nnz(), x.n_cols, "indices");
  Partition plan = plan_partition(run, x.indices, x.nnz(), x.n_cols);
  const auto entries = std::make_unique_for_overwrite<Entry[]>(static_cast<std::size_t>(x.nnz()));
  place_parts(run, plan, [&](Range range, std::int64_t* cursor) {
    if (range.begin == range.end) return;
    auto row = std::upper_bound(x.indptr, x.indptr + x.n_rows, range.begin) - x.indptr - 1;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      while (i >= x.end(row)) ++row;
      const std::int64_t to = cursor[x.indices[i] >> plan.shift]++;
      entries[static_cast<std::size_t>(to)] = {static_cast<std::int32_t>(row), x.indices[i],
                                               x.data[i]};
    }
  });
  std::vector<std::vector<std::int64_t>> cursors(static_cast<std::size_t>(run.n_threads()));
  indptr[0] = 0;
  parallel_for(run, plan.n_parts, [&](std::int64_t part, int thread) {
    const std::int64_t start = plan.start[static_cast<std::size_t>(part)];
    const std::int64_t end = plan.start[static_cast<std::size_t>(part) + 1];
    const std::int64_t first_col = part << plan.shift;
    const std::int64_t last_col = std::min(x.n_cols, first_col + (std::int64_t{1} << plan.shift));
    auto& cursor = cursors[static_cast<std::size_t>(thread)];
    cursor.assign(static_cast<std::size_t>(last_col - first_col), 0);
    for (std::int64_t i = start; i < end; ++i) {
      ++cursor[static_cast<std::size_t>(entries[static_cast<std::size_t>(i)].col - first_col)];
    }
    std::int64_t total = start;
    for (std::int64_t col = first_col; col < last_col; ++col) {
      std::int64_t& place = cursor[static_cast<std::size_t>(col - first_col)];
      total += place;
      place = total - place;
      indptr[col + 1] = total;
    }
    for (std::int64_t i = start; i < end; ++i) {
      const Entry& entry = entries[static_cast<std::size_t>(i)];
      const std::int64_t to = cursor[static_cast<std::size_t>(entry.col - first_col)]++;
      indices[to] = entry.row;
      data[to] = entry.value;
    }
  });
}

}  // namespace aimass
