// Which items a query may get: lists by row, as CSR patterns. Problem: thousands of candidates are
// looked up for each query, in lists of any length and order. A bitmap of at most 4 KiB a row
// answers at once; where the catalogue is larger than that, bits are shared and a hit is looked up
// in the list, in a sorted copy if need be. Cost: O(length of the row) to set, O(1) to ask.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "errors.hpp"
#include "parallel.hpp"

namespace aimass {

struct Pattern {
  const std::int64_t* indptr = nullptr;  // null: no lists
  const std::int32_t* indices = nullptr;
  std::int64_t nnz = 0;
};

struct Filter {
  Pattern exclude;  // items that a query must not get
  Pattern allow;    // the only ones that it may get

  void check(std::int64_t n_rows, std::int64_t n_items, const Run& run) const {
    check(exclude, "exclude", n_rows, n_items, run);
    check(allow, "allow", n_rows, n_items, run);
  }

 private:
  static void check(const Pattern& p, const char* name, std::int64_t n_rows, std::int64_t n_items,
                    const Run& run) {
    if (p.indptr == nullptr) return;
    bool ok = p.indptr[0] == 0 && p.indptr[n_rows] == p.nnz;
    for (std::int64_t r = 0; r < n_rows; ++r)
      ok &= p.indptr[r] <= p.indptr[r + 1] && p.indptr[r + 1] <= p.nnz;
    if (!ok)
      throw InvalidInput(std::string(name) +
                         ".indptr must go from 0 up to the number of entries without going down");
    const auto limit = static_cast<std::uint32_t>(n_items);  // a negative index becomes a huge one
    constexpr std::int64_t kChunk = 1 << 20;
    for (std::int64_t begin = 0; begin < p.nnz; begin += kChunk) {
      run.poll();
      const std::int64_t end = std::min(p.nnz, begin + kChunk);
      std::uint32_t outside = 0;
      for (std::int64_t i = begin; i < end; ++i)
        outside |= static_cast<std::uint32_t>(static_cast<std::uint32_t>(p.indices[i]) >= limit);
      if (outside == 0) continue;
      for (std::int64_t i = begin; i < end; ++i)
        if (static_cast<std::uint32_t>(p.indices[i]) >= limit)
          throw InvalidInput(std::string(name) + " holds item " + std::to_string(p.indices[i]) +
                             ", outside of [0, " + std::to_string(n_items) + ")");
    }
  }
};

// The list of one row.
class RowSet {
 public:
  RowSet() = default;
  RowSet(const RowSet&) = delete;
  RowSet& operator=(const RowSet&) = delete;
  RowSet(RowSet&&) = default;
  RowSet& operator=(RowSet&&) = default;
  ~RowSet() = default;

  void set(const Pattern& p, std::int64_t n_items, std::int64_t row) {
    for (const std::int32_t* i = begin_; i != end_; ++i) words_[word(*i)] = 0;
    begin_ = end_ = nullptr;
    given_ = p.indptr != nullptr;
    if (!given_) return;
    if (words_.empty()) words_.resize(kWords);
    certain_ = n_items <= kWords * 64;
    begin_ = p.indices + p.indptr[row];
    end_ = p.indices + p.indptr[row + 1];
    if (!certain_ && !std::is_sorted(begin_, end_)) {
      sorted_.assign(begin_, end_);
      std::sort(sorted_.begin(), sorted_.end());
      begin_ = sorted_.data();
      end_ = begin_ + sorted_.size();
    }
    for (const std::int32_t* i = begin_; i != end_; ++i) words_[word(*i)] |= bit(*i);
  }
  bool given() const { return given_; }
  bool holds(std::int32_t item) const {
    if ((words_[word(item)] & bit(item)) == 0) return false;
    if (certain_) return true;
    return std::binary_search(begin_, end_, item);
  }

 private:
  static constexpr std::int64_t kWords = 512;
  static std::size_t word(std::int32_t item) {
    return (static_cast<std::uint32_t>(item) >> 6) % kWords;
  }
  static std::uint64_t bit(std::int32_t item) {
    return std::uint64_t{1} << (static_cast<std::uint32_t>(item) & 63);
  }

  bool given_ = false, certain_ = false;
  const std::int32_t* begin_ = nullptr;
  const std::int32_t* end_ = nullptr;
  std::vector<std::int32_t> sorted_;  // begin_ and end_ may point into it
  std::vector<std::uint64_t> words_;
};

class RowFilter {
 public:
  void set(const Filter& filter, std::int64_t n_items, std::int64_t row) {
    exclude_.set(filter.exclude, n_items, row);
    allow_.set(filter.allow, n_items, row);
  }
  bool admits(std::int32_t item) const {
    return !(exclude_.given() && exclude_.holds(item)) && (!allow_.given() || allow_.holds(item));
  }

 private:
  RowSet exclude_, allow_;
};

}  // namespace aimass
