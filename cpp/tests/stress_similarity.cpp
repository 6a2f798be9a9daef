// Similarities under the sanitizers: every formula, dense and sparse matrices, 1 to 5 threads.
// Kernels: gram_topk, spgemm_topk.
#include <array>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "../kernels/gram_topk.hpp"
#include "../kernels/spgemm_topk.hpp"
#include "stress.hpp"

namespace aimass::stress {

template <class T>
Epilogue<T> random_epilogue(Rng& rng, const std::vector<T>& per_entity) {
  constexpr std::array kFormulas = {Formula::product,
                                    Formula::ratio,
                                    Formula::llr,
                                    Formula::pmi,
                                    Formula::npmi,
                                    Formula::corated_cosine,
                                    Formula::corated_pearson,
                                    Formula::corated_msd};
  Epilogue<T> e;
  e.formula = kFormulas[static_cast<std::size_t>(below(rng, kFormulas.size()))];
  e.total = 1000;
  e.weight_p = e.weight_q = static_cast<T>(below(rng, 3)) / 2;
  if (rng() % 4 == 0) e.weight_p = T(50.7);
  e.shrink = static_cast<T>(below(rng, 3));
  if (rng() % 2 == 0) {
    e.min_support = static_cast<T>(below(rng, 4));
    e.support_shrink = static_cast<T>(below(rng, 20));
    e.significance = static_cast<T>(below(rng, 10));
  }
  if (rng() % 4 == 0) e.amplification = T(2.5);
  if (rng() % 4 == 0) e.threshold = T(0.25);
  e.p = per_entity.data();
  e.q = per_entity.data();
  return e;
}

template <class T>
void stress_gram(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const std::vector<T> per_column(static_cast<std::size_t>(x.n_cols), T(2));
  const std::vector<T> per_row(static_cast<std::size_t>(x.n_rows), T(0.5));
  const Epilogue<T> epilogue = random_epilogue(rng, per_column);
  const Scales<T> scales{rng() % 2 == 0 ? per_row.data() : nullptr,
                         rng() % 2 == 0 ? per_column.data() : nullptr};
  const std::int64_t k = 1 + below(rng, 60);
  auto gram = [&](int n_threads) {
    const GramTopK<T> out = gram_topk(x.view(), scales, k, epilogue, Run(n_threads));
    return std::tuple(out.indptr, out.indices, out.scores);
  };
  expect(gram(1) == gram(2 + static_cast<int>(rng() % 4)), "gram_topk depends on threads");
}

template <class T>
void stress_spgemm(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const Matrix<T> y = transposed(Run(1), x);
  const std::vector<T> per_row(static_cast<std::size_t>(x.n_rows), T(2));
  const Epilogue<T> epilogue = random_epilogue(rng, per_row);
  const std::vector<std::uint8_t> allowed(per_row.size(), 1);
  const std::vector<std::int64_t> none(per_row.size() + 1, 0);
  Exclusion exclusion;
  if (rng() % 2 == 0) exclusion.allowed = allowed.data();
  if (rng() % 2 == 0) exclusion.indptr = none.data();
  const std::int64_t k = 1 + below(rng, 60);
  auto product = [&](int n_threads) {
    const auto n = per_row.size() * static_cast<std::size_t>(k);
    std::vector<std::int32_t> indices(n);
    std::vector<T> scores(n);
    spgemm_topk(x.view(), y.view(), k, exclusion, epilogue, indices.data(), scores.data(),
                Run(n_threads));
    return std::pair(indices, scores);
  };
  expect(product(1) == product(2 + static_cast<int>(rng() % 4)), "spgemm_topk depends on threads");
}

template void stress_gram<float>(Rng&);
template void stress_gram<double>(Rng&);
template void stress_spgemm<float>(Rng&);
template void stress_spgemm<double>(Rng&);

}  // namespace aimass::stress
