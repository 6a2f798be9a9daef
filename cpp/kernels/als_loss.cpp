#include "als_loss.hpp"

namespace aimass {

template <class T>
double als_loss(const Run& run, const Csr<T>& rows, const T* row_factors, const T* factors,
                std::int64_t n_factors, const AlsWeights& weights) {
  struct Scratch {
    std::vector<T> x, weight, target, scores;
  };
  const auto& passes = simd::als_passes<T>();
  const PaddedFactors<T> y(run, factors, rows.n_cols, n_factors);
  const auto bounds = row_blocks(rows, 8);
  const std::size_t n_blocks = bounds.size() - 1;
  std::vector<double> partial(n_blocks, 0.0);
  std::vector<Scratch> scratch(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, static_cast<std::int64_t>(n_blocks), [&](std::int64_t block, int thread) {
    auto& [x, weight, target, scores] = scratch[static_cast<std::size_t>(thread)];
    x.resize(static_cast<std::size_t>(y.width()));
    const auto b = static_cast<std::size_t>(block);
    for (std::int64_t row = bounds[b]; row < bounds[b + 1]; ++row) {
      const std::int64_t begin = rows.begin(row), n = rows.end(row) - begin;
      const auto length = static_cast<std::size_t>(n);
      if (length > scores.size()) {
        weight.resize(length);
        target.resize(length);
        scores.resize(length);
      }
      PaddedFactors<T>::pad(row_factors + row * n_factors, n_factors, x.data());
      weights.of(rows.data + begin, n, weight.data(), target.data());
      passes.scores({y.data(), rows.indices + begin, y.width(), nullptr, nullptr, n}, y.width(),
                    x.data(), false, scores.data());
      for (std::size_t i = 0; i < length; ++i) {
        const double s = scores[i], t = target[i];
        const double constant = weights.preferences ? t : t * t;
        partial[b] += static_cast<double>(weight[i]) * s * s - 2 * t * s + constant;
      }
      run.poll();
    }
  });
  double sum = 0;
  for (const double part : partial) sum += part;
  return sum;
}

template double als_loss(const Run& run, const Csr<float>& rows, const float* row_factors,
                         const float* factors, std::int64_t n_factors, const AlsWeights& weights);
template double als_loss(const Run& run, const Csr<double>& rows, const double* row_factors,
                         const double* factors, std::int64_t n_factors, const AlsWeights& weights);

}  // namespace aimass
