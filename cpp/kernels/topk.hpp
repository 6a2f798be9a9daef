// Selection of the k best under the one total order: score descending, then index ascending. All
// kernels that select do it with what is here:
//   keep_best  the k best of an array, by quickselect: Hoare, Algorithm 65, 1961, with pivots from
//              samples as in Floyd and Rivest, Expected time bounds for selection, 1975;
//   sort_best  those in order, by counting comparisons when they are few, else by radix sort;
//   TopK       the k best of a stream: a buffer of more than k candidates. When it is full, the k
//              best are kept and the threshold rises. Amortised O(1) for each candidate at any k.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "buffer.hpp"
#include "counting_sort.hpp"
#include "parallel.hpp"

namespace aimass {

using simd::Scored;

// The order as an object, which the library's algorithms inline.
template <class T>
struct Better {
  bool operator()(const Scored<T>& a, const Scored<T>& b) const {
    return (a.score > b.score) | ((a.score == b.score) & (a.index < b.index));
  }
};

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

// An entry of about the given rank among n.
template <class T>
Scored<T> choose_pivot(const Scored<T>* items, std::int64_t n, std::int64_t rank) {
  constexpr std::int64_t kSample = 32;
  Scored<T> sample[kSample];
  const std::int64_t size = n > 8 * kSample ? kSample : 5;
  for (std::int64_t i = 0; i < size; ++i) sample[i] = items[n * i / size];
  Scored<T>* const wanted = sample + size * rank / n;
  std::nth_element(sample, wanted, sample + size, Better<T>{});
  return *wanted;
}

}  // namespace topk_detail

// Keeps the min(k, n) best of n at the front, of k the worst one last; returns how many. Indices
// must differ. scratch grows to n entries.
template <class T>
std::int64_t keep_best(Scored<T>* items, std::int64_t n, std::int64_t k,
                       std::vector<Scored<T>>& scratch) {
  if (n < k) return n;
  constexpr std::int64_t kSmall = 24;
  if (n > kSmall && static_cast<std::int64_t>(scratch.size()) < n)
    scratch.resize(static_cast<std::size_t>(n));
  // The first `kept` entries are among the k best; the k-th is one of `size` entries at `from`,
  // which is items + kept or the scratch.
  std::int64_t kept = 0, size = n;
  Scored<T>* from = items;
  while (size > kSmall) {
    const Scored<T> pivot = topk_detail::choose_pivot(from, size, k - 1 - kept);
    const std::int64_t n_better =
        simd::score_kernels<T>().split(from, size, pivot, items + kept, scratch.data());
    if (kept + n_better >= k) {
      from = items + kept;
      size = n_better;
    } else {
      from = scratch.data();
      kept += n_better;
      size -= n_better;
      if (n_better == 0) break;  // the sample told nothing: leave it to the library
    }
  }
  if (from != items + kept) std::copy_n(from, size, items + kept);
  std::nth_element(items + kept, items + (k - 1), items + kept + size, Better<T>{});
  return k;
}

// Best first. Indices must differ. run: polled where lists are long; may be null.
template <class T>
void sort_best(Scored<T>* items, std::int64_t n, std::vector<Scored<T>>& scratch,
               const Run* run = nullptr) {
  if (n <= simd::kMostFew) return simd::score_kernels<T>().sort_few(items, n);
  if (static_cast<std::int64_t>(scratch.size()) < n) scratch.resize(static_cast<std::size_t>(n));
  radix_sort(
      items, n, scratch.data(), 0, 8 * static_cast<int>(sizeof(T)),
      [](const Scored<T>& item) { return topk_detail::falling_key(item.score); }, run);
  for (std::int64_t begin = 0, end = 1; begin < n; begin = end++) {
    while (end < n && items[end].score == items[begin].score) ++end;
    if (end - begin == 1) continue;
    if (end - begin <= simd::kMostFew) {
      simd::score_kernels<T>().sort_few(items + begin, end - begin);
    } else {
      radix_sort(
          items + begin, end - begin, scratch.data(), 0, 31,
          [](const Scored<T>& item) { return static_cast<std::uint32_t>(item.index); }, run);
    }
  }
}

template <class T>
class TopK {
 public:
  // Keeps between k and k + n_more candidates; append() may add `extra` more before shrinking.
  TopK(std::int64_t k, std::int64_t n_more, std::int64_t extra = 0)
      : k_(k), full_(k + n_more), items_(full_ + extra) {}
  explicit TopK(std::int64_t k) : TopK(k, std::max<std::int64_t>(64, 2 * k)) {}

  // Nothing below `threshold` is kept from now on; NaN never is.
  void clear(T threshold = -std::numeric_limits<T>::infinity()) {
    n_ = 0;
    worst_ = {threshold, std::numeric_limits<std::int32_t>::max()};
  }

  std::int64_t k() const { return k_; }
  std::int64_t size() const { return n_; }
  // What is below can no longer enter.
  T worst() const { return worst_.score; }
  bool enters(const Scored<T>& item) const { return Better<T>{}(item, worst_); }

  void push(const Scored<T>& item) {
    if (!enters(item)) return;
    append(item);
    shrink_if_full();
  }

  // Keeps a candidate that enters; shrink_if_full() must follow in time.
  void append(const Scored<T>& item) { items_[n_++] = item; }
  void shrink_if_full() {
    if (n_ >= full_) tighten();
  }

  // Raises the threshold to the k-th best so far, if there are as many.
  void tighten() {
    if (n_ < k_ || n_ == 0) return;
    n_ = keep_best(items_.data(), n_, k_, scratch_);
    worst_ = items_[k_ - 1];
  }

  // At least the k best of size(), in no order.
  const Scored<T>* items() const { return items_.data(); }

  // Best first; of size(), which is at most k from then on. run: polled where lists are long.
  const Scored<T>* sorted(const Run* run = nullptr) {
    tighten();
    sort_best(items_.data(), n_, scratch_, run);
    return items_.data();
  }

 private:
  std::int64_t k_, full_, n_ = 0;
  Scored<T> worst_{-std::numeric_limits<T>::infinity(), std::numeric_limits<std::int32_t>::max()};
  Buffer<Scored<T>> items_;
  std::vector<Scored<T>> scratch_;
};

}  // namespace aimass
