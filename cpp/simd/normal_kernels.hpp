// Normal random numbers by counter. Included by files compiled with ISA flags: types only, see
// table.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd {

constexpr std::int64_t kNormalBlock = 16;  // numbers that are drawn together: eight pairs

struct NormalTable {
  // out[0, n * kNormalBlock): standard normal numbers of the blocks from `first` on.
  void (*normals)(std::uint64_t key, std::uint64_t first, std::int64_t n, double* out);
};

// That of the level in use.
const NormalTable& normal_table();

}  // namespace aimass::simd
