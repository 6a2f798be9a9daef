// The best items of one query so far. Problem: candidates come as (score, position) from the tiles,
// thousands for a query; branches on each of them would cost more than the scores. They wait in two
// small arrays until settle() looks up their items, drops those that the filter excludes, and gives
// the others to the selection (topk.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>

#include "../simd/score_kernels.hpp"
#include "parallel.hpp"
#include "score_filter.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
class Candidates {
 public:
  // Waiting entries that make settle() necessary, and the entries that each array needs.
  static std::int64_t limit(std::int64_t k) { return std::clamp<std::int64_t>(k / 2, 16, 256); }
  static std::int64_t capacity(std::int64_t k) {
    return limit(k) + simd::kMostAppended + simd::kScoreSlack;
  }

  void start(std::int64_t k, T* scores, std::int32_t* positions) {
    scores_ = scores;
    positions_ = positions;
    if (!best_)
      best_ = std::make_unique<TopK<T>>(k, std::max<std::int64_t>(16, k / 2), capacity(k));
    best_->clear(lowest());
  }
  T* scores() const { return scores_; }
  std::int32_t* positions() const { return positions_; }
  T worst() const { return best_->worst(); }  // what is below can no longer enter

  // Looks at all n waiting entries. prompt: the threshold rises even if few have entered.
  void settle(std::int64_t n, const std::int32_t* order, const RowFilter& filter,
              bool prompt = false) {
    for (std::int64_t i = 0; i < n; ++i) {
      const Scored<T> item{scores_[i], order[positions_[i]]};
      if (best_->enters(item) && filter.admits(item.index)) best_->append(item);
    }
    if (prompt || worst() == lowest())
      best_->tighten();  // the sooner there is a threshold, the better
    best_->shrink_if_full();
  }

  // The k best in order, padded with (-1, -inf). Millions take a while to sort, hence `run`.
  void write(std::int64_t k, std::int32_t* out_items, T* out_scores, const Run& run) {
    const Scored<T>* const best = best_->sorted(&run);
    const std::int64_t n = best_->size();
    for (std::int64_t i = 0; i < n; ++i) {
      out_scores[i] = best[i].score;
      out_items[i] = best[i].index;
    }
    std::fill(out_items + n, out_items + k, -1);
    std::fill(out_scores + n, out_scores + k, -std::numeric_limits<T>::infinity());
  }

 private:
  static T lowest() { return std::numeric_limits<T>::lowest(); }  // -inf is no candidate

  T* scores_ = nullptr;
  std::int32_t* positions_ = nullptr;
  std::unique_ptr<TopK<T>> best_;
};

}  // namespace aimass
