// Random weights of rows and weighted sums of columns, for the bootstrap and permutation tests.
// Included by files compiled with ISA flags: types only, see table.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd {

constexpr std::int64_t kResampleRows = 512;    // rows of a block
constexpr std::int64_t kResampleGroup = 4;     // replicates whose sums are computed together
constexpr std::int64_t kResampleMaxSteps = 8;  // largest number of thresholds of a law

// A weight is base + step * (number of thresholds that a signed 16-bit draw reaches).
struct WeightLaw {
  std::int16_t thresholds[kResampleMaxSteps];
  std::int32_t n_thresholds;  // 1 or kResampleMaxSteps
  std::int32_t base, step;
  std::uint32_t stream;  // second word of the counter: laws use different random numbers
};

struct ResampleTable {
  // words[0..4n): Philox4x32-10 of the counters (first + i, stream, replicate).
  void (*philox)(std::uint64_t seed, std::uint64_t replicate, std::uint32_t stream,
                 std::uint32_t first, std::int64_t n, std::uint32_t* words);
  // weights[0..kResampleRows) of one block of rows in one replicate.
  void (*weights)(const WeightLaw& law, std::uint64_t seed, std::uint64_t replicate,
                  std::uint32_t block, double* weights);
  // sums[g * stride] += inner product of weights (group g of kResampleGroup) and x.
  void (*dots)(const double* weights, const double* x, double* sums, std::int64_t stride);
};

// That of the level in use.
const ResampleTable& resample_table();

}  // namespace aimass::simd
