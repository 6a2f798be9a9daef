// Negatives of the entries of a tile: items of its stratum that the user has not, drawn uniformly
// or by weight, in O(1) each. A bit for each user and item of the tile excludes positives; after
// kTries positives in a row the draw is uniform among the user's negatives, which are counted.
// Walker's alias tables by Vose's construction: A linear algorithm for generating random numbers
// with a given distribution (IEEE TSE 1991).
#pragma once

#include <bit>

#include "sgd_strata.hpp"

namespace aimass {

// Draws position i of a stratum with probability proportional to the weight of its item.
class AliasTables {
 public:
  // weights: nullptr, or one for each item, not negative. Strata whose weights are all 0 are
  // uniform.
  template <class T>
  AliasTables(const Run& run, const SgdStrata<T>& strata, std::int64_t n_items,
              const double* weights)
      : threshold_(static_cast<std::size_t>(weights == nullptr ? 0 : n_items)),
        alias_(threshold_.size()) {
    if (weights == nullptr) return;
    parallel_for(run, strata.n_strata(), [&](std::int64_t s, int) {
      const Range part = strata.stratum(s);
      build(strata.items() + part.begin, part.end - part.begin, weights,
            threshold_.data() + part.begin, alias_.data() + part.begin);
    });
  }

  // first: position of the stratum among all items.
  std::int64_t draw(std::uint64_t bits, std::int64_t first, std::int64_t n) const {
    const std::int64_t i = uniform_below(bits, n);
    if (threshold_.empty()) return i;
    const auto at = static_cast<std::size_t>(first + i);
    return static_cast<double>(bits & 0xffffffff) < threshold_[at] ? i : alias_[at];
  }

 private:
  static void build(const std::int32_t* items, std::int64_t n, const double* weights,
                    double* threshold, std::int32_t* alias) {
    double total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += weights[items[i]];
    std::vector<std::int32_t> small, large;
    for (std::int64_t i = 0; i < n; ++i) {
      threshold[i] = total > 0 ? weights[items[i]] * static_cast<double>(n) / total : 1.0;
      (threshold[i] < 1 ? small : large).push_back(static_cast<std::int32_t>(i));
    }
    while (!small.empty() && !large.empty()) {
      const std::int32_t from = small.back(), to = large.back();
      small.pop_back();
      alias[from] = to;
      threshold[to] -= 1 - threshold[from];
      if (threshold[to] < 1) {
        large.pop_back();
        small.push_back(to);
      }
    }
    for (const std::int32_t i : small) threshold[i] = 1;  // what rounding left over
    for (const std::int32_t i : large) threshold[i] = 1;
    for (std::int64_t i = 0; i < n; ++i) {
      if (threshold[i] == 1) alias[i] = static_cast<std::int32_t>(i);
      threshold[i] *= 4294967296.0;
    }
  }

  std::vector<double> threshold_;
  std::vector<std::int32_t> alias_;
};

// Draws for one tile at a time; one for each thread.
class NegativeSampler {
 public:
  static constexpr std::uint64_t kTries = 15;
  static constexpr std::int64_t kDense = 8;  // words for each entry that are cleared all at once

  explicit NegativeSampler(const AliasTables& tables) : tables_(&tables) {}

  template <class Tile>
  void enter(const Tile& tile, std::int64_t first) {
    key_ = derived_key(tile.key, 1);
    first_ = first;
    n_items_ = tile.n_items;
    words_ = (tile.n_items + 63) / 64;
    const auto needed = static_cast<std::size_t>(tile.n_users * words_);
    if (bits_.size() < needed) bits_.resize(needed, 0);
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      word(tile.entries[e].user, tile.entries[e].item) |= bit(tile.entries[e].item);
    }
  }
  template <class Tile>
  void leave(const Tile& tile) {
    const std::int64_t n = tile.n_users * words_;
    if (n < kDense * tile.n_entries) {
      std::fill_n(bits_.begin(), n, 0);
      return;
    }
    for (std::int64_t e = 0; e < tile.n_entries; ++e) {
      word(tile.entries[e].user, tile.entries[e].item) = 0;
    }
  }

  // Number `draw` of the tile, for a user of the tile: a position in the stratum, or -1 where the
  // user has all its items.
  std::int64_t draw(std::int32_t user, std::uint64_t draw) const {
    for (std::uint64_t k = 0; k < kTries; ++k) {
      const std::int64_t i =
          tables_->draw(random_bits(key_, draw * (kTries + 1) + k), first_, n_items_);
      if ((word(user, i) & bit(i)) == 0) return i;
    }
    return among_negatives(user, random_bits(key_, draw * (kTries + 1) + kTries));
  }

 private:
  static std::uint64_t bit(std::int64_t item) { return std::uint64_t{1} << (item & 63); }
  std::uint64_t& word(std::int64_t user, std::int64_t item) {
    return bits_[static_cast<std::size_t>(user * words_ + item / 64)];
  }
  const std::uint64_t& word(std::int64_t user, std::int64_t item) const {
    return bits_[static_cast<std::size_t>(user * words_ + item / 64)];
  }

  std::int64_t among_negatives(std::int64_t user, std::uint64_t random) const {
    std::int64_t n = n_items_;
    for (std::int64_t w = 0; w < words_; ++w) n -= std::popcount(word(user, w * 64));
    if (n == 0) return -1;
    std::int64_t rank = uniform_below(random, n);
    for (std::int64_t i = 0;; ++i) {
      if ((word(user, i) & bit(i)) == 0 && rank-- == 0) return i;
    }
  }

  const AliasTables* tables_;
  std::uint64_t key_ = 0;
  std::int64_t first_ = 0, n_items_ = 0, words_ = 0;
  std::vector<std::uint64_t> bits_;
};

}  // namespace aimass
