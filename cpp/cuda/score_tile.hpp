// The k best items of a few queries, by one block of threads: the body of the kernel score_topk on
// a GPU. Scores are never written to memory: a thread computes those of one item for the queries of
// the tile, and keeps what is better than the worst of the best items so far.
//
// Items come as a matrix of factors x items, so that neighbouring threads read neighbouring
// numbers; each number is read once for kQueries queries. Entries that pass the threshold of their
// query go to a list, where the filters are looked up (a binary search for each entry that passes,
// which few do). Where a list is full, its k best entries stay (select_best.hpp), and the worst of
// them is the new threshold. Which entries pass depends on when that happens; which are the k best
// does not: the result has the same bits for any number of threads.
//
// Time: n m f multiply-adds. Memory of a block: kQueries lists of k + 4 x threads entries.
#pragma once

#include <cmath>

#include "select_best.hpp"

namespace aimass::cuda {

constexpr int kQueries = 8;  // of a tile

// Rows of a CSR pattern with sorted columns; `first` is the offset of the first entry.
struct Pattern {
  std::int64_t first = 0;
  const std::int64_t* begin = nullptr;  // nullptr: there is none
  const std::int32_t* column = nullptr;

  AIMASS_DEVICE bool has(std::int64_t row, std::int32_t wanted) const {
    std::int64_t from = begin[row] - first, to = begin[row + 1] - first;
    while (from < to) {
      const std::int64_t middle = from + (to - from) / 2;
      if (column[middle] < wanted) {
        from = middle + 1;
      } else {
        to = middle;
      }
    }
    return from < begin[row + 1] - first && column[from] == wanted;
  }
};

// Queries, items and filters in the memory of the device.
template <class T>
struct ScoreProblem {
  std::int64_t n_queries = 0, n_items = 0, f = 0, k = 0;
  std::int64_t capacity = 0;   // of a list, at least k and the number of threads
  const T* queries = nullptr;  // n_queries x f
  const T* items = nullptr;    // f x n_items
  const T* biases = nullptr;   // nullptr: none
  Pattern exclude, allow;
  std::int32_t* indices = nullptr;  // n_queries x k
  T* scores = nullptr;              // n_queries x k
};

template <class T>
struct ScoreScratch {
  T* queries;             // f x kQueries
  std::int32_t* indices;  // kQueries lists
  T* values;              // kQueries lists
  std::int32_t* best;     // k
  T* best_values;         // k
};

template <class T>
struct ScoreShared {
  Selection selection;
  unsigned n_entries[kQueries];  // of the lists
  T worst[kQueries];             // of the k best, once there are k: others must be better
  std::int32_t worst_index[kQueries];
};

namespace score_tile {

// Scores of one item for the queries of a tile; NaN and -inf are no candidates.
template <class T>
AIMASS_DEVICE void score_item(const ScoreProblem<T>& a, std::int64_t item, const T* queries,
                              T (&scores)[kQueries]) {
  for (T& score : scores) score = 0;
  for (std::int64_t i = 0; i < a.f; ++i) {
    const T y = a.items[i * a.n_items + item];
    for (int q = 0; q < kQueries; ++q) scores[q] += queries[i * kQueries + q] * y;
  }
  if (a.biases != nullptr)
    for (T& score : scores) score += a.biases[item];
}

// Whether a pair may be in a list, by its query's filters.
template <class T>
AIMASS_DEVICE bool passes(const ScoreProblem<T>& a, std::int64_t query, std::int32_t item) {
  if (a.exclude.begin != nullptr && a.exclude.has(query, item)) return false;
  return a.allow.begin == nullptr || a.allow.has(query, item);
}

// Keeps the k best entries of list q.
template <class T, class Block>
AIMASS_DEVICE void shrink(Block& block, const ScoreProblem<T>& a, int q,
                          const ScoreScratch<T>& scratch, ScoreShared<T>& shared) {
  std::int32_t* indices = scratch.indices + q * a.capacity;
  T* values = scratch.values + q * a.capacity;
  const std::int64_t n = select_best(
      block, values, [indices](std::int64_t j) { return indices[j]; }, shared.n_entries[q], a.k,
      shared.selection, scratch.best, scratch.best_values);
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < n; i += block.size()) {
      indices[i] = scratch.best[i];
      values[i] = scratch.best_values[i];
    }
  });
  block.each([&](int thread) {
    if (thread != 0) return;
    shared.n_entries[q] = static_cast<unsigned>(n);
    if (n < a.k) return;
    std::int64_t worst = 0;
    for (std::int64_t i = 1; i < n; ++i)
      if (values[i] < values[worst] || (values[i] == values[worst] && indices[i] > indices[worst]))
        worst = i;
    shared.worst[q] = values[worst];
    shared.worst_index[q] = indices[worst];
  });
}

}  // namespace score_tile

// The lists of queries [first, first + kQueries), as far as there are so many.
template <class T, class Block>
AIMASS_DEVICE void score_queries(Block& block, const ScoreProblem<T>& a, std::int64_t first,
                                 const ScoreScratch<T>& scratch, ScoreShared<T>& shared) {
  const std::int64_t left = a.n_queries - first;
  const int n = left < kQueries ? static_cast<int>(left) : kQueries;
  const T none = -static_cast<T>(INFINITY);
  block.each([&](int thread) {
    for (std::int64_t e = thread; e < a.f * kQueries; e += block.size()) {
      const std::int64_t i = e / kQueries, q = e % kQueries;
      scratch.queries[e] = q < n ? a.queries[(first + q) * a.f + i] : T{0};
    }
    for (int q = thread; q < kQueries; q += block.size()) {
      shared.n_entries[q] = 0;
      shared.worst[q] = none;
      shared.worst_index[q] = 0;  // no item is better than the first one at -inf
    }
  });
  for (std::int64_t begin = 0; begin < a.n_items; begin += block.size()) {
    block.each([&](int thread) {
      const std::int64_t item = begin + thread;
      if (item >= a.n_items) return;
      const auto index = static_cast<std::int32_t>(item);
      T scores[kQueries];
      score_tile::score_item(a, item, scratch.queries, scores);
      for (int q = 0; q < n; ++q) {
        const T score = scores[q] == 0 ? T{0} : scores[q];  // no -0
        if (!(score > shared.worst[q] ||
              (score == shared.worst[q] && index < shared.worst_index[q])) ||
            !score_tile::passes(a, first + q, index))
          continue;
        const unsigned place = block.count(shared.n_entries[q]);
        scratch.indices[q * a.capacity + place] = index;
        scratch.values[q * a.capacity + place] = score;
      }
    });
    for (int q = 0; q < n; ++q)
      if (shared.n_entries[q] + block.size() > a.capacity)
        score_tile::shrink(block, a, q, scratch, shared);
    block.each([](int) {});  // all have read the counts
  }
  for (int q = 0; q < n; ++q) {
    if (shared.n_entries[q] > a.k) score_tile::shrink(block, a, q, scratch, shared);
    const std::int64_t length = shared.n_entries[q];
    std::int32_t* indices = a.indices + (first + q) * a.k;
    T* scores = a.scores + (first + q) * a.k;
    put_in_order(block, scratch.indices + q * a.capacity, scratch.values + q * a.capacity, length,
                 indices, scores);
    block.each([&](int thread) {
      for (std::int64_t i = length + thread; i < a.k; i += block.size()) {
        indices[i] = -1;
        scores[i] = none;
      }
    });
  }
}

}  // namespace aimass::cuda
