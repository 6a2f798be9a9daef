#include "score_topk.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "../simd/score_kernels.hpp"
#include "score_candidates.hpp"

namespace aimass {

namespace score_topk_detail {

constexpr std::int64_t kBlock = 64;  // queries that share a pass over the panels
constexpr std::int64_t kStep = 8;    // panels between two looks at who is still there
constexpr std::int64_t kPause = 64;  // at most so many panels without codes, where these cost time

template <class T>
class Block {
 public:
  Block(const PackedItems<T>& items, const Filter& filter, std::int64_t k)
      : items_(items),
        filter_(filter),
        k_(std::min(k, items.n_items)),
        bound_(items.depth),
        n_groups_(items.codes == nullptr ? 0
                                         : (items.depth + simd::kCodeGroup - 1) / simd::kCodeGroup),
        cuts_(n_groups_),
        limit_(Candidates<T>::limit(k_)),
        capacity_(Candidates<T>::capacity(k_)),
        prompt_limit_(cuts_.n == 0 ? limit_ : std::clamp<std::int64_t>(k_ / 16, 1, limit_)) {}

  // The k best of queries [begin, begin + n), n <= kBlock.
  void run(const T* queries, std::int64_t begin, std::int64_t n, std::int64_t k,
           std::int32_t* out_indices, T* out_scores, const Run& run) {
    run_ = &run;
    start(queries, begin, n);
    for (std::int64_t panel = 0; panel < items_.n_panels && n_places_ > 0;) {
      run.poll();
      // Short steps at first, when thresholds rise fast.
      const std::int64_t step = std::clamp<std::int64_t>(panel / 2, 1, kStep);
      const std::int64_t stop = std::min(items_.n_panels, panel + step);
      for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows)
        scan(place, panel, stop);
      panel = stop;
      if (cost(n_alive_) < cost(n_places_)) pack(queries);
    }
    for (std::int64_t place = 0; place < n_places_; ++place) settle(place);
    for (std::int64_t i = 0; i < n; ++i) {
      run.poll();
      rows_[static_cast<std::size_t>(i)].best.write(k, out_indices + (begin + i) * k,
                                                    out_scores + (begin + i) * k, run);
    }
  }

