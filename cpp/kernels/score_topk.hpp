// Exact top-k of the products of queries and items: score = bias_i + q . v_i, the k best items of
// each query, no matrix of scores.
//
// Items come packed: sorted by norm, longest first, in panels of kPanelCols items (depth x cols).
// A block of queries goes through the panels in tiles of 8 queries; a tile's scores are compared
// with the queries' thresholds (the k-th best score so far) while they are in registers, and only
// the survivors are written. Two bounds save work and change no bit (LEMP: Teflioudi, Gemulla and
// Mykytiuk, SIGMOD 2015):
//   |q| |v| + bias bounds all that is still to come, so a query leaves as soon as no later panel
//   can reach its threshold; those that have left make room, the rest are packed together;
//   "heads", the products with the few directions in which trained factors are longest, bound the
//   scores of one panel at a tenth of its cost (FEXIPRO: Li et al., SIGMOD 2017). They are used
//   while they pay.
//
// Every score is the same sum in the same order wherever it is computed, so a result depends
// neither on the number of threads nor on the other queries.
// Time: O(n_queries * visited items * depth). Memory per thread: O(block * (k + depth)).
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "parallel.hpp"
#include "score_candidates.hpp"
#include "score_filter.hpp"
#include "score_items.hpp"

namespace aimass {

namespace score_topk_detail {

constexpr std::int64_t kBlock = 64;   // queries that share a pass over the panels
constexpr std::int64_t kStep = 8;     // panels between two looks at who is still there
constexpr std::int64_t kWindow = 32;  // tiles after which the use of heads is judged

template <class T>
class Block {
 public:
  Block(const PackedItems<T>& items, const Filter& filter, std::int64_t k)
      : items_(items),
        filter_(filter),
        k_(std::min(k, items.n_items)),
        bound_(items.depth),
        limit_(Candidates<T>::limit(k_)),
        capacity_(Candidates<T>::capacity(k_)) {}

  // The k best of queries [begin, begin + n), n <= kBlock.
  void run(const T* queries, std::int64_t begin, std::int64_t n, std::int64_t k,
           std::int32_t* out_indices, T* out_scores, const Run& run) {
    start(queries, begin, n);
    for (std::int64_t panel = 0; panel < items_.n_panels && n_places_ > 0;) {
      run.poll();
      const std::int64_t stop = std::min(items_.n_panels, panel + kStep);
      for (; panel < stop; ++panel)
        for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows)
          scan(place, panel);
      if (cost(n_alive_) < cost(n_places_)) pack(queries);
    }
    for (std::int64_t place = 0; place < n_places_; ++place) settle(place);
    for (std::int64_t i = 0; i < n; ++i)
      rows_[static_cast<std::size_t>(i)].best.write(k, out_indices + (begin + i) * k,
                                                    out_scores + (begin + i) * k, scratch_);
  }

 private:
  struct Row {
    std::int64_t query = 0;
    double norm = 0;
    bool has_head = false;
    std::vector<T> head;
    Candidates<T> best;
    RowFilter filter;
  };

  static T none() { return std::numeric_limits<T>::quiet_NaN(); }  // a threshold nothing passes
  bool is_done(std::int64_t place) const { return thresholds_[place] != thresholds_[place]; }
  Row& row_at(std::int64_t place) { return rows_[static_cast<std::size_t>(who_[place])]; }
  static std::int64_t cost(std::int64_t n) { return n / 8 * 8 + tile_rows(n % 8); }

