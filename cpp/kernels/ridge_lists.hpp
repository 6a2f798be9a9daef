// Ridge regression of items on a few items out of longer lists of others: the columns of a sparse
// approximation of EASE.
//
// For a target item j and a set S of items the weights solve (G_SS + diag(ridge_S)) w = G_Sj, G =
// X'X. The first k items of the target's list, best first, make the first set. Where the list is
// longer, a step along the gradient g = G_j - (G + diag(ridge)) w tells which items matter: those
// with the k largest |w_i + g_i / d_i| sqrt(d_i), d_i = G_ii + ridge_i, make the second set, on
// which the weights are solved again. (On MovieLens 1M that set is as good as the k largest weights
// of the exact solution.)
//
// The entries of G that are needed are read from a dense G where there is one. Otherwise the
// columns of S are regrouped by user, so that every pair of entries of a user is met once, and
// summed. The system is solved by an LDL' factorisation (als_kernels.hpp).
//
// Time per target: k^3 / 3 multiply-adds, and the columns of the list plus the sum over users of
// (their items in the set)^2, or k times the list reads of G. Memory per thread: k^2 values, the
// columns of a set, 4 bytes per user. Targets are independent, so the result does not depend on the
// number of threads.
//
// Steck, Markov random fields for collaborative filtering, NeurIPS 2019; Grote, Huckle, Parallel
// preconditioning with sparse approximate inverses, SIAM J. Sci. Comput. 1997.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

template <class T>
struct RidgeLists {
  Csr<T> columns;              // the transpose of X: items x users
  const T* gramian = nullptr;  // items x items; null: summed from the columns
  const double* ridge = nullptr;
  std::int64_t n_targets = 0;
  const std::int32_t* targets = nullptr;
  const std::int64_t* indptr = nullptr;   // of the lists, by target
  const std::int32_t* indices = nullptr;  // best first, without the target itself
  std::int64_t k = 0;                     // items of a regression
  T* out = nullptr;                       // weights, as indices; zero outside of the set
};

template <class T>
void ridge_lists(const Run& run, const RidgeLists<T>& problem);

}  // namespace aimass
