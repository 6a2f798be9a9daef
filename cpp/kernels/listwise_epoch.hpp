// Problem: one epoch of a ranking loss over lists. For each stored entry (user u, positive item i)
// of a matrix, n_negatives items that the user does not have are drawn, and the factors of the user
// and of all these items take one step that descends a loss of their scores. With s_0 the score of
// the positive and s_j those of the negatives, it is
//   softmax     -ln(exp(s_0) / sum over the list of exp(s_k))         (sampled softmax)
//   logistic    ln(1 + exp(-s_0)) + w / n sum of ln(1 + exp(s_j))      (logistic factorisation)
//   contrastive 1 - s_0 + w / n sum of max(0, s_j - margin)
// where a score is x_u'y_k + b_k, or with `cosine` the cosine of x_u and y_k, divided by the
// temperature. With a cosine, contrastive is the cosine contrastive loss.
// Cost: nnz n_negatives (4 f) multiply-adds, 6 f with `cosine`. Negatives that contrastive leaves
// as they are (below the margin, no penalty, no running means) are scored only: 2 f, 3 f with
// `cosine`. Rows of factors are fetched into the cache ahead of the scores. Schedule, memory and
// draws: sgd_strata.hpp, negative_sampler.hpp. Threads change no bit.
//
// Johnson, Logistic matrix factorization for implicit feedback data (NIPS workshop 2014); Wu et
// al., On the effectiveness of sampled softmax loss for item recommendation (TOIS 2024); Mao et
// al., SimpleX: a simple and strong baseline for collaborative filtering (CIKM 2021).
#pragma once

#include <cstdint>

#include "../simd/sgd_kernels.hpp"
#include "csr.hpp"
#include "pairwise_epoch.hpp"
#include "parallel.hpp"

namespace aimass {

enum class ListwiseLoss { softmax, logistic, contrastive };

template <class T>
struct ListwiseProblem {
  Csr<T> x;  // its values are not read
  simd::SgdRows<T> users, items;
  std::int64_t width;
  simd::SgdRule rule;
  simd::SgdSteps<T> steps;
  simd::SgdPenalties<T> penalties;
  ListwiseLoss loss;
  bool cosine;
  std::int64_t n_negatives;
  double temperature, margin, negative_weight;
  const double* weights;  // of items as negatives; nullptr: all alike
  std::int64_t n_strata;
  std::uint64_t seed, epoch;
};

template <class T>
EpochSums listwise_epoch(const Run& run, const ListwiseProblem<T>& problem);

}  // namespace aimass
