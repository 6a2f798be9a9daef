// k best candidates for many lists at once, filled from several threads. A list is guarded by one
// byte; its final content does not depend on the order of arrival, since candidates of a list
// differ by index and the order is total. Memory: at most about 1.5 k candidates per list, grown as
// needed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "counting_sort.hpp"
#include "gram_topk.hpp"
#include "parallel.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
class NeighborLists {
 public:
  struct Offer {
    std::int32_t list;
    Scored<T> item;
  };

  // Nothing below `threshold` is ever kept.
  NeighborLists(std::int64_t n, std::int64_t k, T threshold)
      : k_(k),
        full_(k + std::max<std::int64_t>(64, k / 2)),
        lists_(static_cast<std::size_t>(n)),
        worst_(new std::atomic<T>[static_cast<std::size_t>(n)]),
        locked_(new std::atomic<std::uint8_t>[static_cast<std::size_t>(n_blocks())]) {
    for (std::int64_t i = 0; i < n; ++i) worst_[i].store(threshold, std::memory_order_relaxed);
    for (std::int64_t b = 0; b < n_blocks(); ++b) locked_[b].store(0, std::memory_order_relaxed);
  }

  std::int64_t k() const { return k_; }
  std::int64_t n_blocks() const { return (static_cast<std::int64_t>(lists_.size()) >> kShift) + 1; }
  static std::int64_t block_of(std::int64_t list) { return list >> kShift; }

  // A lower bound of the k-th best score; what is below it can never enter.
  T worst(std::int64_t list) const { return worst_[list].load(std::memory_order_relaxed); }

  // scratch: one for each thread.
  void push(std::int64_t list, const Scored<T>* items, std::int64_t n,
            std::vector<Scored<T>>& scratch) {
    const Guard guard(locked_[block_of(list)]);
    for (std::int64_t i = 0; i < n; ++i) add(list, items[i], scratch);
  }

  // All offers are to lists of one block.
  void push(const Offer* offers, std::int64_t n, std::vector<Scored<T>>& scratch) {
    if (n == 0) return;
    const Guard guard(locked_[block_of(offers->list)]);
    for (std::int64_t i = 0; i < n; ++i) add(offers[i].list, offers[i].item, scratch);
  }

  // Sorts all lists and joins them; list l becomes row order[l].
  GramTopK<T> join(const std::int32_t* order, const Run& run) {
    const auto n = static_cast<std::int64_t>(lists_.size());
    GramTopK<T> out;
    out.indptr.assign(lists_.size() + 1, 0);
    for (std::int64_t l = 0; l < n; ++l)
      out.indptr[static_cast<std::size_t>(order[l]) + 1] =
          std::min(k_, static_cast<std::int64_t>(lists_[static_cast<std::size_t>(l)].size()));
    for (std::size_t i = 0; i < lists_.size(); ++i) out.indptr[i + 1] += out.indptr[i];
    out.indices.resize(static_cast<std::size_t>(out.indptr.back()));
    out.scores.resize(out.indices.size());
    constexpr std::int64_t kLists = 64;
    parallel_for(run, (n + kLists - 1) / kLists, [&](std::int64_t block, int) {
      std::vector<Scored<T>> scratch;
      for (std::int64_t l = block * kLists; l < std::min(n, (block + 1) * kLists); ++l) {
        auto& items = lists_[static_cast<std::size_t>(l)];
        const std::int64_t size =
            keep_best(items.data(), static_cast<std::int64_t>(items.size()), k_, scratch);
        sort_best(items.data(), size, scratch, &run);
        auto to = static_cast<std::size_t>(out.indptr[static_cast<std::size_t>(order[l])]);
        for (std::int64_t i = 0; i < size; ++i, ++to) {
          out.indices[to] = items[static_cast<std::size_t>(i)].index;
          out.scores[to] = items[static_cast<std::size_t>(i)].score;
        }
        items = {};
      }
    });
    return out;
  }

 private:
  static constexpr int kShift = 8;  // lists per block, as a power of two

  struct Guard {
    explicit Guard(std::atomic<std::uint8_t>& lock) : lock_(lock) {
      while (lock_.exchange(1, std::memory_order_acquire) != 0)
        while (lock_.load(std::memory_order_relaxed) != 0) std::this_thread::yield();
    }
    ~Guard() { lock_.store(0, std::memory_order_release); }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    std::atomic<std::uint8_t>& lock_;
  };

  void add(std::int64_t list, const Scored<T>& item, std::vector<Scored<T>>& scratch) {
    if (item.score < worst(list)) return;
    auto& kept = lists_[static_cast<std::size_t>(list)];
    if (kept.size() == kept.capacity()) {  // grow in few steps, to no more than is ever needed
      const auto most = static_cast<std::size_t>(full_);
      kept.reserve(kept.empty()             ? std::min<std::size_t>(16, most)
                   : kept.size() * 4 > most ? most
                                            : kept.size() * 4);
    }
    kept.push_back(item);
    if (static_cast<std::int64_t>(kept.size()) < full_) return;
    kept.resize(static_cast<std::size_t>(keep_best(kept.data(), full_, k_, scratch)));
    worst_[list].store(kept[static_cast<std::size_t>(k_ - 1)].score, std::memory_order_relaxed);
  }

  std::int64_t k_, full_;
  std::vector<std::vector<Scored<T>>> lists_;
  std::unique_ptr<std::atomic<T>[]> worst_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> locked_;  // by block
};

// One thread's offers on their way.
template <class T>
class Outbox {
 public:
  explicit Outbox(NeighborLists<T>& lists)
      : lists_(lists),
        capacity_(static_cast<std::size_t>(
            std::clamp<std::int64_t>(lists.n_blocks() << 9, 1 << 12, 1 << 18))) {}

  void add(std::int64_t list, const Scored<T>& item) {
    offers_.push_back({static_cast<std::int32_t>(list), item});
    if (offers_.size() == capacity_) deliver();
  }

  void deliver() {
    next_.assign(static_cast<std::size_t>(lists_.n_blocks()), 0);
    for (const Offer& offer : offers_) ++next_[block_of(offer)];
    start_positions(next_.data(), lists_.n_blocks());
    sorted_.resize(offers_.size());
    for (const Offer& offer : offers_)
      sorted_[static_cast<std::size_t>(next_[block_of(offer)]++)] = offer;
    std::int64_t begin = 0;
    for (const std::int64_t end : next_) {  // where the blocks end by now
      lists_.push(sorted_.data() + begin, end - begin, scratch_);
      begin = end;
    }
    offers_.clear();
  }

 private:
  using Offer = typename NeighborLists<T>::Offer;
  static std::size_t block_of(const Offer& offer) {
    return static_cast<std::size_t>(NeighborLists<T>::block_of(offer.list));
  }

  NeighborLists<T>& lists_;
  std::size_t capacity_;
  std::vector<Offer> offers_, sorted_;
  std::vector<std::int64_t> next_;
  std::vector<Scored<T>> scratch_;
};

}  // namespace aimass
