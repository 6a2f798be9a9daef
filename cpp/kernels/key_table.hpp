// The parts of factorize.hpp: keys of a column (integers, byte strings), a hash table that numbers
// them by first appearance, and the sort of the distinct ones.
// Open addressing: Knuth, The Art of Computer Programming 3, 6.4; mixing by folded products as in
// wyhash (Wang Yi). The hash is seeded anew on each call, so that no input is bad for all calls.
#pragma once

#include <algorithm>
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
  const std::int64_t* values;
  std::uint64_t seed;

  // A table compares tags first, and finds its slots by mixing them. Here the tag is the key.
  std::uint64_t tag(std::int64_t row) const { return static_cast<std::uint64_t>(values[row]); }
  bool equal(std::int64_t, std::int64_t) const { return true; }  // of rows whose tags are equal
  // Sorting looks at this first: ascending like the keys. When it decides all, `less` is never so.
  std::uint64_t prefix(std::int64_t row) const {
    return static_cast<std::uint64_t>(values[row]) ^ (std::uint64_t{1} << 63);
  }
  bool less(std::int64_t, std::int64_t) const { return false; }
};

template <class Offset>
struct StringKeys {
  const Offset* offsets;
  const std::uint8_t* data;
  std::uint64_t seed;

  const std::uint8_t* begin(std::int64_t row) const { return data + offsets[row]; }
  std::size_t length(std::int64_t row) const {
    return static_cast<std::size_t>(offsets[row + 1] - offsets[row]);
  }
  // The next min(length, 8) bytes as a number; no byte past the string is read.
  static std::uint64_t word(const std::uint8_t* bytes, std::size_t length) {
    std::uint64_t w = 0;
    if (length >= 8) {
      std::memcpy(&w, bytes, 8);
    } else if (length >= 4) {  // two overlapping halves
      std::uint32_t low, high;
      std::memcpy(&low, bytes, 4);
      std::memcpy(&high, bytes + length - 4, 4);
      w = low | (static_cast<std::uint64_t>(high) << 32);
    } else if (length > 0) {
      w = bytes[0] | (static_cast<std::uint64_t>(bytes[length / 2]) << 8) |
          (static_cast<std::uint64_t>(bytes[length - 1]) << 16);
    }
    return w;
  }
  std::uint64_t tag(std::int64_t row) const {
    const std::uint8_t* bytes = begin(row);
    std::size_t left = length(row);
    std::uint64_t h = mix(seed ^ left, kOdd1);
    for (; left > 16; left -= 16, bytes += 16) {
      h = mix(word(bytes, 8) ^ kOdd1, word(bytes + 8, 8) ^ h);
    }
    const std::uint64_t first = word(bytes, std::min<std::size_t>(left, 8));
    const std::uint64_t rest = left > 8 ? word(bytes + left - 8, 8) : 0;
    return mix(first ^ kOdd2, rest ^ h);
  }
  bool equal(std::int64_t a, std::int64_t b) const {
    const std::size_t n = length(a);
    return n == length(b) && (n == 0 || std::memcmp(begin(a), begin(b), n) == 0);
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
    return std::lexicographical_compare(begin(a), begin(a) + length(a), begin(b),
                                        begin(b) + length(b));
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
    std::uint64_t tags[batch];
    for (std::int64_t begin = range.begin; begin < range.end; begin += batch) {
      if ((begin - range.begin) % (1 << 16) == 0) run.poll();
      const std::int64_t end = std::min(range.end, begin + batch);
      if (2 * (first_row.size() + static_cast<std::size_t>(batch)) > slots_.size()) grow();
      for (std::int64_t row = begin; row < end; ++row) {
        tags[row - begin] = keys_.tag(row);
        __builtin_prefetch(&slots_[home(tags[row - begin])]);
      }
      for (std::int64_t row = begin; row < end; ++row) {
        codes[row] = find_or_add(row, tags[row - begin]);
      }
    }
  }

 private:
  struct Slot {
    std::uint64_t tag;
    std::int64_t code;
  };
  Keys keys_;
  std::vector<Slot> slots_ = std::vector<Slot>(1024, Slot{0, -1});

  std::size_t home(std::uint64_t tag) const {
    return mix(tag ^ keys_.seed ^ kOdd1, kOdd2 ^ keys_.seed) & (slots_.size() - 1);
  }

  std::int32_t find_or_add(std::int64_t row, std::uint64_t tag) {
    for (std::size_t i = home(tag);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.code < 0) {
        slot = {tag, static_cast<std::int64_t>(first_row.size())};
        first_row.push_back(row);
        return static_cast<std::int32_t>(slot.code);
      }
      if (slot.tag == tag && keys_.equal(first_row[static_cast<std::size_t>(slot.code)], row)) {
        return static_cast<std::int32_t>(slot.code);
      }
    }
  }

  void grow() {
    if (first_row.size() > std::size_t{std::numeric_limits<std::int32_t>::max()} - 64) {
      throw InvalidInput("more than 2**31 distinct keys: codes would not fit int32");
    }
    std::vector<Slot> old(slots_.size() * 4, Slot{0, -1});
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.code < 0) continue;
      std::size_t i = home(slot.tag);
      while (slots_[i].code >= 0) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }
};

struct Distinct {
  std::uint64_t prefix;
  std::int64_t row;
};

// By prefix, a pass per byte of it that is not the same everywhere; then by `before` among equals.
template <class Before>
void sort_distinct(const Run& run, std::vector<Distinct>& keys, Before&& before) {
  if (keys.size() < 4096) {
    std::sort(keys.begin(), keys.end(), before);
    return;
  }
  std::vector<Distinct> spare(keys.size());
  for (int bit = 0; bit < 64; bit += 8) {
    run.poll();
    std::size_t place[256] = {};
    for (const Distinct& key : keys) ++place[(key.prefix >> bit) & 255];
    if (place[(keys[0].prefix >> bit) & 255] == keys.size()) continue;
    std::size_t total = 0;
    for (std::size_t& count : place) {
      total += count;
      count = total - count;
    }
    for (const Distinct& key : keys) spare[place[(key.prefix >> bit) & 255]++] = key;
    keys.swap(spare);
  }
  for (auto begin = keys.begin(); begin != keys.end();) {
    auto end = begin + 1;
    while (end != keys.end() && end->prefix == begin->prefix) ++end;
    if (end - begin > 1) std::sort(begin, end, before);
    begin = end;
  }
}

}  // namespace factorize_detail

}  // namespace aimass