  void start(const T* queries, std::int64_t begin, std::int64_t n) {
    const auto size = static_cast<std::size_t>(n);
    if (rows_.size() < size) {
      rows_.resize(size);
      scores_.resize(size * static_cast<std::size_t>(capacity_));
      positions_.resize(size * static_cast<std::size_t>(capacity_));
      const auto padded = static_cast<std::int64_t>((size + 7) / 8 * 8);
      queries_.resize(static_cast<std::size_t>(padded * items_.depth));
      heads_.resize(static_cast<std::size_t>(padded * items_.head_depth));
    }
    n_places_ = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      Row& row = rows_[static_cast<std::size_t>(i)];
      row.query = begin + i;
      row.norm = norm_of(queries + row.query * items_.depth, items_.depth);
      row.best.start(k_, scores_.data() + i * capacity_, positions_.data() + i * capacity_);
      row.filter.set(filter_, items_.n_items, row.query);
      if (row.norm == 0) {
        rank_biases(row);
        continue;
      }
      if (items_.head_depth > 0) {
        row.head.resize(static_cast<std::size_t>(items_.head_depth));
        row.has_head =
            make_head(items_, queries + row.query * items_.depth, row.norm, row.head.data());
      }
      who_[n_places_] = i;
      counts_[n_places_] = 0;
      thresholds_[n_places_++] = row.best.worst();
    }
    n_alive_ = n_places_;
    n_tiles_ = n_saved_ = 0;
    pause_ = 0;
    layout(queries);
  }

  // A query of zeros: the scores are the biases.
  void rank_biases(Row& row) {
    std::int64_t n = 0;
    const std::int64_t places = items_.n_panels * simd::kPanelCols<T>;
    T least = row.best.worst();
    for (std::int64_t p = 0; p < places; ++p) {
      row.best.scores()[n] = items_.biases[p];
      row.best.items()[n] = static_cast<std::int32_t>(p);
      n += static_cast<std::int64_t>(items_.biases[p] >= least);
      if (n < row.best.kept() + limit_) continue;
      row.best.settle(n, items_.order, row.filter, scratch_);
      n = row.best.kept();
      least = row.best.worst();
    }
    row.best.settle(n, items_.order, row.filter, scratch_);
  }

