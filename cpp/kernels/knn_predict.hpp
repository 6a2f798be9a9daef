// Problem: predictions of a neighbourhood model for (entity, other) pairs: of the entities that
// have an entry in that column, the k most similar ones, and the weighted sum of what they say.
// Entities are users (user-based) or items (item-based); similarity is any formula of epilogue.hpp.
// Cost: one similarity row per distinct entity asked for (a multiply-add per path through S and
// its transpose), and O(raters of the column) per query; nothing of n x n. Where many queries are
// of few columns, as for all items of one user, one row per rater of these columns instead. Memory
// per thread: sums and scores of one row, O(n_entities), and up to 2^21 scores. Queries are grouped
// by entity or by column; a query is answered by one thread in a fixed order, so the result does
// not depend on the number of threads.
// Resnick et al., GroupLens (CSCW 1994); Desrosiers & Karypis, Recommender Systems Handbook ch. 4.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "epilogue.hpp"
#include "parallel.hpp"

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

template <class T>
void knn_predict(const Run& run, const KnnPredict<T>& x, const Epilogue<T>& epilogue);

}  // namespace aimass
