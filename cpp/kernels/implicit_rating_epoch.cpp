#include "implicit_rating_epoch.hpp"

#include <cmath>

#include "denormals.hpp"
#include "rating_epoch.hpp"
#include "sgd_finite.hpp"
#include "sgd_strata.hpp"

namespace aimass {

namespace sgd_detail {

template <class T>
class ImplicitRatings {
 public:
  ImplicitRatings(const Run& run, const ImplicitRatingProblem<T>& problem)
      : run_(run),
        problem_(problem),
        kernels_(simd::rating_kernels<T>()),
        start_(static_cast<std::size_t>(problem.width)),
        z_(start_.size()) {}

  double user(std::int64_t row) {
    const auto& [x, users, items, implicit, residual_factors, width, mean, epoch] = problem_;
    const std::int64_t begin = x.begin(row), n = x.end(row) - begin;
    const std::int32_t* indices = x.indices + begin;
    const T* ratings = x.data + begin;
    T* bias = users.biases == nullptr ? nullptr : users.biases + row;
    const T scale = static_cast<T>(1 / std::sqrt(static_cast<double>(n)));
    const double gain = weigh(indices, ratings, n, bias, scale);
    std::fill(start_.begin(), start_.end(), T{0});
    kernels_.gather(implicit.factors, width, indices, own_.data(), n, start_.data());
    if (residual_factors != nullptr) {
      kernels_.gather(residual_factors, width, indices, residuals_.data(), n, start_.data());
    }
    z_ = start_;
    T* p = users.factors == nullptr ? nullptr : users.factors + row * width;
    double sum = 0;
    T kept = 1;  // of what y and x were
    for (std::int64_t from = 0; from < n; from += kChunk) {
      const std::int64_t m = std::min(kChunk, n - from);
      sum += kernels_.implicit({p, z_.data(), bias, static_cast<T>(gain)}, users, items, implicit,
                               width, static_cast<T>(mean), indices + from, ratings + from, m);
      kept *= static_cast<T>(std::pow(1 - static_cast<double>(implicit.rate * implicit.penalty),
                                      static_cast<double>(m)));
      run_.poll();
    }
    for (std::size_t f = 0; f < z_.size(); ++f) {
      z_[f] = (z_[f] - kept * start_[f]) / static_cast<T>(gain);
    }
    kernels_.scatter(implicit.factors, width, indices, own_.data(), n, kept, z_.data());
    if (residual_factors != nullptr) {
      kernels_.scatter(residual_factors, width, indices, residuals_.data(), n, kept, z_.data());
    }
    return sum;
  }

 private:
  static constexpr std::int64_t kChunk = 4096;

  // Coefficients of the user's y and x; returns the gain.
  double weigh(const std::int32_t* indices, const T* ratings, std::int64_t n, const T* bias,
               T scale) {
    own_.assign(static_cast<std::size_t>(n), scale);
    if (problem_.residual_factors == nullptr) return 1;
    residuals_.resize(static_cast<std::size_t>(n));
    double gain = 1;
    for (std::int64_t e = 0; e < n; ++e) {
      T residual = ratings[e] - static_cast<T>(problem_.mean);
      if (bias != nullptr) residual -= *bias;
      if (problem_.items.biases != nullptr) residual -= problem_.items.biases[indices[e]];
      residuals_[static_cast<std::size_t>(e)] = residual * scale;
      gain += static_cast<double>(residual * scale) * static_cast<double>(residual * scale);
    }
    return gain;
  }

  const Run& run_;
  const ImplicitRatingProblem<T>& problem_;
  const simd::RatingKernels<T>& kernels_;
  std::vector<T> start_, z_, own_, residuals_;
};

}  // namespace sgd_detail

template <class T>
double implicit_rating_epoch(const Run& run, const ImplicitRatingProblem<T>& problem) {
  const FlushDenormals flush;
  sgd_detail::ImplicitRatings<T> worker(run, problem);
  double sum = 0;
  for (std::int64_t row = 0; row < problem.x.n_rows; ++row) {
    if (problem.x.begin(row) == problem.x.end(row)) continue;
    sum += worker.user(row);
    if (!std::isfinite(sum)) throw diverged(problem.epoch);
  }
  const auto finite = [&](const T* rows, const T* biases, std::int64_t n) {
    require_finite(run, rows, biases, n, problem.width, problem.epoch);
  };
  const std::int64_t n_rows = problem.x.n_rows, n_cols = problem.x.n_cols;
  finite(problem.users.factors, problem.users.biases, n_rows);
  finite(problem.items.factors, problem.items.biases, n_cols);
  finite(problem.implicit.factors, nullptr, n_cols);
  finite(problem.residual_factors, nullptr, n_cols);
  return sum;
}

template double implicit_rating_epoch(const Run& run, const ImplicitRatingProblem<float>& problem);
template double implicit_rating_epoch(const Run& run, const ImplicitRatingProblem<double>& problem);

}  // namespace aimass
