// Exact top-k of the products of queries and items: score = bias_i + q . v_i, the k best items of
// each query, no matrix of scores.
//
// Items come packed: sorted by norm, longest first, in panels of kPanelCols items (depth x cols).
// A block of queries goes through the panels in tiles of 8 queries; a tile's scores are compared
// with the queries' thresholds (the k-th best score so far) while they are in registers, and only
// the survivors are written. By Cauchy-Schwarz |q| |v| + bias bounds what is still to come, so a
// query leaves as soon as no later panel can reach its threshold (as in Teflioudi, Gemulla and
// Mykytiuk, LEMP, SIGMOD 2015); the bound includes the rounding errors, so the result is exact.
// Queries that have left make room: the rest are packed together.
//
// Every score is the same sum in the same order wherever it is computed, so a result depends
// neither on the number of threads nor on the other queries.
// Time: O(n_queries * visited items * depth). Memory per thread: O(block * (k + depth)).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "errors.hpp"
#include "parallel.hpp"
#include "score_filter.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
struct PackedItems {
  std::int64_t n_items, depth, n_panels;
  const T* panels;            // n_panels x depth x kPanelCols
  const T* biases;            // n_panels x kPanelCols; -inf: no candidate
  const std::int32_t* order;  // n_panels x kPanelCols: the item at a position
  const double* norms;        // n_panels: no item of this or a later panel is longer
  const double* offsets;      // n_panels: no bias of this or a later panel is higher
};

// Euclidean norm without overflow or underflow.
template <class T>
double norm_of(const T* x, std::int64_t n) {
  double largest = 0, sum = 0;
  for (std::int64_t i = 0; i < n; ++i)
    largest = std::max(largest, std::abs(static_cast<double>(x[i])));
  if (largest == 0) return 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double scaled = static_cast<double>(x[i]) / largest;
    sum += scaled * scaled;
  }
  return largest * std::sqrt(sum);
}

namespace score_topk_detail {

constexpr std::int64_t kBlock = 64;  // queries that share a pass over the panels
constexpr std::int64_t kStep = 8;    // panels between two looks at who is still there

// What a rounded score of `depth` products may exceed its bound by.
template <class T>
struct Slack {
  explicit Slack(std::int64_t depth)
      : relative((2 * static_cast<double>(depth) + 8) * std::numeric_limits<T>::epsilon()),
        absolute((static_cast<double>(depth) + 1) * std::numeric_limits<T>::min()) {
    if (relative > 0.1) relative = std::numeric_limits<double>::infinity();  // no bound then
  }
  double bound(double length, double bias) const {
    return length * (1 + relative) + bias + std::abs(bias) * relative + absolute;
  }
  double relative, absolute;
};

template <class T>
class Block {
 public:
  Block(const PackedItems<T>& items, const Filter& filter, std::int64_t k)
      : items_(items),
        filter_(filter),
        k_(std::min(k, items.n_items)),
        slack_(items.depth),
        limit_(std::clamp<std::int64_t>(k_ / 2, 16, 256)),
        stride_(limit_ + simd::kPanelCols<T> + 16),
        queries_(static_cast<std::size_t>(kBlock * std::max<std::int64_t>(items.depth, 1))),
        scores_(static_cast<std::size_t>(kBlock * stride_)),
        positions_(static_cast<std::size_t>(kBlock * stride_)) {}

  // The k best of queries [begin, begin + n), n <= kBlock.
  void run(const T* queries, std::int64_t begin, std::int64_t n, std::int64_t k,
           std::int32_t* out_indices, T* out_scores, const Run& run) {
    start(queries, begin, n);
    for (std::int64_t panel = 0; panel < items_.n_panels && n_places_ > 0;) {
      run.poll();
      const std::int64_t stop = std::min(items_.n_panels, panel + kStep);
      for (; panel < stop; ++panel) {
        const double length = items_.norms[panel], bias = items_.offsets[panel];
        for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows)
          scan(place, panel, length, bias);
      }
      if ((n_alive_ + 3) / 4 < (n_places_ + 3) / 4) pack(queries);
    }
    for (std::int64_t place = 0; place < n_places_; ++place) drain(place);
    for (std::int64_t i = 0; i < n; ++i) {
      const auto& best = rows_[static_cast<std::size_t>(i)].best.sorted();
      std::int64_t j = 0;
      for (; j < static_cast<std::int64_t>(best.size()); ++j) {
        out_indices[(begin + i) * k + j] = best[static_cast<std::size_t>(j)].index;
        out_scores[(begin + i) * k + j] = best[static_cast<std::size_t>(j)].score;
      }
      for (; j < k; ++j) {
        out_indices[(begin + i) * k + j] = -1;
        out_scores[(begin + i) * k + j] = -std::numeric_limits<T>::infinity();
      }
    }
  }

 private:
  struct Row {
    explicit Row(std::int64_t k) : best(k, std::max<std::int64_t>(12, k / 2)) {}
    std::int64_t query = 0;
    double norm = 0;
    TopK<T> best;
    RowFilter filter;
  };

  void start(const T* queries, std::int64_t begin, std::int64_t n) {
    while (static_cast<std::int64_t>(rows_.size()) < n) rows_.emplace_back(k_);
    n_places_ = n_alive_ = n;
    for (std::int64_t i = 0; i < n; ++i) {
      Row& row = rows_[static_cast<std::size_t>(i)];
      row.query = begin + i;
      row.norm = norm_of(queries + row.query * items_.depth, items_.depth);
      row.best.clear();
      row.filter.set(filter_, items_.n_items, row.query);
      who_[i] = i;
      counts_[i] = 0;
      thresholds_[i] = std::numeric_limits<T>::lowest();  // -inf is no candidate
    }
    layout(queries);
  }

