#include "als_gather.hpp"

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

template void als_solve_gathered(const Run& run, const AlsProblem<float>& problem);
template void als_solve_gathered(const Run& run, const AlsProblem<double>& problem);

}  // namespace aimass
