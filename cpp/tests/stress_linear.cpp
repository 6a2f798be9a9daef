// The linear models under the sanitizers: random shapes, candidates and starts; results are
// compared between thread counts. Kernels: gram_matrix, spd_inverse, symmetric_update, ridge_lists,
// slim_dense, slim_sparse, spmm_topk.
#include <numeric>
#include <tuple>

#include "../kernels/gram_matrix.hpp"
#include "../kernels/ridge_lists.hpp"
#include "../kernels/slim_dense.hpp"
#include "../kernels/slim_sparse.hpp"
#include "../kernels/spd_inverse.hpp"
#include "../kernels/spmm_topk.hpp"
#include "stress.hpp"

namespace aimass::stress {

template <class T>
void stress_slim(Rng& rng, const Matrix<T>& x, const std::vector<T>& gramian) {
  const Matrix<T> t = transposed(Run(1), x);
  const std::vector<double> ridge(static_cast<std::size_t>(x.n_cols), 20.0);
  std::vector<std::int32_t> targets(static_cast<std::size_t>(x.n_cols));
  std::iota(targets.begin(), targets.end(), 0);
  // Some items of the first row for every target, as candidates or as a start.
  std::vector<std::int64_t> indptr(1, 0);
  std::vector<std::int32_t> indices;
  for (std::int64_t target = 0; target < x.n_cols; ++target) {
    for (std::int64_t n = below(rng, 20); n > 0; --n)
      indices.push_back(static_cast<std::int32_t>(below(rng, x.n_cols)));
    indptr.push_back(static_cast<std::int64_t>(indices.size()));
  }
  const std::vector<T> values(indices.size(), T(0.25));
  SlimProblem<T> p;
  p.n_items = x.n_cols;
  p.ridge = ridge.data();
  p.n_targets = x.n_cols;
  p.targets = targets.data();
  if (rng() % 2 == 0) p.candidates = {indptr.data(), indices.data()};
  if (rng() % 2 == 0) {
    p.start = {indptr.data(), indices.data()};
    p.start_values = values.data();
  }
  p.l1 = rng() % 2 == 0 ? 0.0 : 1.0;
  p.nonnegative = rng() % 2 == 0;
  p.k = 1 + below(rng, 100);
  p.tol = 1e-4;
  p.max_sweeps = 1 + below(rng, 30);
  const auto fields = [](const SlimWeights<T>& w) {
    return std::tuple(w.indptr, w.indices, w.values, w.n_sweeps, w.violation);
  };
  const int several = 2 + static_cast<int>(rng() % 4);
  const auto dense = [&](int n) { return fields(slim_dense(Run(n), p, gramian.data())); };
  expect(dense(1) == dense(several), "slim_dense depends on threads");
  const auto sparse = [&](int n) { return fields(slim_sparse(Run(n), p, x.view(), t.view())); };
  expect(sparse(1) == sparse(several), "slim_sparse depends on threads");
}

template <class T>
void stress_lists(Rng& rng, const Matrix<T>& x, const std::vector<T>& gramian) {
  const Matrix<T> t = transposed(Run(1), x);
  const std::vector<double> ridge(static_cast<std::size_t>(x.n_cols), 20.0);
  std::vector<std::int32_t> targets, indices;
  std::vector<std::int64_t> indptr(1, 0);
  for (std::int64_t n = below(rng, 30); n > 0; --n) {
    targets.push_back(static_cast<std::int32_t>(below(rng, x.n_cols)));
    for (std::int32_t i = 0; i < x.n_cols; ++i)
      if (i != targets.back() && rng() % 3 == 0) indices.push_back(i);
    indptr.push_back(static_cast<std::int64_t>(indices.size()));
  }
  const T* const given = rng() % 2 == 0 ? gramian.data() : nullptr;
  const std::int64_t k = 1 + below(rng, 60);
  const auto weights = [&](int n_threads) {
    std::vector<T> out(indices.size());
    ridge_lists(
        Run(n_threads),
        RidgeLists<T>{t.view(), given, ridge.data(), static_cast<std::int64_t>(targets.size()),
                      targets.data(), indptr.data(), indices.data(), k, out.data()});
    return out;
  };
  expect(weights(1) == weights(2 + static_cast<int>(rng() % 4)), "ridge_lists depends on threads");
}

template <class T>
void stress_linear(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const auto gramian = [&](int n_threads) {
    std::vector<T> out(static_cast<std::size_t>(x.n_cols * x.n_cols));
    gram_matrix(Run(n_threads), x.view(), out.data());
    return out;
  };
  const int several = 2 + static_cast<int>(rng() % 4);
  const std::vector<T> g = gramian(1);
  expect(g == gramian(several), "gram_matrix depends on threads");
  if (x.indices.size() < 50'000) stress_slim(rng, x, g);
  stress_lists(rng, x, g);
  const auto inverse = [&](int n_threads) {
    std::vector<T> out = g;
    for (std::int64_t i = 0; i < x.n_cols; ++i)
      out[static_cast<std::size_t>(i * (x.n_cols + 1))] += T(1e5);
    spd_inverse(Run(n_threads), x.n_cols, out.data());
    symmetric_update(Run(n_threads), x.n_cols, x.n_cols, g.data(), g.data(), out.data());
    return out;
  };
  expect(inverse(1) == inverse(several), "spd_inverse or symmetric_update depends on threads");
  Exclusion exclusion;
  if (rng() % 2 == 0) {
    exclusion.indptr = x.indptr.data();
    exclusion.indices = x.indices.data();
  }
  const std::vector<std::uint8_t> allowed(static_cast<std::size_t>(x.n_cols), 1);
  if (rng() % 2 == 0) exclusion.allowed = allowed.data();
  const std::int64_t k = 1 + below(rng, 60);
  const auto lists = [&](int n_threads) {
    const auto n = static_cast<std::size_t>(x.n_rows * k);
    std::vector<std::int32_t> indices(n);
    std::vector<T> scores(n);
    spmm_topk(Run(n_threads), x.view(), g.data(), x.n_cols, k, exclusion, indices.data(),
              scores.data());
    return std::pair(indices, scores);
  };
  expect(lists(1) == lists(several), "spmm_topk depends on threads");
}

template void stress_linear<float>(Rng&);
template void stress_linear<double>(Rng&);

}  // namespace aimass::stress
