// The best items of one query so far, under the one total order. Problem: candidates come as
// (score, position) from the tiles, thousands a query; branches on each of them would cost more
// than the scores. They lie in two arrays: first what has been looked at, as items, then what has
// not, as positions. settle() turns the latter into the former; when there are many more than k,
// vectorised quickselect keeps the best and the threshold rises.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "parallel.hpp"
#include "score_filter.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
class Candidates {
 public:
  // Room behind the last entry that lets settle() wait.
  static constexpr std::int64_t kTile = simd::kMostAppended + simd::kScoreSlack;

  // Entries that two arrays of a row need, and those that lie there when it has to settle.
  static std::int64_t capacity(std::int64_t k) { return limit(k) + room(k) + k + kTile; }
  static std::int64_t limit(std::int64_t k) { return std::clamp<std::int64_t>(k / 2, 16, 256); }

  void start(std::int64_t k, T* scores, std::int32_t* items) {
    k_ = k;
    scores_ = scores;
    items_ = items;
    kept_ = 0;
    worst_ = std::numeric_limits<T>::lowest();  // -inf is no candidate
    worst_item_ = std::numeric_limits<std::int32_t>::max();
  }
  T* scores() const { return scores_; }
  std::int32_t* items() const { return items_; }
  std::int64_t kept() const { return kept_; }
  T worst() const { return worst_; }  // what is below can no longer enter

  // Looks at entries [kept, n): their number afterwards is kept().
  void settle(std::int64_t n, const std::int32_t* order, const RowFilter& filter,
              std::vector<T>& scratch) {
    std::int64_t m = kept_;
    for (std::int64_t i = kept_; i < n; ++i) {
      const T score = scores_[i];
      const std::int32_t item = order[items_[i]];
      scores_[m] = score;
      items_[m] = item;
      const bool enters = (score > worst_) | ((score == worst_) & (item < worst_item_));
      m += static_cast<std::int64_t>(enters && filter.admits(item));
    }
    kept_ = m;
    const bool first = worst_ == std::numeric_limits<T>::lowest();
    if (kept_ >= k_ + room(k_) || (first && kept_ > 0 && kept_ >= k_)) shrink(scratch);
  }

  // The k best in order, padded with (-1, -inf). Millions take a second to sort, hence `run`.
  void write(std::int64_t k, std::int32_t* out_items, T* out_scores, std::vector<T>& scratch,
             const Run& run) {
    if (kept_ > k_) shrink(scratch);
    constexpr std::int64_t kFew = 200;
    if (kept_ > k_) exact();
    if (kept_ <= kFew) {
      simd::score_kernels<T>().sort_few(scores_, items_, kept_, out_scores, out_items);
    } else {
      exact();
      std::uint32_t n_asked = 0;
      std::sort(pairs_.begin(), pairs_.end(), [&](const Scored<T>& a, const Scored<T>& b) {
        if ((++n_asked & 8191) == 0) run.poll();
        return better<T>(a, b);
      });
      for (std::int64_t i = 0; i < kept_; ++i) {
        out_scores[i] = pairs_[static_cast<std::size_t>(i)].score;
        out_items[i] = pairs_[static_cast<std::size_t>(i)].index;
      }
    }
    for (std::int64_t i = kept_; i < k; ++i) {
      out_items[i] = -1;
      out_scores[i] = -std::numeric_limits<T>::infinity();
    }
  }

 private:
  static std::int64_t room(std::int64_t k) { return std::max<std::int64_t>(16, k / 2); }

  void shrink(std::vector<T>& scratch) {
    scratch.resize(static_cast<std::size_t>(2 * (kept_ + simd::kScoreSlack)));
    T kth;
    const std::int64_t n =
        simd::score_kernels<T>().keep_best(scores_, items_, kept_, k_, scratch.data(), &kth);
    if (n >= 0) kept_ = n;
    if (n < 0 || n > k_ + room(k_) / 2) return exact();  // the numbers resisted; many are tied
    if (kth > worst_) worst_item_ = std::numeric_limits<std::int32_t>::max();
    worst_ = kth;
  }

  // Exactly the k best, by index among ties.
  void exact() {
    pairs_.clear();
    for (std::int64_t i = 0; i < kept_; ++i) pairs_.push_back({scores_[i], items_[i]});
    kept_ = keep_best(pairs_.data(), kept_, k_);
    pairs_.resize(static_cast<std::size_t>(kept_));
    for (std::int64_t i = 0; i < kept_; ++i) {
      scores_[i] = pairs_[static_cast<std::size_t>(i)].score;
      items_[i] = pairs_[static_cast<std::size_t>(i)].index;
    }
    if (kept_ < k_) return;
    worst_ = pairs_.back().score;
    worst_item_ = pairs_.back().index;
  }

  std::int64_t k_ = 0, kept_ = 0;
  T* scores_ = nullptr;
  std::int32_t* items_ = nullptr;
  T worst_{};
  std::int32_t worst_item_ = 0;
  std::vector<Scored<T>> pairs_;
};

}  // namespace aimass
