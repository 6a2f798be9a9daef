// Problem: one epoch of a pairwise ranking loss. For each stored entry (user u, positive item i) of
// a matrix, negatives j are drawn, and the factors x_u, y_i, y_j and the item biases take a step
// that raises the score s_ui = x_u'y_i + b_i above s_uj.
//   bpr   ascends ln sigmoid(s_ui - s_uj). With n_candidates > 1, j is the negative of the highest
//         score among so many.
//   warp  draws negatives until one violates the margin, s_uj > s_ui - margin; at most
//   n_candidates.
//         With the violator found by draw q among N negatives of the user, the step is that of the
//         hinge loss times ln(max(1, floor(N / q))), at most kLargestWeight.
//   kos   as warp, but i is the k_positive-th best of n_positives positives drawn from those that
//         the user has in the entry's stratum (k-order-statistic loss).
// Cost: nnz (6 f) multiply-adds for bpr with one candidate, and f for each further candidate.
//   Steps of bpr that follow each other and share no row are computed in groups of 4, which changes
//   no bit: one step alone is a chain of dependent operations that leaves most units idle.
// Schedule, memory and draws: sgd_strata.hpp, negative_sampler.hpp. Threads change no bit.
// Rendle, Freudenthaler, Gantner & Schmidt-Thieme, BPR (UAI 2009); Zhang, Chen, Wang & Yu,
// Optimizing top-n collaborative filtering via dynamic negative item sampling (SIGIR 2013); Weston,
// Bengio & Usunier, WSABIE (IJCAI 2011); Weston, Yee & Weiss, Learning to rank recommendations with
// the k-order statistic loss (RecSys 2013).
#pragma once

#include <cstdint>

#include "../simd/sgd_kernels.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

enum class PairwiseLoss { bpr, warp, kos };

struct EpochSums {
  double loss = 0;
  std::int64_t n_steps = 0;    // pairs
  std::int64_t n_correct = 0;  // of these, in the right order (warp: no violator was found)
  std::int64_t n_skipped = 0;  // entries without a negative

  void add(const EpochSums& other) {
    loss += other.loss;
    n_steps += other.n_steps;
    n_correct += other.n_correct;
    n_skipped += other.n_skipped;
  }
};

template <class T>
struct PairwiseProblem {
  Csr<T> x;  // its values are not read
  simd::SgdRows<T> users, items;
  std::int64_t width;
  simd::SgdRule rule;
  simd::SgdSteps<T> steps;
  simd::SgdPenalties<T> penalties;
  PairwiseLoss loss;
  std::int64_t n_candidates, n_positives, k_positive;
  double margin;
  const double* weights;  // of items as negatives; nullptr: all alike
  std::int64_t n_strata;
  std::uint64_t seed, epoch;
};

template <class T>
EpochSums pairwise_epoch(const Run& run, const PairwiseProblem<T>& problem);

}  // namespace aimass
