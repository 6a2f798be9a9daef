// Which items of ranked lists are relevant. Problem: for each user a list of items and a row of a
// canonical CSR with the relevant ones; the value that stands in the row is the gain of the item at
// its rank, 0 where there is none. All ranking metrics are formulas of these gains.
// Cost: one binary search in the user's row for each rank; one byte for each entry of the longest
// row and thread. An item that occurs more than once in a list has its gain at its first rank only.
// Users are independent, so the result does not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// lists, gains: relevant.n_rows x width; items outside of [0, n_cols) are relevant to nobody.
template <class T>
void list_gains(const Run& run, const std::int64_t* lists, std::int64_t width,
                const Csr<T>& relevant, double* gains) {
  constexpr std::int64_t kRanks = 1 << 15;  // of a block
  const std::int64_t n = relevant.n_rows, size = std::max<std::int64_t>(1, kRanks / (width + 1));
  std::vector<std::vector<std::uint8_t>> found(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, (n + size - 1) / size, [&](std::int64_t block, int thread) {
    auto& is_found = found[static_cast<std::size_t>(thread)];  // by entry of the row
    for (std::int64_t row = block * size; row < std::min(n, (block + 1) * size); ++row) {
      const std::int32_t* const begin = relevant.indices + relevant.begin(row);
      const std::int32_t* const end = relevant.indices + relevant.end(row);
      is_found.assign(static_cast<std::size_t>(end - begin), 0);
      for (std::int64_t i = row * width; i < (row + 1) * width; ++i) {
        const std::int32_t* const at =
            std::lower_bound(begin, end, lists[i],
                             [](std::int32_t index, std::int64_t item) { return index < item; });
        gains[i] = 0;
        if (at == end || *at != lists[i]) continue;
        std::uint8_t& is_repeated = is_found[static_cast<std::size_t>(at - begin)];
        if (is_repeated == 0) gains[i] = relevant.data[at - relevant.indices];
        is_repeated = 1;
      }
      run.poll();
    }
  });
}

}  // namespace aimass
