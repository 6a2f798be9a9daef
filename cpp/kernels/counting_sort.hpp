// Sorting by counting: how often does each key occur, where do its items begin, put them there.
// Stable and O(n + number of keys). All kernels that sort by whole numbers do it with what is here:
//   start_positions   counts of keys to the positions of their first items;
//   BlockCounts       the same when several blocks of the input are counted and placed in parallel;
//   radix_sort        keys of many bits, 8 at a time, least significant first (LSD radix sort:
//                     Knuth, The Art of Computer Programming 3, 5.2.5).
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "parallel.hpp"

namespace aimass {

// Replaces the counts of n keys by the positions at which their items begin, from `first` on.
// Returns the position behind the last item.
template <class Count>
Count start_positions(Count* counts, std::int64_t n, Count first = 0) {
  for (std::int64_t key = 0; key < n; ++key) first += std::exchange(counts[key], first);
  return first;
}

// Counts of keys in each of several blocks of the input, then the positions at which a block puts
// its items: by key, within a key by block. The result does not depend on who counts which block.
class BlockCounts {
 public:
  BlockCounts() = default;
  BlockCounts(std::int64_t n_blocks, std::int64_t n_keys)
      : n_blocks_(n_blocks),
        n_keys_(n_keys),
        counts_(static_cast<std::size_t>(n_blocks * n_keys)) {}

  // n_keys counts to add to; after start(), the next position of each key.
  std::int64_t* of_block(std::int64_t block) { return counts_.data() + block * n_keys_; }

  // Where the items of each key begin: n_keys + 1 positions.
  std::vector<std::int64_t> start() {
    std::vector<std::int64_t> starts(static_cast<std::size_t>(n_keys_) + 1);
    std::int64_t position = 0;
    for (std::int64_t key = 0; key < n_keys_; ++key) {
      starts[static_cast<std::size_t>(key)] = position;
      for (std::int64_t block = 0; block < n_blocks_; ++block)
        position += std::exchange(of_block(block)[key], position);
    }
    starts.back() = position;
    return starts;
  }

 private:
  std::int64_t n_blocks_ = 0, n_keys_ = 0;
  std::vector<std::int64_t> counts_;
};

// Sorts items by key(item), an unsigned number of which the bits from first_bit on matter and those
// from last_bit on are 0; items with equal bits keep their order. scratch: n items. A digit that is
// the same everywhere costs nothing but its count. run: polled between passes; may be null.
template <class Item, class Key>
void radix_sort(Item* items, std::int64_t n, Item* scratch, int first_bit, int last_bit, Key&& key,
                const Run* run = nullptr) {
  constexpr int kDigitBits = 8, kMaxDigits = 8;
  constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;
  const int n_digits = (last_bit - first_bit + kDigitBits - 1) / kDigitBits;
  if (n < 2 || n_digits < 1) return;
  std::int64_t positions[kMaxDigits][kDigits];
  std::fill_n(positions[0], kDigits * static_cast<std::size_t>(n_digits), 0);
  for (std::int64_t i = 0; i < n; ++i) {
    auto bits = key(items[i]) >> first_bit;
    for (int digit = 0; digit < n_digits; ++digit, bits >>= kDigitBits)
      ++positions[digit][bits & (kDigits - 1)];
  }
  Item *from = items, *to = scratch;
  for (int digit = 0; digit < n_digits; ++digit) {
    const auto digit_of = [&, bit = first_bit + digit * kDigitBits](const Item& item) {
      return (key(item) >> bit) & (kDigits - 1);
    };
    std::int64_t* const next = positions[digit];
    if (next[digit_of(from[0])] == n) continue;
    if (run != nullptr) run->poll();
    start_positions(next, static_cast<std::int64_t>(kDigits));
    for (std::int64_t i = 0; i < n; ++i) to[next[digit_of(from[i])]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy_n(from, n, items);
}

}  // namespace aimass
