// The k largest of n keys, by one block of threads. Problem: lists are short, n is the size of a
// catalogue, and the result must not depend on the order in which threads meet their keys. A radix
// selection counts the keys by their leading byte, keeps the byte that the k-th largest key has,
// and goes on with the next byte among the keys that share it. The counts are integers, so the
// order of the additions does not matter.
//
// Time: one pass over the keys per byte. Memory: 256 counters.
//
// T. Alabi, J. Blanchard, B. Gordon, R. Steinbach, "Fast k-selection algorithms for graphics
// processing units", ACM JEA 17, 2012.
#pragma once

#include <cstdint>
#include <cstring>

#include "../kernels/portable.hpp"

namespace aimass::cuda {

// What the threads of a block share during a selection.
struct Selection {
  unsigned counts[256];
  std::uint64_t key;     // the k-th largest one, so far its leading bytes
  std::int64_t n_equal;  // how many keys equal to it belong to the k largest
  bool takes_all;        // there are at most k keys
  unsigned n_taken;
};

// The bits of a number, so that a larger number has the larger bits. There is no NaN and no -0.
AIMASS_DEVICE inline std::uint64_t ordered_bits(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 31 ? ~bits : bits | 0x80000000U;
}
AIMASS_DEVICE inline std::uint64_t ordered_bits(double value) {
  std::uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits >> 63 ? ~bits : bits | 0x8000000000000000ULL;
}

// Finds the k-th largest key. `key_of(j, key)` sets the key of place j and returns whether the
// place has one.
template <class Block, class KeyOf>
AIMASS_DEVICE void radix_select(Block& block, std::int64_t n, std::int64_t k, int n_bytes,
                                const KeyOf& key_of, Selection& shared) {
  for (int byte = n_bytes - 1; byte >= 0; --byte) {
    const bool is_first = byte == n_bytes - 1;
    block.each([&](int thread) {
      for (int b = thread; b < 256; b += block.size()) shared.counts[b] = 0;
      if (is_first && thread == 0) {
        shared.key = 0;
        shared.n_equal = k;
        shared.takes_all = false;
      }
    });
    block.each([&](int thread) {
      std::uint64_t key;
      for (std::int64_t j = thread; j < n; j += block.size())
        if (key_of(j, key) && (is_first || key >> (8 * (byte + 1)) == shared.key))
          block.count(shared.counts[(key >> (8 * byte)) & 255]);
    });
    block.each([&](int thread) {
      if (thread != 0) return;
      std::int64_t above = 0;
      int bin = 255;
      for (; bin > 0 && above + shared.counts[bin] < shared.n_equal; --bin)
        above += shared.counts[bin];
      if (is_first && above + shared.counts[bin] <= shared.n_equal && bin == 0)
        shared.takes_all = true;
      shared.key = shared.key << 8 | static_cast<std::uint64_t>(bin);
      shared.n_equal -= above;
    });
    if (shared.takes_all) return;
  }
}

}  // namespace aimass::cuda
