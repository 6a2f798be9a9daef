// The parts of factorize.hpp: keys of a column (integers, byte strings), and a hash table that
// numbers them by first appearance.
// Open addressing: Knuth, The Art of Computer Programming 3, 6.4; mixing by folded products as in
// wyhash (Wang Yi). The hash is seeded anew on each call, so that no input is bad for all calls.
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

namespace factorize_detail {

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline constexpr std::uint64_t kOdd1 = 0xa0761d6478bd642fu, kOdd2 = 0xe7037ed1a0b428dbu;

inline std::uint64_t new_seed() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  return mix(static_cast<std::uint64_t>(now) ^ kOdd1, kOdd2);
}

struct IntKeys {
  using Key = std::int64_t;  // what a table holds of a key

  const std::int64_t* values;
  std::uint64_t seed;

  Key key(std::int64_t row) const { return values[row]; }
  std::uint64_t hash(Key key) const {
    return mix(static_cast<std::uint64_t>(key) ^ seed ^ kOdd1, kOdd2 ^ seed);
  }
  bool equal(Key a, Key b) const { return a == b; }
  bool equal_rest(Key, std::int64_t, std::int64_t) const { return true; }
  // Sorting looks at this first: ascending like the keys. When it decides all, `less` is never so.
  std::uint64_t prefix(std::int64_t row) const {
    return static_cast<std::uint64_t>(values[row]) ^ (std::uint64_t{1} << 63);
  }
  bool less(std::int64_t, std::int64_t) const { return false; }
};

// A table holds all of a string of up to 16 bytes, so that most look-ups see no other memory.
template <class Offset>
struct StringKeys {
  struct Key {
    std::uint64_t first;  // bytes [0, 8), zeros behind the end
    std::uint64_t rest;   // bytes [8, 16); of a longer string a hash of all from 8 on
    std::uint32_t length;
  };
  static constexpr std::size_t kHeld = 16;

  const Offset* offsets;
  const std::uint8_t* data;
  std::int64_t size;  // of data
  std::uint64_t seed;

  const std::uint8_t* begin(std::int64_t row) const { return data + offsets[row]; }
  std::size_t length(std::int64_t row) const {
    return static_cast<std::size_t>(offsets[row + 1] - offsets[row]);
  }
  // The next min(length, 8) bytes, the first one lowest; no byte past the string is read.
  static std::uint64_t word(const std::uint8_t* bytes, std::size_t length) {
    std::uint64_t w = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(length, 8); ++i) {
      w |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
    }
    return w;
  }
  static std::uint64_t eight(const std::uint8_t* bytes) {
    if constexpr (std::endian::native != std::endian::little) return word(bytes, 8);
    std::uint64_t w;
    std::memcpy(&w, bytes, 8);
    return w;
  }
  Key key(std::int64_t row) const {
    const std::uint8_t* bytes = begin(row);
    const std::size_t n = length(row);
    const auto shown = static_cast<std::uint32_t>(std::min<std::size_t>(n, UINT32_MAX));
    if (n > kHeld) [[unlikely]]
      return {eight(bytes), hash_from(bytes + 8, n - 8), shown};
    if (static_cast<std::int64_t>(offsets[row]) + 16 > size) [[unlikely]] {
      return {word(bytes, n), n > 8 ? word(bytes + 8, n - 8) : 0, shown};
    }
    // Both words in full, then cut off without a branch: lengths differ from row to row.
    const std::size_t cut = n < 8 ? 8 * n : 64, cut_rest = n > 8 ? 8 * (n - 8) : 0;
    return {eight(bytes) & low_bits(cut), eight(bytes + 8) & low_bits(cut_rest), shown};
  }
  std::uint64_t hash(const Key& key) const {
    return mix(key.first ^ seed ^ kOdd1, key.rest ^ (key.length * kOdd2) ^ ~seed);
  }
  // Decides for strings that the table holds whole; of longer ones the rest may still differ.
  bool equal(const Key& a, const Key& b) const {
    return ((a.first ^ b.first) | (a.rest ^ b.rest) | (a.length ^ b.length)) == 0;
  }
  bool equal_rest(const Key& key, std::int64_t a, std::int64_t b) const {
    if (key.length <= kHeld) [[likely]]
      return true;
    return length(a) == length(b) && std::memcmp(begin(a), begin(b), length(a)) == 0;
  }
  std::uint64_t prefix(std::int64_t row) const {
    std::uint64_t w = 0;
    const std::size_t n = std::min<std::size_t>(length(row), 8);
    for (std::size_t i = 0; i < n; ++i) {
      w |= static_cast<std::uint64_t>(begin(row)[i]) << (56 - 8 * i);
    }
    return w;
  }
  bool less(std::int64_t a, std::int64_t b) const {
    const std::size_t n_a = length(a), n_b = length(b), n = std::min(n_a, n_b);
    const int order = n == 0 ? 0 : std::memcmp(begin(a), begin(b), n);
    return order != 0 ? order < 0 : n_a < n_b;
  }

 private:
  static std::uint64_t low_bits(std::size_t n) {
    return n == 0 ? 0 : ~std::uint64_t{0} >> (64 - n);
  }
  std::uint64_t hash_from(const std::uint8_t* bytes, std::size_t left) const {
    std::uint64_t h = mix(seed ^ left, kOdd1);
    for (; left > 16; left -= 16, bytes += 16) {
      h = mix(eight(bytes) ^ kOdd1, eight(bytes + 8) ^ h);
    }
    const std::uint64_t first = word(bytes, left);
    return mix(first ^ kOdd2, (left > 8 ? eight(bytes + left - 8) : 0) ^ h);
  }
};

