// Problem: number the distinct keys of a column (int64, or byte strings) in ascending order.
// Cost: O(n) expected plus a sort of the distinct keys; memory O(distinct keys) per thread.
// Layout: every thread numbers the keys of its piece of the column in a hash table of its own;
// the pieces' distinct keys are sorted and merged, which gives each key its rank; codes are then
// renumbered in place. Ranks belong to the data, so neither the pieces nor the hash show in the
// result. Integers of a small range need no hash: a table over the range does it.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel.hpp"

namespace aimass {

// Writes codes[n]; returns the distinct values, ascending.
std::vector<std::int64_t> factorize_int64(const Run& run, const std::int64_t* values,
                                          std::int64_t n, std::int32_t* codes);

// Row i is data[offsets[i], offsets[i + 1]). Writes codes[n]; returns a row for every code.
template <class Offset>
std::vector<std::int64_t> factorize_bytes(const Run& run, const Offset* offsets,
                                          const std::uint8_t* data, std::int64_t data_size,
                                          std::int64_t n, std::int32_t* codes);

}  // namespace aimass
