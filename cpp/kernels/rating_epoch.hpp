// Problem: one epoch of stochastic gradient descent of a biased matrix factorisation,
//   rating ~ mean + b_u + b_i + x_u'y_i,
// on squared errors with penalties. An entry's step changes both biases and both rows of factors by
// what they were before it.
//   shuffled   by blocks and tiles in random order (sgd_strata.hpp), on all threads; threads change
//              no bit.
//   stored     user by user, in the order of the entries; on one thread, as every step needs the
//              one before.
// Steps that follow each other and share no row are computed in groups of 4, which changes no bit.
// Cost: 6 f multiply-adds an entry. Memory: of "shuffled" 8 bytes and a value for each entry.
// Funk, Netflix update: Try this at home (2006); Koren, Bell & Volinsky, Matrix factorization
// techniques for recommender systems (Computer 2009).
#pragma once

#include <cstdint>

#include "../simd/rating_kernels.hpp"
#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

template <class T>
struct RatingProblem {
  Csr<T> x;
  simd::RatingSide<T> users, items;
  std::int64_t width;
  double mean;
  bool shuffled;
  std::int64_t n_strata;
  std::uint64_t seed, epoch;
};

// Returns the sum of the squared errors, each before the entry's step.
template <class T>
double rating_epoch(const Run& run, const RatingProblem<T>& problem);

}  // namespace aimass
