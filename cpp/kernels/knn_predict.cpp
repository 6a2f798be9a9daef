#include "knn_predict.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "grouped_queries.hpp"
#include "partition.hpp"
#include "topk.hpp"

namespace aimass {

namespace knn_predict_detail {

// scores[v] of one entity against all others; NaN for itself and where no entry is common.
template <class T, class Sums>
class SimilarityRow {
 public:
  SimilarityRow(const Csr<T>& sim, const Csr<T>& sim_t, const Epilogue<T>& epilogue)
      : sim_(sim), sim_t_(sim_t), epilogue_(epilogue) {}

  const T* compute(const Run& run, std::int64_t entity) {
    if (scores_.empty()) {
      scores_.assign(static_cast<std::size_t>(sim_.n_rows), kNone);
      sums_.assign(static_cast<std::size_t>(sim_.n_rows), Sums{});
      block_sums_.resize(block_size);
      block_q_.resize(block_size);
      block_v_.resize(block_size);
    }
    if (entity_ >= 0) {
      for_each_touched(sim_, sim_t_, entity_, n_paths_,
                       [&](std::int64_t v) { scores_[static_cast<std::size_t>(v)] = kNone; });
    }
    entity_ = entity;
    n_paths_ = count_paths(sim_, sim_t_, entity);
    add_paths(run, sim_, sim_t_, entity, sums_.data());
    n_block_ = 0;
    for_each_touched(sim_, sim_t_, entity, n_paths_, [&](std::int64_t v) {
      Sums& sums = sums_[static_cast<std::size_t>(v)];
      if (!sums.touched()) return;
      if (v != entity) {
        block_sums_[n_block_] = sums;
        block_q_[n_block_] = epilogue_.q_of(v);
        block_v_[n_block_] = v;
        if (++n_block_ == block_size) flush();
      }
      sums = Sums{};
    });
    flush();
    return scores_.data();
  }

 private:
  static constexpr T kNone = std::numeric_limits<T>::quiet_NaN();
  static constexpr std::size_t block_size = 256;

  void flush() {
    T scores[block_size];
    score_block(epilogue_, epilogue_.p_of(entity_), block_q_.data(), block_sums_.data(),
                static_cast<std::int64_t>(n_block_), scores);
    for (std::size_t i = 0; i < n_block_; ++i) {
      scores_[static_cast<std::size_t>(block_v_[i])] = scores[i];
    }
    n_block_ = 0;
  }

  Csr<T> sim_, sim_t_;
  Epilogue<T> epilogue_;
  std::int64_t entity_ = -1, n_paths_ = 0;
  std::vector<T> scores_;
  std::vector<Sums> sums_;
  std::vector<Sums> block_sums_;
  std::vector<T> block_q_;
  std::vector<std::int64_t> block_v_;
  std::size_t n_block_ = 0;
};

// The answer to a query from score_of(i), the score of the i-th rater of its column.
template <class T, class ScoreOf>
void answer(const Run& run, const KnnPredict<T>& x, std::int64_t query, TopK<T>& best,
            const ScoreOf& score_of_rater) {
  const std::int64_t other = x.other[query];
  const std::int64_t first = x.ratings_t.begin(other), last = x.ratings_t.end(other);
  // NaN passes no threshold, so what is no candidate falls out by itself.
  using Limits = std::numeric_limits<T>;
  best.clear(x.positive_only ? Limits::denorm_min() : -Limits::infinity());
  // Raters ascend in a column, so places in the column break ties like their numbers do.
  for (std::int64_t i = 0; i < last - first; ++i)
    best.push({score_of_rater(i), static_cast<std::int32_t>(i)});
  double sum_weighted = 0, sum_abs = 0;
  const Scored<T>* const neighbours = best.sorted(&run);
  const auto n_used = static_cast<std::int32_t>(best.size());
  for (std::int32_t i = 0; i < n_used; ++i) {
    const double score = neighbours[i].score;
    sum_weighted += score * static_cast<double>(x.ratings_t.data[first + neighbours[i].index]);
    sum_abs += std::abs(score);
  }
  const bool enough = n_used >= x.min_k;
  x.sum_weighted[query] = enough ? static_cast<T>(sum_weighted) : T{0};
  x.sum_abs[query] = enough ? static_cast<T>(sum_abs) : T{0};
  x.n_used[query] = n_used;
}

// Many queries of one column, as for all items of one user: the scores of their entities against
// the raters of the column, of each rater by its own row of sums. Both ways the sums of a pair add
// the same products in the same order, so the answers have the same bits.
template <class T, class Sums>
class ColumnQueries {
 public:
  ColumnQueries(const KnnPredict<T>& x, const Epilogue<T>& epilogue)
      : x_(x), epilogue_(epilogue), best_(std::min(x.k, std::max<std::int64_t>(x.sim.n_rows, 1))) {}