  // Queries and heads of a group of places, depth x rows. The last group takes a smaller tile if it
  // can; what its tile has beyond the queries gets a threshold that nothing passes.
  void layout(const T* queries) {
    const std::int64_t depth = items_.depth, head_depth = items_.head_depth;
    for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows) {
      const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place), size = tile_rows(n);
      T* packed = queries_.data() + place * depth;
      T* head = heads_.data() + place * head_depth;
      for (std::int64_t j = 0; j < size; ++j) {
        const Row& row = row_at(place + std::min(j, n - 1));
        const T* from = queries + row.query * depth;
        for (std::int64_t l = 0; l < depth; ++l) packed[l * size + j] = from[l];
        for (std::int64_t l = 0; l < head_depth; ++l)
          head[l * size + j] = row.head[static_cast<std::size_t>(l)];
        out_scores_[place + j] = row.best.scores();
        out_positions_[place + j] = row.best.items();
        if (j < n) continue;
        thresholds_[place + j] = head_thresholds_[place + j] = none();
        counts_[place + j] = 0;
      }
      for (std::int64_t j = place; j < place + n; ++j) set_threshold(j, thresholds_[j]);
    }
  }

  void set_threshold(std::int64_t place, T threshold) {
    thresholds_[place] = threshold;
    // Sums of heads may round down to zero by as much.
    constexpr T kTiny = 64 * std::numeric_limits<T>::min();
    head_thresholds_[place] = threshold != threshold   ? none()
                              : row_at(place).has_head ? threshold - kTiny
                                                       : std::numeric_limits<T>::lowest();
  }

  void scan(std::int64_t place, std::int64_t panel) {
    const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place);
    bool any = false;
    for (std::int64_t j = place; j < place + n; ++j) {
      if (is_done(j)) continue;
      const double most = bound_(row_at(j).norm * items_.norms[panel], items_.offsets[panel]);
      if (most < static_cast<double>(thresholds_[j])) {
        settle(j);
        set_threshold(j, none());
        --n_alive_;
      } else {
        any = true;
      }
    }
    if (!any) return;
    const std::int64_t depth = items_.depth, cols = simd::kPanelCols<T>;
    const auto& kernels = simd::score_kernels<T>();
    simd::ScoreTile<T> tile{depth,
                            queries_.data() + place * depth,
                            items_.panels + panel * depth * cols,
                            items_.biases + panel * cols,
                            thresholds_ + place,
                            static_cast<std::int32_t>(panel * cols),
                            out_scores_ + place,
                            out_positions_ + place,
                            counts_ + place};
    if (items_.head_depth > 0 && --pause_ < 0) {
      simd::ScoreTile<T> head = tile;
      head.depth = items_.head_depth;
      head.queries = heads_.data() + place * head.depth;
      head.panel = items_.heads + panel * head.depth * cols;
      head.thresholds = head_thresholds_ + place;
      const bool reached = kernels.reach.of_rows[tile_place(n)](head);
      judge_heads(reached);
      if (!reached) return;
    }
    if (!kernels.append.of_rows[tile_place(n)](tile)) return;
    for (std::int64_t j = place; j < place + n; ++j)
      if (counts_[j] >= row_at(j).best.kept() + limit_) settle(j);
  }

  // Heads that save less than they cost have a pause.
  void judge_heads(bool reached) {
    n_saved_ += static_cast<std::int64_t>(!reached);
    if (++n_tiles_ < kWindow) return;
    if (n_saved_ * items_.depth < n_tiles_ * (items_.head_depth + 4)) pause_ = 4 * kWindow;
    n_tiles_ = n_saved_ = 0;
  }

  void settle(std::int64_t place) {
    Row& row = row_at(place);
    row.best.settle(counts_[place], items_.order, row.filter, scratch_);
    counts_[place] = static_cast<std::int32_t>(row.best.kept());
    if (!is_done(place)) set_threshold(place, row.best.worst());
  }

  // Closes the gaps of those that have left.
  void pack(const T* queries) {
    std::int64_t n = 0;
    for (std::int64_t place = 0; place < n_places_; ++place) {
      if (is_done(place)) continue;
      who_[n] = who_[place];
      counts_[n] = counts_[place];
      thresholds_[n++] = thresholds_[place];
    }
    n_places_ = n;
    layout(queries);
  }

  const PackedItems<T>& items_;
  const Filter& filter_;
  std::int64_t k_;
  ScoreBound<T> bound_;
  std::int64_t limit_, capacity_;  // of new entries of a row; of its arrays
  std::vector<Row> rows_;
  std::vector<T> scores_, queries_, heads_, scratch_;
  std::vector<std::int32_t> positions_;

  // By place: rows that are still there, in groups of kScoreRows.
  std::int64_t n_places_ = 0, n_alive_ = 0;
  std::int64_t who_[kBlock] = {};
  T thresholds_[kBlock] = {}, head_thresholds_[kBlock] = {};
  T* out_scores_[kBlock] = {};
  std::int32_t* out_positions_[kBlock] = {};
  std::int32_t counts_[kBlock] = {};
  std::int64_t n_tiles_ = 0, n_saved_ = 0, pause_ = 0;
};

}  // namespace score_topk_detail

template <class T>
void score_topk(const T* queries, std::int64_t n_queries, const PackedItems<T>& items,
                std::int64_t k, const Filter& filter, std::int32_t* out_indices, T* out_scores,
                const Run& run) {
  namespace d = score_topk_detail;
  filter.check(n_queries, items.n_items, run);
  // Small questions in small blocks, so that all threads have some; a tiny one stays here. Long
  // lists too, which would leave the cache.
  const double work = static_cast<double>(n_queries) * static_cast<double>(items.n_items) *
                      static_cast<double>(items.depth + 1);
  const Run serial(1);
  const Run& where = work < 4e6 ? serial : run;
  std::int64_t size = std::clamp<std::int64_t>(n_queries / 64 * 8, 8, d::kBlock);
  if (std::min(k, items.n_items) > 4096) size = 8;
  std::vector<std::vector<d::Block<T>>> blocks(static_cast<std::size_t>(where.n_threads()));
  parallel_for(where, (n_queries + size - 1) / size, [&](std::int64_t b, int thread) {
    auto& mine = blocks[static_cast<std::size_t>(thread)];
    if (mine.empty()) mine.emplace_back(items, filter, k);
    mine[0].run(queries, b * size, std::min(size, n_queries - b * size), k, out_indices, out_scores,
                where);
  });
}

}  // namespace aimass
