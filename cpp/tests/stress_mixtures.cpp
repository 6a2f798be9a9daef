// The mixture kernels under the sanitizers: random shapes at every ISA level, 1 to 5 threads,
// results compared between thread counts. Kernels: gmm_em_step, gmm_score.
#include <array>
#include <cstdint>
#include <random>
#include <tuple>
#include <vector>

#include "../kernels/gmm_em_step.hpp"
#include "../kernels/gmm_score.hpp"
#include "stress.hpp"

namespace aimass::stress {

inline std::vector<double> normal(Rng& rng, std::int64_t n) {
  std::normal_distribution<double> draw;
  std::vector<double> values(static_cast<std::size_t>(n));
  for (double& value : values) value = draw(rng);
  return values;
}

template <class T>
void stress_mixtures(Rng& rng) {
  constexpr std::array kForms = {Form::linear, Form::spherical, Form::diag, Form::full};
  const auto form = [&] { return kForms[static_cast<std::size_t>(below(rng, 4))]; };
  const bool large = rng() % 4 == 0;  // several parts
  const std::int64_t n = below(rng, large ? 4'000 : 300), d = 1 + below(rng, 40);
  const std::int64_t n_components = 1 + below(rng, 20);
  const Form score_form = form(), sums_form = rng() % 2 == 0 ? score_form : form();
  const std::vector<double> values = normal(rng, n * d), shift = normal(rng, d);
  const std::vector<T> x(values.begin(), values.end());
  const std::vector<double> scale(static_cast<std::size_t>(d), 0.5);
  const std::vector<double> weights(static_cast<std::size_t>(n), 2.0);
  const std::vector<double> resp(static_cast<std::size_t>(n * n_components), 0.25);
  std::vector<double> given = normal(rng, n_components * n_features(score_form, d));
  if (score_form == Form::diag && rng() % 2 == 0)  // as of Gaussians, which float32 may compute
    for (std::int64_t k = 0; k < n_components; ++k)
      for (std::int64_t i = 0; i < d; ++i)
        given[static_cast<std::size_t>(k * (1 + 2 * d) + 1 + d + i)] = -1.0;
  const std::vector<double> given_common = normal(rng, n_features(Form::full, d));
  const Coefficients coefficients(score_form, d, n_components, given.data());
  const Coefficients common(Form::full, d, 1, given_common.data());
  const GmmRows<T> rows{
      x.data(), n, d, shift.data(), scale.data(), rng() % 2 == 0 ? weights.data() : nullptr};
  const bool outside = rng() % 4 == 0;
  const GmmAssignment to{outside ? resp.data() : nullptr, outside ? nullptr : &coefficients,
                         nullptr, n_components, rng() % 2 == 0};
  const auto step = [&](int n_threads) {
    std::vector<double> sums(static_cast<std::size_t>(n_components * n_features(sums_form, d)));
    const double score = gmm_em_step(Run(n_threads), rows, to, sums_form, sums.data());
    return std::tuple(sums, score);
  };
  const bool tied = rng() % 2 == 0;
  const auto score = [&](int n_threads, int output) {
    std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
    std::vector<double> densities(static_cast<std::size_t>(n));
    std::vector<T> shares(static_cast<std::size_t>(n * n_components));
    gmm_score(Run(n_threads), rows, coefficients, tied ? &common : nullptr,
              GmmScores<T>{output == 0 ? labels.data() : nullptr,
                           output == 1 ? densities.data() : nullptr, shares.data()});
    return std::tuple(labels, densities, shares);
  };
  const int many = 2 + static_cast<int>(rng() % 4);
  expect(step(1) == step(many), "gmm_em_step depends on threads");
  for (const int output : {0, 1, 2})
    expect(score(1, output) == score(many, output), "gmm_score depends on threads");
}

// The same of the form "triangular": groups that lie apart, so that components are left out.
template <class T>
void stress_triangles(Rng& rng) {
  const bool large = rng() % 4 == 0;
  const std::int64_t n = below(rng, large ? 6'000 : 300), d = 1 + below(rng, 50);
  const std::int64_t n_components = 1 + below(rng, 12), given = n_features(Form::full, d);
  std::vector<double> values = normal(rng, n * d), model = normal(rng, n_components * given);
  for (double& value : model) value *= 3;
  for (std::int64_t i = 0; i < n * d; ++i)
    values[static_cast<std::size_t>(i)] +=
        model[static_cast<std::size_t>(i / d % n_components * given + 1 + i % d)];
  const std::vector<T> x(values.begin(), values.end());
  const std::vector<double> shift(static_cast<std::size_t>(d), 0.0),
      scale(static_cast<std::size_t>(d), 1.0);
  const GmmRows<T> rows{x.data(), n, d, shift.data(), scale.data(), nullptr};
  const TriangularRows triangles{n_components, d, model.data()};
  const auto answers = [&](int n_threads) {
    std::vector<double> sums(static_cast<std::size_t>(n_components * given));
    const double score =
        gmm_em_step(Run(n_threads), rows, {nullptr, nullptr, &triangles, n_components, false},
                    Form::full, sums.data());
    std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
    std::vector<T> shares(static_cast<std::size_t>(n * n_components));
    gmm_score(Run(n_threads), rows, triangles, GmmScores<T>{labels.data(), nullptr, nullptr});
    gmm_score(Run(n_threads), rows, triangles, GmmScores<T>{nullptr, nullptr, shares.data()});
    return std::tuple(sums, score, labels, shares);
  };
  expect(answers(1) == answers(2 + static_cast<int>(rng() % 4)), "triangles depend on threads");
}

template void stress_mixtures<float>(Rng&);
template void stress_mixtures<double>(Rng&);
template void stress_triangles<float>(Rng&);
template void stress_triangles<double>(Rng&);

}  // namespace aimass::stress
