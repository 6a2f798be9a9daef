#include "list_gains.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace aimass {

namespace list_gains_detail {

// gains of one list by a table with the gain of each item: written from the row, read and set to
// zero by rank, and set to zero where the list has not been.
template <class T>
void by_table(const std::int64_t* items, std::int64_t width, const Csr<T>& relevant,
              std::int64_t row, T* table, double* gains) {
  const auto n_items = static_cast<std::uint64_t>(relevant.n_cols);
  for (std::int64_t i = relevant.begin(row); i < relevant.end(row); ++i)
    table[relevant.indices[i]] = relevant.data[i];
  for (std::int64_t i = 0; i < width; ++i) {  // the entry behind the last item stays zero
    T* const at = table + std::min(static_cast<std::uint64_t>(items[i]), n_items);
    gains[i] = static_cast<double>(*at);
    *at = T(0);
  }
  for (std::int64_t i = relevant.begin(row); i < relevant.end(row); ++i)
    table[relevant.indices[i]] = T(0);
}

// The position of an item among ascending indices, or n. Few indices are all compared, which costs
// less than the wrong guesses of branches in a binary search.
inline std::int64_t position_of(const std::int32_t* indices, std::int64_t n, std::int64_t item) {
  constexpr std::int64_t kFew = 32;
  if (item < 0 || item > std::numeric_limits<std::int32_t>::max()) return n;
  const auto wanted = static_cast<std::int32_t>(item);
  std::int64_t at = 0;
  if (n <= kFew) {
    std::int32_t n_below = 0;
    for (std::int64_t i = 0; i < n; ++i) n_below += indices[i] < wanted ? 1 : 0;
    at = n_below;
  } else {
    at = std::lower_bound(indices, indices + n, wanted) - indices;
  }
  return at < n && indices[at] == wanted ? at : n;
}

// The same by search; is_found: by entry of the row.
template <class T>
void by_search(const std::int64_t* items, std::int64_t width, const Csr<T>& relevant,
               std::int64_t row, std::vector<std::uint8_t>& is_found, double* gains) {
  const std::int64_t first = relevant.begin(row), n = relevant.end(row) - first;
  is_found.assign(static_cast<std::size_t>(n), 0);
  for (std::int64_t i = 0; i < width; ++i) {
    const std::int64_t at = position_of(relevant.indices + first, n, items[i]);
    gains[i] = 0;
    if (at == n) continue;
    std::uint8_t& is_repeated = is_found[static_cast<std::size_t>(at)];
    if (is_repeated == 0) gains[i] = static_cast<double>(relevant.data[first + at]);
    is_repeated = 1;
  }
}

}  // namespace list_gains_detail

template <class T>
void list_gains(const Run& run, const std::int64_t* lists, std::int64_t width,
                const Csr<T>& relevant, double* gains) {
  namespace d = list_gains_detail;
  struct Scratch {
    std::vector<T> table;
    std::vector<std::uint8_t> is_found;
  };
  constexpr std::int64_t kRanks = 1 << 15;  // of a block
  const std::int64_t n = relevant.n_rows, size = std::max<std::int64_t>(1, kRanks / (width + 1));
  const std::int64_t n_blocks = (n + size - 1) / size;
  // A table pays where making it costs less than the searches that it replaces.
  const std::int64_t n_tables = std::min<std::int64_t>(run.n_threads(), n_blocks);
  const bool has_table = n_tables * relevant.n_cols <= 8 * (n * width + relevant.nnz());
  std::vector<Scratch> scratches(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
    auto& [table, is_found] = scratches[static_cast<std::size_t>(thread)];
    if (has_table && table.empty())
      table.assign(static_cast<std::size_t>(relevant.n_cols + 1), T(0));
    std::int64_t n_read = 0;  // since the last poll
    for (std::int64_t row = block * size; row < std::min(n, (block + 1) * size); ++row) {
      const std::int64_t* const items = lists + row * width;
      if (has_table)
        d::by_table(items, width, relevant, row, table.data(), gains + row * width);
      else
        d::by_search(items, width, relevant, row, is_found, gains + row * width);
      n_read += width + relevant.end(row) - relevant.begin(row);
      if (n_read < kRanks) continue;
      n_read = 0;
      run.poll();
    }
  });
}

template void list_gains(const Run& run, const std::int64_t* lists, std::int64_t width,
                         const Csr<float>& relevant, double* gains);
template void list_gains(const Run& run, const std::int64_t* lists, std::int64_t width,
                         const Csr<double>& relevant, double* gains);

}  // namespace aimass