  void answer_all(const Run& run, const std::int64_t* begin, const std::int64_t* end) {
    if (sums_.empty()) sums_.assign(static_cast<std::size_t>(x_.sim.n_rows), Sums{});
    const std::int64_t other = x_.other[*begin];
    const std::int64_t first = x_.ratings_t.begin(other), n = x_.ratings_t.end(other) - first;
    const std::int64_t at_a_time =
        std::max<std::int64_t>(1, kScores / std::max<std::int64_t>(n, 1));
    for (; begin < end; begin += std::min(at_a_time, end - begin)) {
      const std::int64_t m = std::min(at_a_time, end - begin);
      scores_.resize(static_cast<std::size_t>(m * n));
      for (std::int64_t i = 0; i < n; ++i) {
        run.poll();
        score(run, x_.ratings_t.indices[first + i], begin, m, n, scores_.data() + i);
      }
      for (std::int64_t c = 0; c < m; ++c) {
        if (c % 64 == 0) run.poll();
        const T* const scores = scores_.data() + c * n;
        answer(run, x_, begin[c], best_, [&](std::int64_t i) { return scores[i]; });
      }
    }
  }

 private:
  static constexpr std::int64_t kScores = 1 << 21;

  // out[c n]: the score of the entity of query c against `rater`.
  void score(const Run& run, std::int64_t rater, const std::int64_t* queries, std::int64_t m,
             std::int64_t n, T* out) {
    add_paths(run, x_.sim, x_.sim_t, rater, sums_.data());
    const T q = epilogue_.q_of(rater);
    for (std::int64_t c = 0; c < m; ++c, out += n) {
      const std::int64_t entity = x_.entity[queries[c]];
      const Sums& sums = sums_[static_cast<std::size_t>(entity)];
      *out = std::numeric_limits<T>::quiet_NaN();
      if (entity == rater || !sums.touched()) continue;
      const Sums of_entity = sums.swapped();
      score_block(epilogue_, epilogue_.p_of(entity), &q, &of_entity, 1, out);
    }
    for_each_touched(x_.sim, x_.sim_t, rater, count_paths(x_.sim, x_.sim_t, rater),
                     [&](std::int64_t v) { sums_[static_cast<std::size_t>(v)] = Sums{}; });
  }

