// Problem: what the stored entries add to the loss of alternating least squares at given factors,
//   sum of weight s^2 - 2 target s + constant,  s = x'y,
// constant = target (preferences) or value^2: with the unobserved part, which follows from the two
// Gramians, and the ridge it is the whole loss; nothing of users x items is looked at.
// Cost: nnz f multiply-adds; memory: a padded copy of the factors. Sums are float64, block by
// block. Hu, Koren & Volinsky (ICDM 2008).
#pragma once

#include <cstdint>

#include "als_problem.hpp"

namespace aimass {

template <class T>
double als_loss(const Run& run, const Csr<T>& rows, const T* row_factors, const T* factors,
                std::int64_t n_factors, const AlsWeights& weights);

}  // namespace aimass
