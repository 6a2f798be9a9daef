// Selection of the k best under the one total order: score descending, then index ascending.
// A buffer that holds up to about 1.5 k candidates (`room` more than k); when it is full
// nth_element keeps the k best and the threshold rises. Amortised O(1) per candidate for any k, and
// no heap.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace aimass {

template <class T>
struct Scored {
  T score;
  std::int32_t index;
};

template <class T>
bool better(const Scored<T>& a, const Scored<T>& b) {
  return a.score > b.score || (a.score == b.score && a.index < b.index);
}

// Keeps the min(k, n) best of n at the front, the k-th best last; returns how many.
template <class T>
std::int64_t keep_best(Scored<T>* items, std::int64_t n, std::int64_t k) {
  if (n < k) return n;
  std::nth_element(items, items + (k - 1), items + n, better<T>);
  return k;
}

template <class T>
class TopK {
 public:
  explicit TopK(std::int64_t k) : TopK(k, std::max<std::int64_t>(64, k / 2)) {}
  TopK(std::int64_t k, std::int64_t room) : k_(k), full_(k + room) {}

  // Nothing below `threshold` is kept from now on; NaN never is.
  void clear(T threshold = -std::numeric_limits<T>::infinity()) {
    items_.clear();
    worst_ = {threshold, std::numeric_limits<std::int32_t>::max()};
  }

  // What is below can no longer enter.
  T worst() const { return worst_.score; }

  void push(const Scored<T>& item) {
    if (!better(item, worst_)) return;
    items_.push_back(item);
    if (static_cast<std::int64_t>(items_.size()) == full_) shrink();
  }

  // Raises the threshold to the k-th best so far, if there are as many.
  void tighten() { shrink(); }

  // At least the k best, in no order.
  const std::vector<Scored<T>>& items() const { return items_; }

  // Best first.
  const std::vector<Scored<T>>& sorted() {
    shrink();
    std::sort(items_.begin(), items_.end(), better<T>);
    return items_;
  }

 private:
  void shrink() {
    const auto n = static_cast<std::int64_t>(items_.size());
    if (n < k_ || n == 0) return;
    items_.resize(static_cast<std::size_t>(keep_best(items_.data(), n, k_)));
    worst_ = items_[static_cast<std::size_t>(k_ - 1)];
  }

  std::int64_t k_, full_;
  Scored<T> worst_{-std::numeric_limits<T>::infinity(), std::numeric_limits<std::int32_t>::max()};
  std::vector<Scored<T>> items_;
};

}  // namespace aimass
