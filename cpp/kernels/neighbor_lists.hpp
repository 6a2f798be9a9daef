// k best candidates for many lists at once, filled from several threads. A list is guarded by one
// byte; what ends up in it does not depend on the order of arrival, since candidates of a list
// differ by index and the order is total. Memory: at most about 1.5 k candidates per list, grown as
// needed.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "parallel.hpp"
#include "topk.hpp"

namespace aimass {

// Neighbours of all columns: those of j are [indptr[j], indptr[j + 1]), best first.
template <class T>
struct GramTopK {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<T> scores;
};

template <class T>
class NeighborLists {
 public:
  // Nothing below `threshold` is ever kept.
  NeighborLists(std::int64_t n, std::int64_t k, T threshold)
      : k_(k),
        full_(k + std::max<std::int64_t>(64, k / 2)),
        lists_(static_cast<std::size_t>(n)),
        worst_(new std::atomic<T>[static_cast<std::size_t>(n)]),
        locked_(new std::atomic<std::uint8_t>[static_cast<std::size_t>(n)]) {
    for (std::int64_t i = 0; i < n; ++i) {
      worst_[i].store(threshold, std::memory_order_relaxed);
      locked_[i].store(0, std::memory_order_relaxed);
    }
  }

  std::int64_t k() const { return k_; }

  // A lower bound of the k-th best score; what is below it can never enter.
  T worst(std::int64_t list) const { return worst_[list].load(std::memory_order_relaxed); }

  void push(std::int64_t list, const Scored<T>* items, std::int64_t n) {
    auto& lock = locked_[list];
    while (lock.exchange(1, std::memory_order_acquire) != 0)
      while (lock.load(std::memory_order_relaxed) != 0) std::this_thread::yield();
    auto& kept = lists_[static_cast<std::size_t>(list)];
    for (std::int64_t i = 0; i < n; ++i) {
      if (items[i].score < worst_[list].load(std::memory_order_relaxed)) continue;
      kept.push_back(items[i]);
      if (static_cast<std::int64_t>(kept.size()) >= full_) shrink(list);
    }
    lock.store(0, std::memory_order_release);
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
      for (std::int64_t l = block * kLists; l < std::min(n, (block + 1) * kLists); ++l) {
        auto& items = lists_[static_cast<std::size_t>(l)];
        const std::int64_t size =
            keep_best(items.data(), static_cast<std::int64_t>(items.size()), k_);
        std::sort(items.begin(), items.begin() + size, better<T>);
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
  void shrink(std::int64_t list) {
    auto& kept = lists_[static_cast<std::size_t>(list)];
    kept.resize(static_cast<std::size_t>(
        keep_best(kept.data(), static_cast<std::int64_t>(kept.size()), k_)));
    worst_[list].store(kept[static_cast<std::size_t>(k_ - 1)].score, std::memory_order_relaxed);
  }

  std::int64_t k_, full_;
  std::vector<std::vector<Scored<T>>> lists_;
  std::unique_ptr<std::atomic<T>[]> worst_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> locked_;
};

}  // namespace aimass
