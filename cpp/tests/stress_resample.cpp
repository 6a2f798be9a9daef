// Resampling under the sanitizers: random sizes, every law and level; results are compared between
// thread counts. Kernels: resampled_sums, resampling_weights, standard_normal.
#include <array>

#include "../kernels/resample.hpp"
#include "../kernels/standard_normal.hpp"
#include "stress.hpp"

namespace aimass::stress {

void stress_resample(Rng& rng) {
  const std::int64_t n_rows = below(rng, 1500), n_columns = below(rng, 5);
  const Resampling law = std::array{Resampling::poisson, Resampling::multinomial,
                                    Resampling::signs}[static_cast<std::size_t>(below(rng, 3))];
  const Replicates replicates{rng(), rng(), below(rng, 150), law};
  std::vector<double> columns(static_cast<std::size_t>(n_rows * n_columns));
  for (double& x : columns) x = static_cast<double>(below(rng, 2001) - 1000) / 1000;
  const int several = 2 + static_cast<int>(rng() % 4);
  const auto sums = [&](int n_threads) {
    std::vector<double> out(static_cast<std::size_t>(replicates.n * n_columns));
    resampled_sums(Run(n_threads), columns.data(), n_rows, n_columns, replicates, out.data());
    return out;
  };
  expect(sums(1) == sums(several), "resampled_sums depends on threads");
  const auto weights = [&](int n_threads) {
    std::vector<std::int16_t> out(static_cast<std::size_t>(replicates.n * n_rows));
    resampling_weights(Run(n_threads), n_rows, replicates, out.data());
    return out;
  };
  expect(weights(1) == weights(several), "resampling_weights depends on threads");
  const std::int64_t n_normals = below(rng, 200'000);
  const auto normals = [&](int n_threads) {
    std::vector<double> out(static_cast<std::size_t>(n_normals));
    standard_normal(Run(n_threads), replicates.seed, n_normals, out.data());
    return out;
  };
  expect(normals(1) == normals(several), "standard_normal depends on threads");
}

}  // namespace aimass::stress
