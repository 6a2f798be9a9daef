// The k best of n scores with their indices, by one block of threads: score descending, then index
// ascending, as all rankings of the package.
//
// Two radix selections, by score and, among equal ones of the last place, by index. Which thread
// takes which place is left to chance, which entries are taken is not; put_in_order then fixes the
// places. Time: 10 to 14 passes over the scores, and k^2 comparisons.
#pragma once

#include "radix_select.hpp"

namespace aimass::cuda {

// Writes the best places, in any order, to `indices` and `values`; returns how many they are. NaN
// is no candidate; there is no -0. index_of(j) is the index of place j, not negative.
template <class T, class IndexOf, class Block>
AIMASS_DEVICE std::int64_t select_best(Block& block, const T* scores, const IndexOf& index_of,
                                       std::int64_t n, std::int64_t k, Selection& shared,
                                       std::int32_t* indices, T* values) {
  const auto is_candidate = [scores](std::int64_t j) { return scores[j] == scores[j]; };  // no NaN
  const auto index_key = [&](std::int64_t j) {
    return 0xFFFFFFFFULL - static_cast<std::uint64_t>(index_of(j));
  };
  radix_select(
      block, n, k, sizeof(T),
      [&](std::int64_t j, std::uint64_t& key) {
        if (!is_candidate(j)) return false;
        key = ordered_bits(scores[j]);
        return true;
      },
      shared);
  const bool takes_all = shared.takes_all;
  const std::uint64_t last = shared.key;
  const std::int64_t n_equal = shared.n_equal;
  block.each([](int) {});  // all have read what the next selection overwrites
  if (!takes_all)
    radix_select(
        block, n, n_equal, 4,
        [&](std::int64_t j, std::uint64_t& key) {
          if (!is_candidate(j) || ordered_bits(scores[j]) != last) return false;
          key = index_key(j);
          return true;
        },
        shared);
  const bool takes_all_equal = shared.takes_all;
  const std::uint64_t last_index = shared.key;
  block.each([](int) {});
  block.each([&](int thread) {
    if (thread == 0) shared.n_taken = 0;
  });
  block.each([&](int thread) {
    for (std::int64_t j = thread; j < n; j += block.size()) {
      if (!is_candidate(j)) continue;
      const std::uint64_t key = ordered_bits(scores[j]);
      const bool is_tie = key == last && (takes_all_equal || index_key(j) >= last_index);
      if (!takes_all && key <= last && !is_tie) continue;
      const unsigned place = block.count(shared.n_taken);
      indices[place] = index_of(j);
      values[place] = scores[j];
    }
  });
  return shared.n_taken;
}

// Writes entries that are in any order to `out`, the best one first, by merging sorted runs: an
// entry goes to its place in its own run plus the number of better ones in the other run. All four
// arrays have n places; those of the entries are overwritten. Time: n log(n)^2 comparisons.
template <class T, class Block>
AIMASS_DEVICE void put_in_order(Block& block, std::int32_t* indices, T* values, std::int64_t n,
                                std::int32_t* out_indices, T* out_values) {
  std::int32_t *from_indices = indices, *to_indices = out_indices;
  T *from_values = values, *to_values = out_values;
  for (std::int64_t length = 1; length < n; length *= 2) {
    block.each([&](int thread) {
      for (std::int64_t i = thread; i < n; i += block.size()) {
        const std::int64_t begin = i / (2 * length) * (2 * length);
        const std::int64_t middle = begin + length < n ? begin + length : n;
        const std::int64_t end = middle + length < n ? middle + length : n;
        const std::int64_t other = i < middle ? middle : begin;
        std::int64_t low = other, high = i < middle ? end : middle;
        while (low < high) {  // the first entry of the other run that is not better
          const std::int64_t at = low + (high - low) / 2;
          const bool is_better =
              from_values[at] > from_values[i] ||
              (from_values[at] == from_values[i] && from_indices[at] < from_indices[i]);
          if (is_better)
            low = at + 1;
          else
            high = at;
        }
        const std::int64_t place = begin + (i < middle ? i - begin : i - middle) + (low - other);
        to_indices[place] = from_indices[i];
        to_values[place] = from_values[i];
      }
    });
    std::int32_t* const merged_indices = to_indices;
    T* const merged_values = to_values;
    to_indices = from_indices, to_values = from_values;
    from_indices = merged_indices, from_values = merged_values;
  }
  if (from_indices == out_indices) return;
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < n; i += block.size()) {
      out_indices[i] = from_indices[i];
      out_values[i] = from_values[i];
    }
  });
}

}  // namespace aimass::cuda
