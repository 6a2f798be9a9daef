// Problem: predictions of a neighbourhood model for (entity, other) pairs: of the entities that
// have an entry in that column, the k most similar ones, and the weighted sum of what they say.
// Entities are users (user-based) or items (item-based); similarity is any formula of epilogue.hpp.
// Cost: one similarity row per distinct entity asked for (a multiply-add per path through S and
// its transpose), and O(raters of the column) per query; nothing of n x n. Memory per thread: sums
// and scores of one row, O(n_entities). Queries are grouped by entity; a query is answered by one
// thread in a fixed order, so the result does not depend on the number of threads.
// Resnick et al., GroupLens (CSCW 1994); Desrosiers & Karypis, Recommender Systems Handbook ch. 4.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "csr.hpp"
#include "epilogue.hpp"
#include "grouped_queries.hpp"
#include "parallel.hpp"
#include "partition.hpp"
#include "topk.hpp"

namespace aimass {

template <class T>
struct KnnPredict {
  Csr<T> ratings_t;            // others x entities: what the neighbours say, by column
  Csr<T> sim, sim_t;           // entities x others and its transpose: what similarity looks at
  const std::int32_t* entity;  // queries
  const std::int32_t* other;
  std::int64_t n_queries;
  std::int64_t k, min_k;
  bool positive_only;
  // Results, one per query. Fewer than min_k neighbours: the sums are 0.
  T* sum_weighted;
  T* sum_abs;
  std::int32_t* n_used;
};

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

template <class Sums, class T>
void predict(const Run& run, const KnnPredict<T>& x, const Epilogue<T>& epilogue) {
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
        // NaN passes no threshold, so what is no candidate falls out by itself.
        using Limits = std::numeric_limits<T>;
        const T floor = x.positive_only ? Limits::denorm_min() : -Limits::infinity();
        for (; begin < end; ++begin) {
          const std::int64_t other = x.other[*begin];
          best.clear(floor);
          const std::int64_t first = x.ratings_t.begin(other), last = x.ratings_t.end(other);
          for (std::int64_t i = first; i < last; ++i) {
            // Columns ascend in v, so places in the column break ties like v does.
            best.push({scores[x.ratings_t.indices[i]], static_cast<std::int32_t>(i - first)});
          }
          double sum_weighted = 0, sum_abs = 0;
          const Scored<T>* const neighbours = best.sorted(&run);
          const auto n_used = static_cast<std::int32_t>(best.size());
          for (std::int32_t i = 0; i < n_used; ++i) {
            const double score = neighbours[i].score;
            sum_weighted +=
                score * static_cast<double>(x.ratings_t.data[first + neighbours[i].index]);
            sum_abs += std::abs(score);
          }
          const bool enough = n_used >= x.min_k;
          x.sum_weighted[*begin] = enough ? static_cast<T>(sum_weighted) : T{0};
          x.sum_abs[*begin] = enough ? static_cast<T>(sum_abs) : T{0};
          x.n_used[*begin] = n_used;
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

}  // namespace aimass
