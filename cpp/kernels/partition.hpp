// Stable partition of n entries by ranges of an integer key, in two parallel passes (count, place):
// the first half of a sort that is to finish inside the cache, part by part. What lands where
// depends on the data alone, never on the number of threads.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

// ValueError naming the first value outside [0, limit).
inline void check_bounds(const Run& run, const std::int32_t* values, std::int64_t n,
                         std::int64_t limit, const char* name) {
  const std::int64_t n_blocks = (n + (1 << 18) - 1) >> 18;
  std::vector<std::int64_t> bad(static_cast<std::size_t>(n_blocks), -1);
  const auto bound = static_cast<std::uint32_t>(limit);
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    std::uint32_t outside = 0;
    for (std::int64_t i = range.begin; i < range.end; ++i) {
      outside |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(values[i]) >= bound);
    }
    for (std::int64_t i = range.begin; outside != 0 && i < range.end; ++i) {
      if (static_cast<std::uint32_t>(values[i]) < bound) continue;
      bad[static_cast<std::size_t>(block)] = i;
      return;
    }
  });
  for (const std::int64_t i : bad) {
    if (i < 0) continue;
    throw InvalidInput(std::string(name) + "[" + std::to_string(i) + "] is " +
                       std::to_string(values[i]) + ", expected 0 <= value < " +
                       std::to_string(limit));
  }
}

// Part p holds the keys [p << shift, (p + 1) << shift), in the order of the input.
struct Partition {
  std::int64_t n;
  int shift;
  std::int64_t n_parts;
  std::int64_t n_blocks;
  std::vector<std::int64_t> start;   // n_parts + 1
  std::vector<std::int64_t> cursor;  // n_blocks x n_parts: where a block puts its first entry

  std::int64_t size(std::int64_t part) const {
    const auto p = static_cast<std::size_t>(part);
    return start[p + 1] - start[p];
  }
};

// keys in [0, n_keys). Parts of about target_size entries, at most 1024 of them (each is a stream
// of writes, and the memory system follows only so many).
inline Partition plan_partition(const Run& run, const std::int32_t* keys, std::int64_t n,
                                std::int64_t n_keys, std::int64_t target_size = 1 << 15) {
  const std::int64_t wanted = std::clamp<std::int64_t>(n / target_size, 1, 1024);
  Partition plan{n, 0, 1, std::max<std::int64_t>(1, n >> 18), {}, {}};
  while (((n_keys - 1) >> plan.shift) >= wanted) ++plan.shift;
  plan.n_parts = std::max<std::int64_t>(1, ((n_keys - 1) >> plan.shift) + 1);
  const auto n_parts = static_cast<std::size_t>(plan.n_parts);
  const auto n_blocks = static_cast<std::size_t>(plan.n_blocks);
  plan.cursor.assign(n_blocks * n_parts, 0);
  plan.start.assign(n_parts + 1, 0);
  parallel_for(run, plan.n_blocks, [&](std::int64_t block, int) {
    std::int64_t* count = plan.cursor.data() + static_cast<std::size_t>(block) * n_parts;
    const Range range = block_range(n, plan.n_blocks, block);
    for (std::int64_t i = range.begin; i < range.end; ++i) ++count[keys[i] >> plan.shift];
  });
  std::int64_t total = 0;
  for (std::size_t part = 0; part < n_parts; ++part) {
    plan.start[part] = total;
    for (std::size_t block = 0; block < n_blocks; ++block) {
      std::int64_t& count = plan.cursor[block * n_parts + part];
      total += count;
      count = total - count;
    }
  }
  plan.start[n_parts] = total;
  return plan;
}

// visit(range, cursor): for i in range, in order, write entry i to place cursor[key >> shift]++.
template <class Visit>
void place_parts(const Run& run, Partition& plan, Visit&& visit) {
  parallel_for(run, plan.n_blocks, [&](std::int64_t block, int) {
    visit(block_range(plan.n, plan.n_blocks, block), plan.cursor.data() + block * plan.n_parts);
  });
}

// Ascending sort of distinct words that are already in order of their bits below `first_bit`.
// Least significant digit first: a pass per 8 bits, passes in which nothing would move left out.
inline void sort_words(std::vector<std::uint64_t>& words, std::vector<std::uint64_t>& scratch,
                       int first_bit, int last_bit) {
  constexpr int digit_bits = 8;
  constexpr std::size_t n_digits = std::size_t{1} << digit_bits;
  if (std::is_sorted(words.begin(), words.end())) return;
  if (words.size() < 512) {
    std::sort(words.begin(), words.end());
    return;
  }
  scratch.resize(words.size());
  for (int bit = first_bit; bit < last_bit; bit += digit_bits) {
    std::size_t place[n_digits] = {};
    for (const std::uint64_t word : words) ++place[(word >> bit) & (n_digits - 1)];
    if (place[(words[0] >> bit) & (n_digits - 1)] == words.size()) continue;
    std::size_t total = 0;
    for (std::size_t& count : place) {
      total += count;
      count = total - count;
    }
    for (const std::uint64_t word : words) scratch[place[(word >> bit) & (n_digits - 1)]++] = word;
    words.swap(scratch);
  }
}

}  // namespace aimass
