// Problem: one epoch of stochastic gradient descent, user by user in the order of the entries, of
// rating models whose user factors hold what the rated items say:
//   rating ~ mean + b_u + b_i + q_i'(p_u + z_u)
//   SVD++           z_u = n^-1/2 sum y_j                                over the n items of the
//   user asymmetric SVD  z_u = n^-1/2 sum (y_j + (r_uj - b_uj) x_j), no p_u; b_uj = mean + b_u +
//   b_j as it
//                   is before the user's first step
// A step of entry (u, i) with error e moves every y_j of the user by rate (e q_i / n^1/2 - penalty
// y_j), and x_j alike. All of them move by the same factor and along the same vector, so
//   z = (1 - rate penalty) z + gain rate e q_i,   gain = 1 (+ sum (r_uj - b_uj)^2 / n)
// is the exact sum at every step, and the y_j and x_j are written once when the user is done: an
// epoch costs O(nnz f), where stepping through them costs O(sum of n^2 f). One thread, as every
// step needs the one before. Memory: four rows and the longest row of the matrix.
// Koren, Factorization meets the neighborhood (KDD 2008).
#pragma once

#include <cstdint>

#include "../simd/rating_kernels.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

template <class T>
struct ImplicitRatingProblem {
  Csr<T> x;
  simd::RatingSide<T> users;     // factors nullptr: no p_u
  simd::RatingSide<T> items;     // q, with biases
  simd::RatingSide<T> implicit;  // y
  T* residual_factors;           // x_j; nullptr: there are none
  std::int64_t width;
  double mean;
  std::uint64_t epoch;
};

// Returns the sum of the squared errors, each before the entry's step.
template <class T>
double implicit_rating_epoch(const Run& run, const ImplicitRatingProblem<T>& problem);

}  // namespace aimass
