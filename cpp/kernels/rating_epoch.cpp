#include "rating_epoch.hpp"

#include <cmath>

#include "denormals.hpp"
#include "sgd_finite.hpp"
#include "sgd_strata.hpp"

namespace aimass {

namespace sgd_detail {

template <class T>
double shuffled_ratings(const Run& run, const RatingProblem<T>& problem) {
  const std::uint64_t key = derived_key(derived_key(problem.seed, 0), problem.epoch);
  SgdStrata<T> strata(run, problem.x, problem.n_strata, key, true);
  std::vector<std::vector<simd::RatingPair>> scratch(static_cast<std::size_t>(run.n_threads()));
  std::vector<double> parts(static_cast<std::size_t>(problem.n_strata * problem.n_strata), 0.0);
  strata.for_each_tile(run, [&](const auto& tile, int thread, std::int64_t block) {
    const FlushDenormals flush;
    random_order(derived_key(tile.key, 0), tile.n_entries, [&](std::int64_t i, std::int64_t j) {
      std::swap(tile.entries[i], tile.entries[j]);
      std::swap(tile.values[i], tile.values[j]);
    });
    std::vector<simd::RatingPair>& pairs = scratch[static_cast<std::size_t>(thread)];
    pairs.resize(static_cast<std::size_t>(tile.n_entries));
    std::transform(tile.entries, tile.entries + tile.n_entries, pairs.begin(),
                   [&](const TileEntry& entry) {
                     return simd::RatingPair{tile.users[entry.user], tile.items[entry.item]};
                   });
    double& part = parts[static_cast<std::size_t>(block)];
    part += simd::rating_kernels<T>().steps(problem.users, problem.items, problem.width,
                                            static_cast<T>(problem.mean), pairs.data(), tile.values,
                                            tile.n_entries);
    if (!std::isfinite(part)) throw diverged(problem.epoch);
  });
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

template <class T>
double stored_ratings(const Run& run, const RatingProblem<T>& problem) {
  constexpr std::int64_t kChunk = 4096;
  const FlushDenormals flush;
  const Csr<T>& x = problem.x;
  std::vector<simd::RatingPair> pairs(kChunk);
  double sum = 0;
  for (std::int64_t row = 0; row < x.n_rows; ++row) {
    for (std::int64_t begin = x.begin(row); begin < x.end(row); begin += kChunk) {
      const std::int64_t n = std::min(kChunk, x.end(row) - begin);
      for (std::int64_t e = 0; e < n; ++e) {
        pairs[static_cast<std::size_t>(e)] = {static_cast<std::int32_t>(row), x.indices[begin + e]};
      }
      sum += simd::rating_kernels<T>().steps(problem.users, problem.items, problem.width,
                                             static_cast<T>(problem.mean), pairs.data(),
                                             x.data + begin, n);
      run.poll();
    }
    if (!std::isfinite(sum)) throw diverged(problem.epoch);
  }
  return sum;
}

}  // namespace sgd_detail

template <class T>
double rating_epoch(const Run& run, const RatingProblem<T>& problem) {
  const double sum = problem.shuffled ? sgd_detail::shuffled_ratings(run, problem)
                                      : sgd_detail::stored_ratings(run, problem);
  require_finite(run, problem.users.factors, problem.users.biases, problem.x.n_rows, problem.width,
                 problem.epoch);
  require_finite(run, problem.items.factors, problem.items.biases, problem.x.n_cols, problem.width,
                 problem.epoch);
  return sum;
}

template double rating_epoch(const Run& run, const RatingProblem<float>& problem);
template double rating_epoch(const Run& run, const RatingProblem<double>& problem);

}  // namespace aimass
