// Random numbers by counter: a function of a key and a number, so that any thread can draw any of
// them at any time. The numbers of one key are those of SplitMix64 started at the key.
// Steele, Lea & Flood, Fast splittable pseudorandom number generators (OOPSLA 2014).
#pragma once

#include <cstdint>
#include <utility>

namespace aimass {

constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;

inline std::uint64_t mix_bits(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

inline std::uint64_t random_bits(std::uint64_t key, std::uint64_t counter) {
  return mix_bits(key + (counter + 1) * kGolden);
}

// A key of its own for part `part` of what `key` governs.
inline std::uint64_t derived_key(std::uint64_t key, std::uint64_t part) {
  return mix_bits(key ^ mix_bits(part + kGolden));
}

// Uniform in [0, n) for n <= 2^32, from the upper half of the bits.
inline std::int64_t uniform_below(std::uint64_t bits, std::int64_t n) {
  return static_cast<std::int64_t>(((bits >> 32) * static_cast<std::uint64_t>(n)) >> 32);
}

// Swaps elements of n into random order (Fisher and Yates); swap(i, j).
template <class Swap>
void random_order(std::uint64_t key, std::int64_t n, Swap&& swap) {
  for (std::int64_t i = n - 1; i > 0; --i) {
    swap(i, uniform_below(random_bits(key, static_cast<std::uint64_t>(i)), i + 1));
  }
}

template <class T>
void shuffle(std::uint64_t key, T* values, std::int64_t n) {
  random_order(key, n, [&](std::int64_t i, std::int64_t j) { std::swap(values[i], values[j]); });
}

}  // namespace aimass