  const KnnPredict<T>& x_;
  Epilogue<T> epilogue_;
  TopK<T> best_;
  std::vector<Sums> sums_;
  std::vector<T> scores_;
};

// The multiply-adds of the rows of all raters of a column.
template <class T>
std::int64_t column_work(const KnnPredict<T>& x, std::int64_t other) {
  std::int64_t n = 0;
  for (std::int64_t i = x.ratings_t.begin(other); i < x.ratings_t.end(other); ++i)
    n += count_paths(x.sim, x.sim_t, x.ratings_t.indices[i]);
  return n;
}

// Whether the raters of the queried columns have fewer multiply-adds than the queried entities. Not
// looked at in detail unless a column has many queries.
template <class T>
bool by_columns(const KnnPredict<T>& x) {
  std::vector<std::uint8_t> is_asked(static_cast<std::size_t>(x.ratings_t.n_rows), 0);
  std::vector<std::int64_t> columns;
  const std::int64_t most = x.n_queries / 16;
  for (std::int64_t i = 0; i < x.n_queries; ++i) {
    std::uint8_t& asked = is_asked[static_cast<std::size_t>(x.other[i])];
    if (asked != 0) continue;
    asked = 1;
    columns.push_back(x.other[i]);
    if (static_cast<std::int64_t>(columns.size()) > most) return false;
  }
  std::int64_t work = 0;
  for (const std::int64_t other : columns) work += column_work(x, other);
  for (const std::int64_t other : columns)  // and a score for each query and rater
    work += x.n_queries / static_cast<std::int64_t>(columns.size()) *
            (x.ratings_t.end(other) - x.ratings_t.begin(other));
  is_asked.assign(static_cast<std::size_t>(x.sim.n_rows), 0);
  for (std::int64_t i = 0; i < x.n_queries && work >= 0; ++i) {
    std::uint8_t& asked = is_asked[static_cast<std::size_t>(x.entity[i])];
    if (asked == 0) work -= count_paths(x.sim, x.sim_t, x.entity[i]);
    asked = 1;
  }
  return work < 0;
}

template <class Sums, class T>
void predict_by_columns(const Run& run, const KnnPredict<T>& x, const Epilogue<T>& epilogue) {
  std::vector<ColumnQueries<T, Sums>> workers;
  workers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) workers.emplace_back(x, epilogue);
  const GroupedQueries groups =
      group_queries(x.other, x.n_queries, x.ratings_t.n_rows,
                    [&](std::int64_t other) { return column_work(x, other); });
  for_each_group(run, groups, x.other,
                 [&](std::int64_t, const std::int64_t* begin, const std::int64_t* end, int thread) {
                   workers[static_cast<std::size_t>(thread)].answer_all(run, begin, end);
                 });
}

template <class Sums, class T>
void predict(const Run& run, const KnnPredict<T>& x, const Epilogue<T>& epilogue) {
  if (by_columns(x)) return predict_by_columns<Sums>(run, x, epilogue);
  struct Scratch {
    SimilarityRow<T, Sums> row;
    TopK<T> best;
  };
  const std::int64_t n_entities = x.sim.n_rows;
  const std::int64_t k = std::min(x.k, std::max<std::int64_t>(n_entities, 1));
  std::vector<Scratch> scratch;
  scratch.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t)
    scratch.push_back({SimilarityRow<T, Sums>(x.sim, x.sim_t, epilogue), TopK<T>(k)});
  const GroupedQueries groups =
      group_queries(x.entity, x.n_queries, n_entities,
                    [&](std::int64_t entity) { return count_paths(x.sim, x.sim_t, entity); });
  for_each_group(
      run, groups, x.entity,
      [&](std::int64_t entity, const std::int64_t* begin, const std::int64_t* end, int thread) {
        auto& [row, best] = scratch[static_cast<std::size_t>(thread)];
        const T* scores = row.compute(run, entity);
        for (; begin < end; ++begin) {
          const std::int32_t* const raters =
              x.ratings_t.indices + x.ratings_t.begin(x.other[*begin]);
          answer(run, x, *begin, best, [&](std::int64_t i) { return scores[raters[i]]; });
          run.poll();
        }
      });
}

}  // namespace knn_predict_detail

template <class T>
void knn_predict(const Run& run, const KnnPredict<T>& x, const Epilogue<T>& epilogue) {
  check_bounds(run, x.entity, x.n_queries, x.sim.n_rows, "query_entity");
  check_bounds(run, x.other, x.n_queries, x.ratings_t.n_rows, "query_other");
  namespace d = knn_predict_detail;
  switch (epilogue.channels()) {
    case Channels::dot:
      return d::predict<Dot<T>>(run, x, epilogue);
    case Channels::dot_count:
      return d::predict<DotCount<T>>(run, x, epilogue);
    default:
      return d::predict<Moments<T>>(run, x, epilogue);
  }
}

template void knn_predict(const Run& run, const KnnPredict<float>& x,
                          const Epilogue<float>& epilogue);
template void knn_predict(const Run& run, const KnnPredict<double>& x,
                          const Epilogue<double>& epilogue);

}  // namespace aimass
