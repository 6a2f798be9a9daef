// Problem: als_solve for a few rows of a large catalogue, as for one new user. als_solve copies all
// factors, which takes far longer than the rows themselves. Where the entries are few, only the
// factors that they name are copied: the time depends on the entries, not on the catalogue.
// Cost: nnz f numbers copied, nnz indices; the result has the bits of als_solve on all factors,
// because every row reads the same factors in the same order.
#pragma once

#include <algorithm>
#include <numeric>

#include "als_solve.hpp"

namespace aimass {

template <class T>
void als_solve_gathered(const Run& run, const AlsProblem<T>& problem) {
  const std::int64_t nnz = problem.rows.nnz(), f = problem.n_factors;
  if (2 * nnz > problem.rows.n_cols) return als_solve(run, problem);
  Buffer<T> factors(std::max<std::int64_t>(nnz * f, 1));
  Buffer<std::int32_t> positions(std::max<std::int64_t>(nnz, 1));
  std::iota(positions.data(), positions.data() + nnz, 0);
  for (std::int64_t entry = 0; entry < nnz; ++entry) {
    const T* from = problem.factors + problem.rows.indices[entry] * f;
    std::copy(from, from + f, factors.data() + entry * f);
  }
  AlsProblem<T> gathered = problem;
  gathered.rows.n_cols = nnz;
  gathered.rows.indices = positions.data();
  gathered.factors = factors.data();
  als_solve(run, gathered);
}

}  // namespace aimass
