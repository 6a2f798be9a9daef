#include "als_solve.hpp"

#include <string>

#include "als_group.hpp"
#include "als_row.hpp"
#include "errors.hpp"

namespace aimass {

namespace als_detail {

template <class T>
std::string no_solution(const AlsProblem<T>& problem) {
  return std::string(
             "has no finite solution: its matrix is not positive definite at this precision, or "
             "its values are too large; raise regularization, scale the values down, ") +
         (problem.iterates() ? "use float64, or take solver='cholesky'" : "or use float64");
}

// Solver has solve(run, begin, end), which returns the first row without a finite solution, or -1.
template <class Solver, class T>
void solve_blocks(const Run& run, const AlsProblem<T>& problem) {
  const std::int64_t f = problem.n_factors;
  const PaddedFactors<T> factors(run, problem.factors, problem.rows.n_cols, f);
  const AlsShared<T> shared(run, problem, factors.width());
  std::vector<Solver> solvers;
  solvers.reserve(static_cast<std::size_t>(run.n_threads()));
  for (int t = 0; t < run.n_threads(); ++t) solvers.emplace_back(problem, shared, factors);
  const auto bounds = row_blocks(problem.rows, std::max<std::int64_t>(f, 8));
  const auto n_blocks = static_cast<std::int64_t>(bounds.size()) - 1;
  parallel_for(run, n_blocks, [&](std::int64_t block, int thread) {
    const auto b = static_cast<std::size_t>(block);
    const std::int64_t failed =
        solvers[static_cast<std::size_t>(thread)].solve(run, bounds[b], bounds[b + 1]);
    if (failed >= 0) throw NumericalFailure(failed, no_solution(problem));
  });
}

}  // namespace als_detail

template <class T>
void als_solve(const Run& run, const AlsProblem<T>& problem) {
  if (problem.iterates()) {
    als_detail::solve_blocks<als_detail::GroupSolver<T>>(run, problem);
  } else {
    als_detail::solve_blocks<als_detail::RowSolver<T>>(run, problem);
  }
}

template void als_solve(const Run& run, const AlsProblem<float>& problem);
template void als_solve(const Run& run, const AlsProblem<double>& problem);

}  // namespace aimass
