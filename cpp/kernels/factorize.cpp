#include "factorize.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <limits>
#include <memory>
#include <utility>

#include "buffer.hpp"
#include "counting_sort.hpp"
#include "errors.hpp"
#include "key_table.hpp"

namespace aimass {

namespace factorize_detail {

struct Distinct {
  std::uint64_t prefix;
  std::int64_t row;
};

// `before`, but listening: to sort or merge millions of long strings takes seconds. Algorithms copy
// what they compare with, so the count lives with the caller, one for each thread.
template <class Before>
auto polled(const Run& run, const Before& before, std::uint32_t& n_asked) {
  return [&](const Distinct& a, const Distinct& b) {
    if ((++n_asked & 1023) == 0) run.poll();
    return before(a, b);
  };
}

// By prefix, then by `before` among keys with equal prefixes.
template <class Before>
void sort_distinct(const Run& run, std::vector<Distinct>& keys, const Before& unpolled) {
  std::uint32_t n_asked = 0;
  const auto before = polled(run, unpolled, n_asked);
  if (keys.size() < 4096) {
    std::sort(keys.begin(), keys.end(), before);
    return;
  }
  std::vector<Distinct> scratch(keys.size());
  radix_sort(
      keys.data(), static_cast<std::int64_t>(keys.size()), scratch.data(), 0, 64,
      [](const Distinct& key) { return key.prefix; }, &run);
  run.poll();
  for (auto begin = keys.begin(); begin != keys.end();) {
    auto end = begin + 1;
    while (end != keys.end() && end->prefix == begin->prefix) ++end;
    if (end - begin > 1) std::sort(begin, end, before);
    begin = end;
  }
}

}  // namespace factorize_detail

// Writes codes[n]; returns, for every code, the first row that holds its key.
template <class Keys>
std::vector<std::int64_t> factorize(const Run& run, const Keys& keys, std::int64_t n,
                                    std::int32_t* codes) {
  using factorize_detail::Distinct;
  const std::int64_t n_pieces =
      std::clamp<std::int64_t>(n >> 16, 1, static_cast<std::int64_t>(run.n_threads()));
  auto before = [&](const Distinct& a, const Distinct& b) {
    return a.prefix != b.prefix ? a.prefix < b.prefix : keys.less(a.row, b.row);
  };
  // Sorted by key; ranks[piece][code within the piece] becomes the rank of the key.
  std::vector<std::vector<Distinct>> sorted(static_cast<std::size_t>(n_pieces));
  std::vector<std::vector<std::int32_t>> ranks(static_cast<std::size_t>(n_pieces));
  std::vector<std::vector<std::int64_t>> first_rows(static_cast<std::size_t>(n_pieces));
  parallel_for(run, n_pieces, [&](std::int64_t piece, int) {
    const auto p = static_cast<std::size_t>(piece);
    factorize_detail::Table<Keys> table(keys);
    table.number(run, block_range(n, n_pieces, piece), codes);
    first_rows[p] = std::move(table.first_row);
    sorted[p].reserve(first_rows[p].size());
    for (const std::int64_t row : first_rows[p]) sorted[p].push_back({keys.prefix(row), row});
    factorize_detail::sort_distinct(run, sorted[p], before);
  });

  // Pieces come in order of rows, so of equal keys the first one stays: the smallest row.
  std::vector<Distinct> all = sorted[0];
  for (std::size_t p = 1; p < sorted.size(); ++p) {
    run.poll();
    std::vector<Distinct> merged;
    merged.reserve(all.size() + sorted[p].size());
    std::uint32_t n_asked = 0;
    std::set_union(all.begin(), all.end(), sorted[p].begin(), sorted[p].end(),
                   std::back_inserter(merged), factorize_detail::polled(run, before, n_asked));
    all.swap(merged);
  }
  if (all.size() > std::size_t{std::numeric_limits<std::int32_t>::max()}) {
    throw InvalidInput("more than 2**31 distinct keys: codes would not fit int32");
  }
  parallel_for(run, n_pieces, [&](std::int64_t piece, int) {
    const auto p = static_cast<std::size_t>(piece);
    const Range range = block_range(n, n_pieces, piece);
    // The code within the piece of a distinct key stands at its first row.
    ranks[p].resize(sorted[p].size());
    auto rank = all.begin();
    std::uint32_t n_asked = 0;
    const auto before_polled = factorize_detail::polled(run, before, n_asked);
    for (const Distinct& key : sorted[p]) {
      while (before_polled(*rank, key)) ++rank;
      ranks[p][static_cast<std::size_t>(codes[key.row])] =
          static_cast<std::int32_t>(rank - all.begin());
    }
    for (std::int64_t row = range.begin; row < range.end; ++row) {
      if ((row - range.begin) % (1 << 18) == 0) run.poll();
      codes[row] = ranks[p][static_cast<std::size_t>(codes[row])];
    }
  });
  std::vector<std::int64_t> first(all.size());
  std::transform(all.begin(), all.end(), first.begin(), [](const Distinct& d) { return d.row; });
  return first;
}

std::vector<std::int64_t> factorize_int64(const Run& run, const std::int64_t* values,
                                          std::int64_t n, std::int32_t* codes) {
  if (n == 0) return {};
  const std::int64_t n_blocks = std::max<std::int64_t>(1, n >> 18);
  std::vector<std::pair<std::int64_t, std::int64_t>> limits(static_cast<std::size_t>(n_blocks));
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    const auto [low, high] = std::minmax_element(values + range.begin, values + range.end);
    limits[static_cast<std::size_t>(block)] = {*low, *high};
  });
  std::int64_t low = limits[0].first, high = limits[0].second;
  for (const auto& [l, h] : limits) {
    low = std::min(low, l);
    high = std::max(high, h);
  }
  auto offset = [&](std::int64_t value) {  // unsigned: the range may not fit int64
    return static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(low);
  };
  const std::uint64_t span = offset(high);
  if (span / 4 > static_cast<std::uint64_t>(n) || span >= (std::uint64_t{1} << 31) - 1) {
    const factorize_detail::IntKeys keys{values, factorize_detail::new_seed()};
    std::vector<std::int64_t> uniques = factorize(run, keys, n, codes);
    for (std::int64_t& row : uniques) row = values[row];
    return uniques;
  }
  const auto seen = std::make_unique<std::atomic<std::uint8_t>[]>(span + 1);
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      auto& mark = seen[offset(values[i])];
      if (mark.load(std::memory_order_relaxed) == 0) mark.store(1, std::memory_order_relaxed);
    }
  });
  run.poll();
  const Buffer<std::int32_t> rank(static_cast<std::int64_t>(span + 1));
  std::vector<std::int64_t> uniques;
  for (std::uint64_t i = 0; i <= span; ++i) {
    if ((i & 0xfffff) == 0) run.poll();
    rank[static_cast<std::int64_t>(i)] = static_cast<std::int32_t>(uniques.size());
    if (seen[i].load(std::memory_order_relaxed) != 0) {
      uniques.push_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + i));
    }
  }
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    for (std::int64_t i = range.begin; i < range.end; ++i)
      codes[i] = rank[static_cast<std::int64_t>(offset(values[i]))];
  });
  return uniques;
}

template <class Offset>
std::vector<std::int64_t> factorize_bytes(const Run& run, const Offset* offsets,
                                          const std::uint8_t* data, std::int64_t data_size,
                                          std::int64_t n, std::int32_t* codes) {
  bool ok = offsets[0] >= 0 && static_cast<std::int64_t>(offsets[n]) <= data_size;
  for (std::int64_t i = 0; i < n; ++i) ok &= offsets[i] <= offsets[i + 1];
  if (!ok) throw InvalidInput("offsets must ascend from >= 0 to at most len(data)");
  if (n == 0) return {};
  const factorize_detail::StringKeys<Offset> keys{offsets, data, data_size,
                                                  factorize_detail::new_seed()};
  return factorize(run, keys, n, codes);
}

template std::vector<std::int64_t> factorize_bytes(const Run& run, const std::int32_t* offsets,
                                                   const std::uint8_t* data, std::int64_t data_size,
                                                   std::int64_t n, std::int32_t* codes);
template std::vector<std::int64_t> factorize_bytes(const Run& run, const std::int64_t* offsets,
                                                   const std::uint8_t* data, std::int64_t data_size,
                                                   std::int64_t n, std::int32_t* codes);

}  // namespace aimass
