// Every kernel on random shapes and thread counts, without Python, for the sanitizers:
//   stress [rounds] [seed]
// Results are compared between thread counts; the sanitizer finds the rest. Dense tiles, scratch
// reuse and every formula are reached. In a second part, one allocation after another fails. Exits
// with a message and abort() at the first difference.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <tuple>
#include <vector>

#include "../kernels/gram_topk.hpp"
#include "../kernels/spgemm_topk.hpp"
#include "../simd/simd.hpp"
#include "failing_allocation.hpp"
#include "stress_als.hpp"
#include "stress_data_path.hpp"
#include "stress_linear.hpp"
#include "stress_mixtures.hpp"
#include "stress_resample.hpp"
#include "stress_retrieval.hpp"
#include "stress_sgd.hpp"

namespace aimass::stress {

template <class T>
Epilogue<T> random_epilogue(std::mt19937_64& rng, const std::vector<T>& per_entity) {
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
void stress_gram(std::mt19937_64& rng) {
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
void stress_spgemm(std::mt19937_64& rng) {
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

// All that depends on the instruction level; then all that does not.
constexpr void (*kOfEachLevel[])(std::mt19937_64&) = {
    stress_gram<float>,      stress_gram<double>,     stress_score<float>,
    stress_score<double>,    stress_reverse<float>,   stress_reverse<double>,
    stress_als<float>,       stress_als<double>,      stress_mixtures<float>,
    stress_mixtures<double>, stress_triangles<float>, stress_triangles<double>,
    stress_sgd<float>,       stress_sgd<double>,      stress_ratings<float>,
    stress_ratings<double>,  stress_linear<float>,    stress_linear<double>,
    stress_resample,
};
constexpr void (*kOfAnyLevel[])(std::mt19937_64&) = {
    stress_spgemm<float>, stress_spgemm<double>, stress_garbage,
    stress_factorize,     stress_predict<float>, stress_predict<double>,
};

}  // namespace aimass::stress

int main(int argc, char** argv) {
  namespace s = aimass::stress;
  const long rounds = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 20;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  std::mt19937_64 rng(seed);
  aimass::simd::init();
  for (long round = 0; round < rounds; ++round) {
    for (const auto& level : aimass::simd::available()) {
      aimass::simd::force(level);
      for (const auto stress : s::kOfEachLevel) stress(rng);
    }
    for (const auto stress : s::kOfAnyLevel) stress(rng);
  }
  std::printf("stress: %ld rounds agree\n", rounds);
  for (long round = 0; round < (rounds + 9) / 10; ++round) {
    for (const auto stress : s::kOfEachLevel) s::with_failing_allocations(rng(), stress);
    for (const auto stress : s::kOfAnyLevel) s::with_failing_allocations(rng(), stress);
  }
  std::printf("stress: every allocation may fail\n");
}
