// Problem: fill an array with standard normal random numbers that depend on a key and on their
// position alone, several times as fast as a generator that draws one after the other.
//
// Numbers come in blocks of 16. Numbers i and i + 8 of a block are a pair by the transform of Box
// and Muller (A note on the generation of random normal deviates, 1958), from the SplitMix64
// numbers 16 b + i and 16 b + i + 8 of the key. Their absolute values are at most 8.6. Cost: n;
// memory: one block.
#pragma once

#include <cstdint>

#include "parallel.hpp"

namespace aimass {

void standard_normal(const Run& run, std::uint64_t key, std::int64_t n, double* out);

}  // namespace aimass
