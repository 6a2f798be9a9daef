// Queries (row, other) in any order, grouped by row, so that what a row needs is computed once; and
// that row itself: sums over all paths row -> inner -> column of two sparse matrices, on demand.
// Cost of grouping: O(queries + rows). Cost of a row: one `add` per path.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "counting_sort.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

struct GroupedQueries {
  std::vector<std::int64_t> order;        // query numbers, by row, then as given
  std::vector<std::int64_t> group_start;  // in order; one group per row that is asked for
  std::vector<std::int64_t> block_start;  // in groups; blocks of similar work

  std::int64_t n_blocks() const { return static_cast<std::int64_t>(block_start.size()) - 1; }
};

// work(row): the paths of a row. Blocks hold at least about half a millisecond of work each, so
// that a small call stays on the caller's thread.
template <class Work>
GroupedQueries group_queries(const std::int32_t* rows, std::int64_t n, std::int64_t n_rows,
                             Work&& work) {
  constexpr std::int64_t block_work = 1 << 18;
  std::vector<std::int64_t> next(static_cast<std::size_t>(n_rows), 0);  // of each row
  for (std::int64_t i = 0; i < n; ++i) ++next[static_cast<std::size_t>(rows[i])];
  GroupedQueries out;
  out.order.resize(static_cast<std::size_t>(n));
  std::int64_t in_block = block_work, position = 0;
  for (std::int64_t row = 0; row < n_rows; ++row) {
    const std::int64_t size = next[static_cast<std::size_t>(row)];
    if (size == 0) continue;
    if (in_block >= block_work) {
      out.block_start.push_back(static_cast<std::int64_t>(out.group_start.size()));
      in_block = 0;
    }
    out.group_start.push_back(position);
    position += size;
    in_block += work(row) + 64 * size;
  }
  out.block_start.push_back(static_cast<std::int64_t>(out.group_start.size()));
  out.group_start.push_back(n);
  start_positions(next.data(), n_rows);
  for (std::int64_t i = 0; i < n; ++i)
    out.order[static_cast<std::size_t>(next[static_cast<std::size_t>(rows[i])]++)] = i;
  return out;
}

// body(row, queries begin, queries end, thread): the queries are numbers in the caller's arrays.
template <class Body>
void for_each_group(const Run& run, const GroupedQueries& groups, const std::int32_t* rows,
                    Body&& body) {
  run.set_total(static_cast<std::int64_t>(groups.order.size()));
  parallel_for(run, groups.n_blocks(), [&](std::int64_t block, int thread) {
    const auto b = static_cast<std::size_t>(block);
    for (std::int64_t g = groups.block_start[b]; g < groups.block_start[b + 1]; ++g) {
      const std::int64_t* begin =
          groups.order.data() + groups.group_start[static_cast<std::size_t>(g)];
      const std::int64_t* end =
          groups.order.data() + groups.group_start[static_cast<std::size_t>(g) + 1];
      run.poll();
      body(static_cast<std::int64_t>(rows[*begin]), begin, end, thread);
      run.add_done(end - begin);
    }
  });
}

template <class T>
std::int64_t count_paths(const Csr<T>& x, const Csr<T>& y, std::int64_t row) {
  std::int64_t n = 0;
  for (std::int64_t i = x.begin(row); i < x.end(row); ++i) {
    n += y.end(x.indices[i]) - y.begin(x.indices[i]);
  }
  return n;
}

// sums[c].add(x_ri, y_ic) for every path r -> i -> c.
template <class T, class Sums>
void add_paths(const Run& run, const Csr<T>& x, const Csr<T>& y, std::int64_t row, Sums* sums) {
  for (std::int64_t i = x.begin(row); i < x.end(row); ++i) {
    const T value = x.data[i];
    const std::int64_t inner = x.indices[i];
    for (std::int64_t begin = y.begin(inner); begin < y.end(inner);) {
      const std::int64_t end = std::min(y.end(inner), begin + (1 << 20));
      for (; begin < end; ++begin) sums[y.indices[begin]].add(value, y.data[begin]);
      run.poll();
    }
  }
}

// visit(c) for every column that add_paths touched, at least once for each. Scans all columns when
// the paths are many, follows the paths when they are few.
template <class T, class Visit>
void for_each_touched(const Csr<T>& x, const Csr<T>& y, std::int64_t row, std::int64_t n_paths,
                      Visit&& visit) {
  if (n_paths >= y.n_cols) {
    for (std::int64_t c = 0; c < y.n_cols; ++c) visit(c);
    return;
  }
  for (std::int64_t i = x.begin(row); i < x.end(row); ++i) {
    const std::int64_t inner = x.indices[i];
    for (std::int64_t j = y.begin(inner); j < y.end(inner); ++j) {
      visit(static_cast<std::int64_t>(y.indices[j]));
    }
  }
}

}  // namespace aimass
