// Problem: the half-step of alternating least squares. Every row of a CSR has its own system
//   (gramian + ridge I + sum weight y y') x = linear + sum target y      over the row's entries,
// y the other side's factors, gramian what all their rows contribute (als_problem.hpp). With
// linear = ridge m the ridge pulls x towards m instead of zero.
// Solvers:
//   cholesky     the factors of a row's entries are copied into a panel that stays in the first
//                cache, a triangular product in registers adds them up, and L D L' by blocks
//                solves: nnz f (f + 1) / 2 + rows f^3 / 6 multiply-adds.
//   cg           n_steps of conjugate gradient from start: 2 nnz f + rows f^2 a step, nnz f where
//                gramian is diagonal. The panel of a row is read once a step; only rows too long
//                for the second cache are gathered anew.
//   pcg          the same, preconditioned by the diagonal of gramian + ridge I: where factors are
//                given in the eigenbasis of gramian, by what all rows have in common.
//   subspace     n_steps sweeps over blocks of block_size coordinates, each solved exactly.
//   nonnegative  the matrix as for cholesky, then n_steps of coordinate descent with x >= 0.
// Memory: a padded copy of the factors; per thread f^2, a panel of at most 1/2 MiB, 3 numbers for
// each entry of the longest row. A row is solved by one thread, so threads change no bit. The
// first row whose matrix is not positive definite, or whose result is not finite, is reported.
// Hu, Koren & Volinsky (ICDM 2008); Takacs, Pilaszy & Tikk (RecSys 2011); Rendle, Krichene, Zhang &
// Koren, iALS++ (2021); Hsieh & Dhillon (KDD 2011).
#pragma once

#include <string>

#include "als_row.hpp"
#include "errors.hpp"

namespace aimass {

namespace als_detail {

inline std::string no_solution(AlsSolver solver) {
  const bool iterates = solver == AlsSolver::cg || solver == AlsSolver::pcg;
  return std::string(
             "has no finite solution: its matrix is not positive definite at this precision, or "
             "its values are too large; raise regularization, scale the values down, ") +
         (iterates ? "use float64, or take solver='cholesky'" : "or use float64");
}

}  // namespace als_detail

template <class T>
void als_solve(const Run& run, const AlsProblem<T>& problem) {
  const std::int64_t f = problem.n_factors;
  const PaddedFactors<T> factors(run, problem.factors, problem.rows.n_cols, f);
  const AlsShared<T> shared(run, problem, factors.width());
  std::vector<als_detail::RowSolver<T>> solvers;
  solvers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) solvers.emplace_back(problem, shared, factors);
  const auto bounds = row_blocks(problem.rows, std::max<std::int64_t>(f, 8));
  const auto n_blocks = static_cast<std::int64_t>(bounds.size()) - 1;
  parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
    const auto b = static_cast<std::size_t>(block);
    for (std::int64_t row = bounds[b]; row < bounds[b + 1]; ++row) {
      if (!solvers[static_cast<std::size_t>(thread)].solve(run, row))
        throw NumericalFailure(row, als_detail::no_solution(problem.solver));
      run.poll();
    }
  });
}

}  // namespace aimass
