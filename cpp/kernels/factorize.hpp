// Problem: number the distinct keys of a column (int64, or byte strings) in ascending order.
// Cost: O(n) expected plus a sort of the distinct keys; memory O(distinct keys) per thread.
// Layout: every thread numbers the keys of its piece of the column in a hash table of its own;
// the pieces' distinct keys are sorted and merged, which gives each key its rank; codes are then
// renumbered in place. Ranks belong to the data, so neither the pieces nor the hash show in the
// result. Integers of a small range need no hash: a table over the range does it.
// Open addressing: Knuth, The Art of Computer Programming 3, 6.4; mixing by folded products as in
// wyhash (Wang Yi). The hash is seeded anew on each call, so that no input is bad for all calls.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

namespace factorize_detail {

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline constexpr std::uint64_t kOdd1 = 0xa0761d6478bd642fu, kOdd2 = 0xe7037ed1a0b428dbu;

inline std::uint64_t new_seed() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return mix(static_cast<std::uint64_t>(now) ^ kOdd1, kOdd2);
}

struct IntKeys {
  const std::int64_t* values;
  std::uint64_t seed;

  std::uint64_t hash(std::int64_t row) const {
    return mix(static_cast<std::uint64_t>(values[row]) ^ seed ^ kOdd1, kOdd2 ^ seed);
  }
  bool equal(std::int64_t a, std::int64_t b) const { return values[a] == values[b]; }
  // Sorting looks at this first: ascending like the keys. When it decides all, `less` is never so.
  std::uint64_t prefix(std::int64_t row) const {
    return static_cast<std::uint64_t>(values[row]) ^ (std::uint64_t{1} << 63);
  }
  bool less(std::int64_t, std::int64_t) const { return false; }
};

template <class Offset>
struct StringKeys {
  const Offset* offsets;
  const std::uint8_t* data;
  std::uint64_t seed;

  const std::uint8_t* begin(std::int64_t row) const { return data + offsets[row]; }
  std::size_t length(std::int64_t row) const {
    return static_cast<std::size_t>(offsets[row + 1] - offsets[row]);
  }
  // The next min(length, 8) bytes as a number; no byte past the string is read.
  static std::uint64_t word(const std::uint8_t* bytes, std::size_t length) {
    std::uint64_t w = 0;
    if (length >= 8) {
      std::memcpy(&w, bytes, 8);
    } else if (length >= 4) {  // two overlapping halves
      std::uint32_t low, high;
      std::memcpy(&low, bytes, 4);
      std::memcpy(&high, bytes + length - 4, 4);
      w = low | (static_cast<std::uint64_t>(high) << 32);
    } else if (length > 0) {
      w = bytes[0] | (static_cast<std::uint64_t>(bytes[length / 2]) << 8) |
          (static_cast<std::uint64_t>(bytes[length - 1]) << 16);
    }
    return w;
  }
  std::uint64_t hash(std::int64_t row) const {
    const std::uint8_t* bytes = begin(row);
    std::size_t left = length(row);
    std::uint64_t h = mix(seed ^ left, kOdd1);
    for (; left > 16; left -= 16, bytes += 16) {
      h = mix(word(bytes, 8) ^ kOdd1, word(bytes + 8, 8) ^ h);
    }
    const std::uint64_t first = word(bytes, std::min<std::size_t>(left, 8));
    const std::uint64_t rest = left > 8 ? word(bytes + left - 8, 8) : 0;
    return mix(first ^ kOdd2, rest ^ h);
  }
  bool equal(std::int64_t a, std::int64_t b) const {
    const std::size_t n = length(a);
    return n == length(b) && (n == 0 || std::memcmp(begin(a), begin(b), n) == 0);
  }
  std::uint64_t prefix(std::int64_t row) const {
    std::uint64_t w = 0;
    const std::size_t n = std::min<std::size_t>(length(row), 8);
    for (std::size_t i = 0; i < n; ++i) {
      w |= static_cast<std::uint64_t>(begin(row)[i]) << (56 - 8 * i);
    }
    return w;
  }
  bool less(std::int64_t a, std::int64_t b) const {
    return std::lexicographical_compare(begin(a), begin(a) + length(a), begin(b),
                                        begin(b) + length(b));
  }
};

// Distinct keys of one piece of the column, in order of first appearance.
class Table {
 public:
  std::vector<std::int64_t> first_row;  // of each code

