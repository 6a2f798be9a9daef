// Alternating least squares under the sanitizers: random shapes, every solver and level; results
// are compared between thread counts, and of some rows with those of all. Kernels: als_solve,
// als_loss, als_gramian.
#include "../kernels/als_gramian.hpp"
#include "../kernels/als_loss.hpp"
#include "../kernels/als_solve.hpp"
#include "stress.hpp"

namespace aimass::stress {

template <class T>
void stress_als(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const std::int64_t f = 1 + below(rng, rng() % 4 == 0 ? 150 : 40);
  const auto random = [&](std::int64_t n) {
    std::vector<T> values(static_cast<std::size_t>(n * f));
    for (T& v : values) v = static_cast<T>(below(rng, 2001) - 1000) / T(1000);
    return values;
  };
  const std::vector<T> items = random(x.n_cols), users = random(x.n_rows);
  const std::vector<double> ridge(static_cast<std::size_t>(x.n_rows), 0.5);
  const auto gramian = [&](int n_threads) {
    std::vector<double> out(static_cast<std::size_t>(f * f));
    als_gramian(Run(n_threads), items.data(), x.n_cols, f, out.data());
    return out;
  };
  const int several = 2 + static_cast<int>(rng() % 4);
  const std::vector<double> common = gramian(1);
  expect(common == gramian(several), "als_gramian depends on threads");
  const AlsWeights weights{rng() % 2 == 0 ? 0.0 : 2.0, rng() % 2 == 0 ? 0.0 : 1.0, 1.0,
                           rng() % 2 == 0};
  const auto loss = [&](int n_threads) {
    return als_loss(Run(n_threads), x.view(), users.data(), items.data(), f, weights);
  };
  expect(loss(1) == loss(several), "als_loss depends on threads");
  for (const AlsSolver solver : {AlsSolver::cholesky, AlsSolver::cg, AlsSolver::pcg,
                                 AlsSolver::subspace, AlsSolver::nonnegative}) {
    const T* linear = rng() % 2 == 0 ? users.data() : nullptr;
    const std::int64_t n_steps = 1 + below(rng, 3), block_size = 1 + below(rng, 60);
    const auto solution = [&](int n_threads, std::int64_t begin, std::int64_t end) {
      Csr<T> rows = x.view();
      rows.n_rows = end - begin;
      rows.indptr += begin;
      std::vector<T> out(static_cast<std::size_t>((end - begin) * f));
      als_solve(Run(n_threads), AlsProblem<T>{rows, items.data(), f, common.data(),
                                              users.data() + begin * f, ridge.data() + begin,
                                              linear == nullptr ? nullptr : linear + begin * f, 0.5,
                                              weights, solver, n_steps, block_size, out.data()});
      return out;
    };
    const std::vector<T> all = solution(1, 0, x.n_rows);
    expect(all == solution(several, 0, x.n_rows), "als_solve depends on threads");
    const std::int64_t begin = below(rng, x.n_rows + 1),
                       end = begin + below(rng, x.n_rows - begin + 1);
    expect(
        solution(1, begin, end) == std::vector<T>(all.begin() + begin * f, all.begin() + end * f),
        "als_solve depends on the other rows");
  }
}

template void stress_als<float>(Rng&);
template void stress_als<double>(Rng&);

}  // namespace aimass::stress