// Distinct keys of one piece of the column, in order of first appearance.
template <class Keys>
class Table {
 public:
  explicit Table(const Keys& keys) : keys_(keys) {}

  std::vector<std::int64_t> first_row;  // of each code

  // Numbers rows [range): codes[row] = place of its key in first_row.
  void number(const Run& run, Range range, std::int32_t* codes) {
    constexpr std::int64_t batch = 32;  // slots are fetched ahead, since most are out of cache
    Key keys[batch];
    std::size_t homes[batch];
    for (std::int64_t begin = range.begin; begin < range.end; begin += batch) {
      if ((begin - range.begin) % (1 << 16) == 0) run.poll();
      const std::int64_t end = std::min(range.end, begin + batch);
      if (2 * (first_row.size() + static_cast<std::size_t>(batch)) > slots_.size()) grow(run);
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t i = row - begin;
        keys[i] = keys_.key(row);
        homes[i] = keys_.hash(keys[i]) & (slots_.size() - 1);
        __builtin_prefetch(&slots_[homes[i]]);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        codes[row] = find_or_add(row, keys[row - begin], homes[row - begin]);
      }
    }
  }

 private:
  using Key = typename Keys::Key;
  struct Slot {
    Key key;
    std::int32_t code;
  };
  Keys keys_;
  std::vector<Slot> slots_ = std::vector<Slot>(1024, Slot{{}, -1});

  std::int32_t find_or_add(std::int64_t row, const Key& key, std::size_t i) {
    for (;; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.code < 0) {
        slot = {key, static_cast<std::int32_t>(first_row.size())};
        first_row.push_back(row);
        return slot.code;
      }
      if (keys_.equal(slot.key, key) &&
          keys_.equal_rest(key, first_row[static_cast<std::size_t>(slot.code)], row)) {
        return slot.code;
      }
    }
  }

  void grow(const Run& run) {
    if (first_row.size() > std::size_t{std::numeric_limits<std::int32_t>::max()} - 64) {
      throw InvalidInput("more than 2**31 distinct keys: codes would not fit int32");
    }
    std::vector<Slot> old(slots_.size() * 2, Slot{{}, -1});
    old.swap(slots_);
    std::uint32_t n_moved = 0;
    for (const Slot& slot : old) {
      if (slot.code < 0) continue;
      if ((++n_moved & 0xffff) == 0) run.poll();
      std::size_t i = keys_.hash(slot.key) & (slots_.size() - 1);
      while (slots_[i].code >= 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }
};

}  // namespace factorize_detail

}  // namespace aimass
