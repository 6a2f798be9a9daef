// Stable partition of n entries by ranges of an integer key, in two parallel passes (count, place):
// the first half of a sort that is to finish inside the cache, part by part. The result depends on
// the data alone, never on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "counting_sort.hpp"
#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

// Position of the first value outside [0, limit); -1: none.
inline std::int64_t first_outside(const Run& run, const std::int32_t* values, std::int64_t n,
                                  std::int64_t limit) {
  const std::int64_t n_blocks = (n + (1 << 18) - 1) >> 18;
  std::vector<std::int64_t> bad(static_cast<std::size_t>(n_blocks), -1);
  const auto bound = static_cast<std::uint32_t>(limit);  // a negative value becomes a huge one
  parallel_for(run, n_blocks, [&](std::int64_t block, int) {
    const Range range = block_range(n, n_blocks, block);
    std::uint32_t outside = 0;
    for (std::int64_t i = range.begin; i < range.end; ++i)
      outside |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(values[i]) >= bound);
    for (std::int64_t i = range.begin; outside != 0 && i < range.end; ++i) {
      if (static_cast<std::uint32_t>(values[i]) < bound) continue;
      bad[static_cast<std::size_t>(block)] = i;
      return;
    }
  });
  for (const std::int64_t i : bad)
    if (i >= 0) return i;
  return -1;
}

// ValueError with the first value outside [0, limit).
inline void check_bounds(const Run& run, const std::int32_t* values, std::int64_t n,
                         std::int64_t limit, const char* name) {
  const std::int64_t i = first_outside(run, values, n, limit);
  if (i < 0) return;
  throw InvalidInput(std::string(name) + "[" + std::to_string(i) + "] is " +
                     std::to_string(values[i]) + ", expected 0 <= value < " +
                     std::to_string(limit));
}

// Part p holds the keys [p << shift, (p + 1) << shift), in the order of the input.
struct Partition {
  std::int64_t n;
  int shift;
  std::int64_t n_parts;
  std::int64_t n_blocks;
  BlockCounts cursors;              // by block and part: the position of the next entry
  std::vector<std::int64_t> start;  // n_parts + 1

  std::int64_t size(std::int64_t part) const {
    const auto p = static_cast<std::size_t>(part);
    return start[p + 1] - start[p];
  }
};

// keys in [0, n_keys), parts of 1 << shift keys.
inline Partition plan_parts(const Run& run, const std::int32_t* keys, std::int64_t n,
                            std::int64_t n_keys, int shift) {
  Partition plan{n, shift, 1, std::max<std::int64_t>(1, n >> 18), {}, {}};
  plan.n_parts = std::max<std::int64_t>(1, ((n_keys - 1) >> shift) + 1);
  plan.cursors = BlockCounts(plan.n_blocks, plan.n_parts);
  parallel_for(run, plan.n_blocks, [&](std::int64_t block, int) {
    std::int64_t* count = plan.cursors.of_block(block);
    const Range range = block_range(n, plan.n_blocks, block);
    for (std::int64_t i = range.begin; i < range.end; ++i) ++count[keys[i] >> plan.shift];
  });
  plan.start = plan.cursors.start();
  return plan;
}

// The same with parts of about target_size entries, at most 1024 of them (each is a stream of
// writes, and the memory system follows only so many).
inline Partition plan_partition(const Run& run, const std::int32_t* keys, std::int64_t n,
                                std::int64_t n_keys, std::int64_t target_size = 1 << 15) {
  const std::int64_t wanted = std::clamp<std::int64_t>(n / target_size, 1, 1024);
  int shift = 0;
  while (((n_keys - 1) >> shift) >= wanted) ++shift;
  return plan_parts(run, keys, n, n_keys, shift);
}

// visit(range, cursor): for i in range, in order, write entry i to position cursor[key >> shift]++.
template <class Visit>
void place_parts(const Run& run, Partition& plan, Visit&& visit) {
  parallel_for(run, plan.n_blocks, [&](std::int64_t block, int) {
    visit(block_range(plan.n, plan.n_blocks, block), plan.cursors.of_block(block));
  });
}

}  // namespace aimass