 private:
  struct Row {
    std::int64_t query = 0;
    double norm = 0;
    CodedQuery coded;
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
      codes_.resize(static_cast<std::size_t>(padded * n_groups_));
    }
    n_places_ = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      Row& row = rows_[static_cast<std::size_t>(i)];
      row.query = begin + i;
      row.norm = norm_of(queries + row.query * items_.depth, items_.depth);
      if (items_.n_panels > 0)
        require_range<T>(row.query, row.norm, items_.norms[0], std::max(0.0, items_.offsets[0]));
      row.best.start(k_, scores_.data() + i * capacity_, positions_.data() + i * capacity_);
      row.filter.set(filter_, items_.n_items, row.query);
      if (row.norm == 0) {
        rank_biases(row);
        continue;
      }
      if (items_.codes != nullptr)
        row.coded.set(queries + row.query * items_.depth, items_.depth, row.norm);
      who_[n_places_] = i;
      counts_[n_places_] = 0;
      thresholds_[n_places_++] = row.best.worst();
    }
    n_alive_ = n_places_;
    pause_until_ = 0;
    layout(queries);
  }

  // A query of zeros: the scores are the biases.
  void rank_biases(Row& row) {
    std::int64_t n = 0;
    const std::int64_t n_positions = items_.n_panels * simd::kPanelCols;
    T worst = row.best.worst();
    for (std::int64_t p = 0; p < n_positions; ++p) {
      row.best.scores()[n] = items_.biases[p];
      row.best.positions()[n] = static_cast<std::int32_t>(p);
      n += static_cast<std::int64_t>(items_.biases[p] >= worst);
      if (n < limit_) continue;
      run_->poll();
      row.best.settle(n, items_.order, row.filter);
      n = 0;
      worst = row.best.worst();
    }
    row.best.settle(n, items_.order, row.filter);
  }

  // Queries and codes of a group of places, depth x rows. The last group takes a smaller tile if it
  // can; what its tile has beyond the queries gets a threshold that nothing passes.
  void layout(const T* queries) {
    const std::int64_t depth = items_.depth;
    for (std::int64_t place = 0; place < n_places_; place += simd::kScoreRows) {
      const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place), size = tile_rows(n);
      T* packed = queries_.data() + place * depth;
      std::int32_t* codes = codes_.data() + place * n_groups_;
      for (std::int64_t j = 0; j < size; ++j) {
        const Row& row = row_at(place + std::min(j, n - 1));
        const T* from = queries + row.query * depth;
        for (std::int64_t l = 0; l < depth; ++l) packed[l * size + j] = from[l];
        for (std::int64_t l = 0; l < n_groups_; ++l)
          codes[l * size + j] = row.coded.codes[static_cast<std::size_t>(l)];
        per_step_[place + j] = row.coded.per_step;
        error_share_[place + j] = row.coded.error_share;
        length_share_[place + j] = row.coded.length_share;
        start_[place + j] = row.coded.start;
        std::copy_n(row.coded.tails, simd::kCodeCuts, tails_[place + j]);
        std::copy_n(row.coded.cut_starts, simd::kCodeCuts, cut_starts_[place + j]);
        out_scores_[place + j] = row.best.scores();
        out_positions_[place + j] = row.best.positions();
        if (j < n) continue;
        set_threshold(place + j, none());
        counts_[place + j] = 0;
      }
    }
    for (std::int64_t j = 0; j < n_places_; ++j) set_threshold(j, thresholds_[j]);
  }

  void set_threshold(std::int64_t place, T threshold) {
    thresholds_[place] = threshold;
    least_[place] = static_cast<double>(threshold) - bound_.absolute;
  }

  void scan(std::int64_t place, std::int64_t panel, std::int64_t stop) {
    const std::int64_t n = std::min(simd::kScoreRows, n_places_ - place);
    bool any = false, all_coded = items_.codes != nullptr && panel >= pause_until_;
    for (std::int64_t j = place; j < place + n; ++j) {
      if (is_done(j)) continue;
      const Row& row = row_at(j);
      const double most = bound_(row.norm * items_.norms[panel], items_.offsets[panel]);
      if (most < static_cast<double>(thresholds_[j])) {
        settle(j);
        set_threshold(j, none());
        --n_alive_;
      } else {
        any = true;
        all_coded &= row.coded.usable & (thresholds_[j] > std::numeric_limits<T>::lowest());
      }
    }
    if (!any) return;
    if (all_coded) return scan_codes(place, n, panel, stop);
    const auto& append = simd::score_kernels<T>().append.of_rows[tile_place(n)];
    for (; panel < stop; ++panel)
      if (append(tile(place, panel))) settle_full(place, n, limit_);
  }

  simd::ScoreTile<T> tile(std::int64_t place, std::int64_t panel) {
    return {items_.depth,
            queries_.data() + place * items_.depth,
            items_.panels + panel * items_.depth * simd::kPanelCols,
            items_.biases + panel * simd::kPanelCols,
            thresholds_ + place,
            static_cast<std::int32_t>(panel * simd::kPanelCols),
            out_scores_ + place,
            out_positions_ + place,
            counts_ + place};
  }

  void scan_codes(std::int64_t place, std::int64_t n, std::int64_t panel, std::int64_t stop) {
    const simd::CodeScan<T> codes{n_groups_,
                                  cuts_.n,
                                  cuts_.groups,
                                  panel,
                                  stop,
                                  items_.codes,
                                  items_.grids,
                                  items_.biases,
                                  codes_.data() + place * n_groups_,
                                  least_ + place,
                                  per_step_ + place,
                                  error_share_ + place,
                                  length_share_ + place,
                                  start_ + place,
                                  tails_ + place,
                                  cut_starts_ + place,
                                  bound_.relative + 1e-6,
                                  hits_};
    const std::int64_t n_hits = simd::code_scans<T>().of_rows[tile_place(n)](codes);
    const simd::ScoreTile<T> first = tile(place, 0);
    std::int64_t calls = 0;
    for (std::int64_t i = 0; i < n_hits; ++calls) {
      i += simd::score_kernels<T>().append_hits(first, tile_rows(n), hits_ + i, n_hits - i);
      settle_full(place, n, prompt_limit_);
    }
    // A call computes four vectors of items, in about the time that a tile takes for six.
    const std::int64_t vectors = n * (stop - panel) * simd::kPanelCols * sizeof(T) / 64;
    if (calls * 7 > vectors) pause_until_ = stop + std::min(stop / 2, kPause);
  }

  void settle_full(std::int64_t place, std::int64_t n, std::int64_t limit) {
    for (std::int64_t j = place; j < place + n; ++j)
      if (counts_[j] >= limit) settle(j, limit < limit_);
  }

  void settle(std::int64_t place, bool prompt = false) {
    run_->poll();
    Row& row = row_at(place);
    row.best.settle(counts_[place], items_.order, row.filter, prompt);
    counts_[place] = 0;
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
  const Run* run_ = nullptr;
  std::int64_t k_;
  ScoreBound<T> bound_;
  std::int64_t n_groups_;  // of codes
  CodeCuts cuts_;
  std::int64_t limit_, capacity_;  // of waiting entries of a row; of its arrays
  // Of waiting entries after a scan of codes. A vector of many factors costs more than a higher
  // threshold, which rules out more of them.
  std::int64_t prompt_limit_;
  std::vector<Row> rows_;
  std::vector<T> scores_, queries_;
  std::vector<std::int32_t> positions_, codes_;

  // By place: rows that are still there, in groups of kScoreRows.
  std::int64_t n_places_ = 0, n_alive_ = 0;
  std::int64_t who_[kBlock] = {};
  T thresholds_[kBlock] = {};
  double least_[kBlock] = {}, per_step_[kBlock] = {}, error_share_[kBlock] = {};
  double length_share_[kBlock] = {}, tails_[kBlock][simd::kCodeCuts] = {};
  std::int32_t start_[kBlock] = {}, cut_starts_[kBlock][simd::kCodeCuts] = {};
  T* out_scores_[kBlock] = {};
  std::int32_t* out_positions_[kBlock] = {};
  std::int32_t counts_[kBlock] = {};
  std::int64_t pause_until_ = 0;
  simd::CodeHit hits_[4 * simd::kScoreRows * kStep];
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
  const std::int64_t n_shares = where.n_threads() == 1 ? 1 : 4 * where.n_threads();
  std::int64_t size = std::clamp<std::int64_t>(n_queries / n_shares / 8 * 8, 8, d::kBlock);
  if (std::min(k, items.n_items) > 4096) size = 8;
  std::vector<std::vector<d::Block<T>>> blocks(static_cast<std::size_t>(where.n_threads()));
  parallel_for(where, (n_queries + size - 1) / size, [&](std::int64_t b, int thread) {
    auto& mine = blocks[static_cast<std::size_t>(thread)];
    if (mine.empty()) mine.emplace_back(items, filter, k);
    mine[0].run(queries, b * size, std::min(size, n_queries - b * size), k, out_indices, out_scores,
                where);
  });
}

template void score_topk(const float* queries, std::int64_t n_queries,
                         const PackedItems<float>& items, std::int64_t k, const Filter& filter,
                         std::int32_t* out_indices, float* out_scores, const Run& run);
template void score_topk(const double* queries, std::int64_t n_queries,
                         const PackedItems<double>& items, std::int64_t k, const Filter& filter,
                         std::int32_t* out_indices, double* out_scores, const Run& run);

}  // namespace aimass
