// Selection of the k best under the one total order: score descending, then index ascending.
// A buffer that holds up to about 3 k candidates (`room` more than k); when it is full a selection
// keeps the k best and the threshold rises. Amortised O(1) per candidate for any k, and no heap;
// O(k) to sort.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace aimass {

template <class T>
struct Scored {
  T score;
  std::int32_t index;
};

// The order as an object, which the library's algorithms inline.
template <class T>
struct Better {
  bool operator()(const Scored<T>& a, const Scored<T>& b) const {
    return a.score > b.score || (a.score == b.score && a.index < b.index);
  }
};

template <class T>
bool better(const Scored<T>& a, const Scored<T>& b) {
  return Better<T>{}(a, b);
}

namespace topk_detail {

// Rises as the score falls; equal scores, 0 and -0 among them, have equal keys.
inline std::uint32_t falling_key(float score) {
  const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F);
  return bits >> 31 ? bits : ~bits & 0x7fffffffU;
}
inline std::uint64_t falling_key(double score) {
  const auto bits = std::bit_cast<std::uint64_t>(score + 0.0);
  return bits >> 63 ? bits : ~bits & 0x7fffffffffffffffU;
}

// Moves what is better than the pivot to the front, without branches; returns how many.
template <class T>
std::int64_t partition(Scored<T>* items, std::int64_t n, const Scored<T> pivot) {
  std::int64_t front = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const Scored<T> item = items[i];
    items[i] = items[front];
    items[front] = item;
    front += static_cast<std::int64_t>(item.score > pivot.score) |
             (static_cast<std::int64_t>(item.score == pivot.score) &
              static_cast<std::int64_t>(item.index < pivot.index));
  }
  return front;
}

}  // namespace topk_detail

// Keeps the min(k, n) best of n at the front, the k-th best last; returns how many. Quickselect
// with a pivot of about the wanted rank in a sample.
template <class T>
std::int64_t keep_best(Scored<T>* items, std::int64_t n, std::int64_t k) {
  if (n < k) return n;
  constexpr std::int64_t kSample = 32, kSmall = 24;
  std::int64_t begin = 0, end = n;
  while (end - begin > kSmall) {
    Scored<T> sample[kSample];
    const std::int64_t size = end - begin > 8 * kSample ? kSample : 5;
    for (std::int64_t i = 0; i < size; ++i) sample[i] = items[begin + (end - begin) * i / size];
    const std::int64_t rank = size * (k - 1 - begin) / (end - begin);
    std::nth_element(sample, sample + rank, sample + size, Better<T>{});
    const std::int64_t middle =
        begin + topk_detail::partition(items + begin, end - begin, sample[rank]);
    if (middle == begin) break;  // an odd sample: leave it to the library
    (middle >= k ? end : begin) = middle;
  }
  std::nth_element(items + begin, items + (k - 1), items + end, Better<T>{});
  return k;
}

// Best first. Long lists: least significant digit of the score first, then ties by index.
template <class T>
void sort_best(Scored<T>* items, std::int64_t n, std::vector<Scored<T>>& scratch) {
  namespace d = topk_detail;
  if (n < 192) {
    std::sort(items, items + n, Better<T>{});
    return;
  }
  constexpr int kDigits = sizeof(T);
  std::uint32_t place[kDigits][256] = {};
  for (std::int64_t i = 0; i < n; ++i) {
    auto key = d::falling_key(items[i].score);
    for (int digit = 0; digit < kDigits; ++digit, key >>= 8) ++place[digit][key & 255];
  }
  scratch.resize(static_cast<std::size_t>(n));
  Scored<T>*from = items, *to = scratch.data();
  for (int digit = 0; digit < kDigits; ++digit) {
    std::uint32_t* const next = place[digit];
    if (next[(d::falling_key(from->score) >> (8 * digit)) & 255] == n) continue;
    std::exclusive_scan(next, next + 256, next, 0U);
    for (std::int64_t i = 0; i < n; ++i)
      to[next[(d::falling_key(from[i].score) >> (8 * digit)) & 255]++] = from[i];
    std::swap(from, to);
  }
  if (from != items) std::copy_n(from, n, items);
  for (std::int64_t begin = 0, end = 1; begin < n; begin = end++) {
    while (end < n && items[end].score == items[begin].score) ++end;
    if (end - begin > 1) std::sort(items + begin, items + end, Better<T>{});
  }
}

template <class T>
class TopK {
 public:
  explicit TopK(std::int64_t k) : TopK(k, std::max<std::int64_t>(64, 2 * k)) {}
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
    sort_best(items_.data(), static_cast<std::int64_t>(items_.size()), scratch_);
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
  std::vector<Scored<T>> items_, scratch_;
};

}  // namespace aimass
