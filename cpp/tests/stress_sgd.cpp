// Stochastic gradient methods under the sanitizers: random shapes, losses and rules; results are
// compared between thread counts. Kernels: pairwise_epoch, listwise_epoch, rating_epoch,
// implicit_rating_epoch, embedding_sums, embedding_moves.
#include "../kernels/embedding_sums.hpp"
#include "../kernels/implicit_rating_epoch.hpp"
#include "../kernels/listwise_epoch.hpp"
#include "../kernels/pairwise_epoch.hpp"
#include "../kernels/rating_epoch.hpp"
#include "stress.hpp"

namespace aimass::stress {

// Parameters of one side with room for the state of every rule.
template <class T>
struct SgdSide {
  std::vector<T> factors, first, second, biases, bias_first, bias_second;
  std::vector<std::int32_t> steps;

  SgdSide(Rng& rng, std::int64_t n, std::int64_t width)
      : factors(static_cast<std::size_t>(n * width)),
        first(factors.size(), T(1)),
        second(first),
        biases(static_cast<std::size_t>(n)),
        bias_first(biases.size(), T(1)),
        bias_second(bias_first),
        steps(biases.size(), 0) {
    for (T& v : factors) v = static_cast<T>(below(rng, 2001) - 1000) / T(3000);
  }
  simd::SgdRows<T> rows() {
    return {factors.data(),    first.data(),       second.data(), biases.data(),
            bias_first.data(), bias_second.data(), steps.data()};
  }
  friend bool operator==(const SgdSide&, const SgdSide&) = default;
};

// Random problems may diverge, which the kernels report; nothing else may be thrown.
template <class Work>
void unless_diverged(Work&& work) {
  try {
    work();
  } catch (const NumericalFailure&) {  // NOLINT(bugprone-empty-catch): a right outcome
  }
}

template <class T>
void stress_sgd(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const std::int64_t width = 16 * (1 + below(rng, 5));
  const std::vector<T> corrections(3, T(1));
  const std::vector<double> weights(static_cast<std::size_t>(x.n_cols), 0.5);
  const SgdSide<T> users(rng, x.n_rows, width), items(rng, x.n_cols, width);
  constexpr PairwiseLoss kLosses[] = {PairwiseLoss::bpr, PairwiseLoss::warp, PairwiseLoss::kos};
  PairwiseProblem<T> problem{};
  problem.x = x.view();
  problem.width = width;
  problem.rule = static_cast<simd::SgdRule>(below(rng, simd::kSgdRules));
  problem.steps = {T(0.01), T(0.01), T(0.9), T(0.9), T(1e-6), corrections.data(), 3};
  problem.penalties = {T(0.01), T(0.01), T(0.01), T(0.01)};
  problem.loss = kLosses[below(rng, 3)];
  problem.n_candidates = 1 + below(rng, 20);
  problem.n_positives = 3;
  problem.k_positive = 2;
  problem.margin = 1;
  problem.weights = rng() % 2 == 0 ? weights.data() : nullptr;
  problem.n_strata = 1 + below(rng, 12);
  problem.seed = rng();
  const auto after = [&](int threads) {
    SgdSide<T> u = users, i = items;
    PairwiseProblem<T> own = problem;
    own.users = u.rows();
    own.items = i.rows();
    const EpochSums sums = pairwise_epoch(Run(threads), own);
    return std::tuple(u, i, sums.loss, sums.n_steps);
  };
  const int n_threads = 2 + static_cast<int>(rng() % 4);
  unless_diverged(
      [&] { expect(after(1) == after(n_threads), "pairwise_epoch depends on threads"); });
  const auto after_lists = [&](int threads) {
    SgdSide<T> u = users, i = items;
    ListwiseProblem<T> own{};
    own.x = problem.x;
    own.width = width;
    own.rule = problem.rule;
    own.steps = problem.steps;
    own.penalties = problem.penalties;
    own.loss = static_cast<ListwiseLoss>(problem.seed % 3);
    own.cosine = problem.seed % 2 == 0;
    own.n_negatives = problem.n_candidates;
    own.temperature = own.negative_weight = 1;
    own.weights = problem.weights;
    own.n_strata = problem.n_strata;
    own.seed = problem.seed;
    own.users = u.rows();
    own.items = i.rows();
    if (own.cosine) own.items.biases = nullptr;
    const EpochSums sums = listwise_epoch(Run(threads), own);
    return std::tuple(u, i, sums.loss, sums.n_steps);
  };
  unless_diverged([&] {
    expect(after_lists(1) == after_lists(n_threads), "listwise_epoch depends on threads");
  });
}

template <class T>
void stress_ratings(Rng& rng) {
  const Matrix<T> x = stress_matrix<T>(rng);
  const std::int64_t width = 16 * (1 + below(rng, 5));
  const SgdSide<T> users(rng, x.n_rows, width), items(rng, x.n_cols, width);
  const auto side = [](SgdSide<T>& s) {
    return simd::RatingSide<T>{s.factors.data(), s.biases.data(), T(1e-3),
                               T(1e-3),          T(0.02),         T(0.02)};
  };
  const bool shuffled = rng() % 2 == 0;
  const std::int64_t n_strata = 1 + below(rng, 12);
  const auto after = [&](int threads) {
    SgdSide<T> u = users, i = items;
    const RatingProblem<T> problem{x.view(), side(u),  side(i), width, 2.0,
                                   shuffled, n_strata, 1,       0};
    const double sum = rating_epoch(Run(threads), problem);
    return std::tuple(u, i, sum);
  };
  const int n_threads = 2 + static_cast<int>(rng() % 4);
  unless_diverged([&] { expect(after(1) == after(n_threads), "rating_epoch depends on threads"); });
  SgdSide<T> u = users, i = items, implicit = items, residual = items;
  unless_diverged([&] {
    implicit_rating_epoch(Run(1), ImplicitRatingProblem<T>{
                                      x.view(), side(u), side(i), side(implicit),
                                      shuffled ? residual.factors.data() : nullptr, width, 2.0, 0});
  });
}

template <class T>
void stress_embeddings(Rng& rng) {
  const Matrix<T> weights = stress_matrix<T>(rng);
  const Matrix<T> by_feature = transposed(Run(1), weights);
  const std::int64_t width = 1 + below(rng, 40), n = weights.n_rows, n_features = weights.n_cols;
  std::vector<std::int32_t> rows;
  for (std::int32_t row = 0; row < n; ++row) {
    if (rng() % 3 > 0) rows.push_back(row);
  }
  const auto numbers = [&](std::int64_t size, T least) {
    std::vector<T> values(static_cast<std::size_t>(size));
    for (T& v : values) v = least + static_cast<T>(below(rng, 2001)) / T(3000);
    return values;
  };
  const auto n_taken = static_cast<std::int64_t>(rows.size());
  const std::vector<T> own_weights = numbers(n, T(0)), own = numbers(n * width, T(-0.3)),
                       table = numbers(n_features * width, T(-0.3)),
                       moves = numbers(n_taken * width, T(0));
  const auto after = [&](int threads) {
    std::vector<T> o = own, so(own.size(), T(1)), t = table, st(table.size(), T(1));
    std::vector<T> factors(moves.size()), squares(moves.size());
    const Embeddings<T> e{n,        n_features, width,    own_weights.data(),
                          o.data(), so.data(),  t.data(), st.data()};
    const EmbeddedRows<T> r{rows.data(), n_taken, factors.data(), squares.data()};
    const Run run(threads);
    embedding_sums(run, e, weights.view(), r);
    const std::vector<T> factors_before = factors, squares_before = squares;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      factors[i] += moves[i];
      squares[i] += moves[i] * moves[i];
    }
    embedding_moves(run, e, by_feature.view(), r, factors_before.data(), squares_before.data());
    return std::tuple(o, so, t, st, factors_before, squares_before);
  };
  expect(after(1) == after(2 + static_cast<int>(rng() % 4)), "embeddings depend on threads");
}

template void stress_embeddings<float>(Rng&);
template void stress_embeddings<double>(Rng&);
template void stress_sgd<float>(Rng&);
template void stress_sgd<double>(Rng&);
template void stress_ratings<float>(Rng&);
template void stress_ratings<double>(Rng&);

}  // namespace aimass::stress