  // Numbers rows [range): codes[row] = place of its key in first_row.
  template <class Keys>
  void number(const Run& run, const Keys& keys, Range range, std::int32_t* codes) {
    constexpr std::int64_t batch = 32;  // slots are fetched ahead, since most are out of cache
    std::uint64_t hashes[batch];
    for (std::int64_t begin = range.begin; begin < range.end; begin += batch) {
      if ((begin - range.begin) % (1 << 16) == 0) run.poll();
      const std::int64_t end = std::min(range.end, begin + batch);
      if (2 * (first_row.size() + static_cast<std::size_t>(batch)) > slots_.size()) {
        grow();
      }
      for (std::int64_t row = begin; row < end; ++row) {
        const std::uint64_t hash = hashes[row - begin] = keys.hash(row);
        __builtin_prefetch(&slots_[hash & (slots_.size() - 1)]);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        codes[row] = find_or_add(keys, row, hashes[row - begin]);
      }
    }
  }

 private:
  struct Slot {
    std::uint64_t hash;
    std::int64_t code;
  };
  std::vector<Slot> slots_ = std::vector<Slot>(1024, Slot{0, -1});

  template <class Keys>
  std::int32_t find_or_add(const Keys& keys, std::int64_t row, std::uint64_t hash) {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      Slot& slot = slots_[i];
      if (slot.code < 0) {
        slot = {hash, static_cast<std::int64_t>(first_row.size())};
        first_row.push_back(row);
        return static_cast<std::int32_t>(slot.code);
      }
      if (slot.hash == hash && keys.equal(first_row[static_cast<std::size_t>(slot.code)], row)) {
        return static_cast<std::int32_t>(slot.code);
      }
    }
  }

  void grow() {
    if (first_row.size() > std::size_t{std::numeric_limits<std::int32_t>::max()} - 64) {
      throw InvalidInput("more than 2**31 distinct keys: codes would not fit int32");
    }
    std::vector<Slot> slots(slots_.size() * 4, Slot{0, -1});
    const std::size_t mask = slots.size() - 1;
    for (const Slot& slot : slots_) {
      if (slot.code < 0) continue;
      std::size_t i = slot.hash & mask;
      while (slots[i].code >= 0) i = (i + 1) & mask;
      slots[i] = slot;
    }
    slots_.swap(slots);
  }
};

struct Distinct {
  std::uint64_t prefix;
  std::int64_t row;
};

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
    factorize_detail::Table table;
    table.number(run, keys, block_range(n, n_pieces, piece), codes);
    first_rows[p] = std::move(table.first_row);
    sorted[p].reserve(first_rows[p].size());
    for (const std::int64_t row : first_rows[p]) sorted[p].push_back({keys.prefix(row), row});
    run.poll();
    std::sort(sorted[p].begin(), sorted[p].end(), before);
  });

  // Pieces come in order of rows, so of equal keys the first one stays: the smallest row.
  std::vector<Distinct> all = sorted[0];
  for (std::size_t p = 1; p < sorted.size(); ++p) {
    run.poll();
    std::vector<Distinct> merged;
    merged.reserve(all.size() + sorted[p].size());
    std::set_union(all.begin(), all.end(), sorted[p].begin(), sorted[p].end(),
                   std::back_inserter(merged), before);
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
    for (const Distinct& key : sorted[p]) {
      while (before(*rank, key)) ++rank;
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

// Writes codes[n]; returns the distinct values, ascending.
inline std::vector<std::int64_t> factorize_int64(const Run& run, const std::int64_t* values,
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
  const auto rank = std::make_unique_for_overwrite<std::int32_t[]>(span + 1);
  std::vector<std::int64_t> uniques;
  for (std::uint64_t i = 0; i <= span; ++i) {
    rank[i] = static_cast<std::int32_t>(uniques.size());
    if (seen[i].load(std::memory_order_relaxed) != 0) {
      uniques.push_back(static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + i));
    }
  }
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    for (std::int64_t i = range.begin; i < range.end; ++i) codes[i] = rank[offset(values[i])];
  });
  return uniques;
}

// Row i is data[offsets[i], offsets[i + 1]). Writes codes[n]; returns a row for every code.
template <class Offset>
std::vector<std::int64_t> factorize_bytes(const Run& run, const Offset* offsets,
                                          const std::uint8_t* data, std::int64_t data_size,
                                          std::int64_t n, std::int32_t* codes) {
  bool ok = offsets[0] >= 0 && static_cast<std::int64_t>(offsets[n]) <= data_size;
  for (std::int64_t i = 0; i < n; ++i) ok &= offsets[i] <= offsets[i + 1];
  if (!ok) throw InvalidInput("offsets must ascend from >= 0 to at most len(data)");
  if (n == 0) return {};
  const factorize_detail::StringKeys<Offset> keys{offsets, data, factorize_detail::new_seed()};
  return factorize(run, keys, n, codes);
}

}  // namespace aimass