  Row& row_at(std::int64_t place) { return rows_[static_cast<std::size_t>(who_[place])]; }

  // Queries of a group of places, depth x rows. The last group takes a smaller tile if it can; what
  // its tile has beyond the queries gets thresholds that nothing passes.
  void layout(const T* queries) {
    const std::int64_t depth = items_.depth;
    for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows) {
      const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place), size = tile_rows(n);
      T* packed = queries_.data() + place * depth;
      for (std::int64_t j = 0; j < size; ++j) {
        const T* from = j < n ? queries + row_at(place + j).query * depth : nullptr;
        for (std::int64_t l = 0; l < depth; ++l) packed[l * size + j] = from ? from[l] : T(0);
        if (j >= n) {
          thresholds_[place + j] = std::numeric_limits<T>::quiet_NaN();
          counts_[place + j] = 0;
        }
      }
    }
  }

  static std::int64_t tile_rows(std::int64_t n) { return n > 4 ? 8 : n > 2 ? 4 : n; }

  void scan(std::int64_t place, std::int64_t panel, double length, double bias) {
    const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place);
    bool any = false;
    for (std::int64_t j = place; j < place + n; ++j) {
      if (thresholds_[j] != thresholds_[j]) continue;
      if (slack_.bound(row_at(j).norm * length, bias) < static_cast<double>(thresholds_[j])) {
        drain(j);
        thresholds_[j] = std::numeric_limits<T>::quiet_NaN();
        --n_alive_;
      } else {
        any = true;
      }
    }
    if (!any) return;
    const std::int64_t size = tile_rows(n), depth = items_.depth, cols = simd::kPanelCols<T>;
    const simd::ScoreTile<T> tile{depth,
                                  queries_.data() + place * depth,
                                  items_.panels + panel * depth * cols,
                                  items_.biases + panel * cols,
                                  thresholds_ + place,
                                  static_cast<std::int32_t>(panel * cols),
                                  stride_,
                                  scores_.data() + place * stride_,
                                  positions_.data() + place * stride_,
                                  counts_ + place};
    if (!simd::score_kernels<T>().tile[size == 8 ? 3 : size / 2](tile)) return;
    for (std::int64_t j = place; j < place + n; ++j)
      if (counts_[j] >= limit_) drain(j);
  }

  // From the buffer of a place to the candidates of its row; the threshold may rise.
  void drain(std::int64_t place) {
    Row& row = row_at(place);
    const T* scores = scores_.data() + place * stride_;
    const std::int32_t* positions = positions_.data() + place * stride_;
    for (std::int32_t i = 0; i < counts_[place]; ++i) {
      if (scores[i] < row.best.worst()) continue;
      const std::int32_t item = items_.order[positions[i]];
      if (row.filter.admits(item)) row.best.push({scores[i], item});
    }
    counts_[place] = 0;
    if (row.best.worst() < std::numeric_limits<T>::lowest()) row.best.tighten();
    if (thresholds_[place] == thresholds_[place])
      thresholds_[place] = std::max(row.best.worst(), std::numeric_limits<T>::lowest());
  }

  // Closes the gaps of those that have left.
  void pack(const T* queries) {
    std::int64_t n = 0;
    for (std::int64_t place = 0; place < n_places_; ++place) {
      if (thresholds_[place] != thresholds_[place]) continue;
      drain(place);
      who_[n] = who_[place];
      thresholds_[n++] = thresholds_[place];
    }
    std::fill(counts_, counts_ + n, 0);
    n_places_ = n;
    layout(queries);
  }

  const PackedItems<T>& items_;
  const Filter& filter_;
  std::int64_t k_;
  Slack<T> slack_;
  std::int64_t limit_, stride_;  // of a place's buffer
  std::int64_t n_places_ = 0, n_alive_ = 0;
  std::int64_t who_[kBlock] = {};
  T thresholds_[kBlock] = {};
  std::int32_t counts_[kBlock] = {};
  std::vector<T> queries_, scores_;
  std::vector<std::int32_t> positions_;
  std::vector<Row> rows_;
};

}  // namespace score_topk_detail

template <class T>
void score_topk(const T* queries, std::int64_t n_queries, const PackedItems<T>& items,
                std::int64_t k, const Filter& filter, std::int32_t* out_indices, T* out_scores,
                const Run& run) {
  namespace d = score_topk_detail;
  filter.check(n_queries, items.n_items, run);
  // Small questions in small blocks, so that all threads have some; a tiny one stays here.
  const double work = static_cast<double>(n_queries) * static_cast<double>(items.n_items) *
                      static_cast<double>(items.depth + 1);
  const Run serial(1);
  const Run& where = work < 4e6 ? serial : run;
  const std::int64_t size = std::clamp<std::int64_t>(n_queries / 64 * 8, 8, d::kBlock);
  std::vector<std::vector<d::Block<T>>> blocks(static_cast<std::size_t>(where.n_threads()));
  parallel_for(where, (n_queries + size - 1) / size, [&](std::int64_t b, int thread) {
    auto& mine = blocks[static_cast<std::size_t>(thread)];
    if (mine.empty()) mine.emplace_back(items, filter, k);
    mine[0].run(queries, b * size, std::min(size, n_queries - b * size), k, out_indices, out_scores,
                where);
  });
}

}  // namespace aimass
