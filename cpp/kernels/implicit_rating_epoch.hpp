// Problem: one epoch of stochastic gradient descent, user by user in the order of the entries, of
// rating models whose user factors hold what the rated items say:
//   rating ~ mean + b_u + b_i + q_i'(p_u + z_u)
//   SVD++           z_u = n^-1/2 sum y_j                                over the n items of the
//   user asymmetric SVD  z_u = n^-1/2 sum (y_j + (r_uj - b_uj) x_j), no p_u; b_uj = mean + b_u +
//   b_j as it
//                   is before the user's first step
// A step of entry (u, i) with error e moves every y_j of the user by rate (e q_i / n^1/2 - penalty
// y_j), and x_j alike. All of them move by the same factor and along the same vector, so
//   z = (1 - rate penalty) z + gain rate e q_i,   gain = 1 (+ sum (r_uj - b_uj)^2 / n)
// is the exact sum at every step, and the y_j and x_j are written once when the user is done: an
// epoch costs O(nnz f), where stepping through them costs O(sum of n^2 f). One thread, as every
// step needs the one before. Memory: four rows and the longest row of the matrix.
// Koren, Factorization meets the neighborhood (KDD 2008).
#pragma once

#include <cmath>

#include "rating_epoch.hpp"

namespace aimass {

template <class T>
struct ImplicitRatingProblem {
  Csr<T> x;
  simd::RatingSide<T> users;     // factors nullptr: no p_u
  simd::RatingSide<T> items;     // q, with biases
  simd::RatingSide<T> implicit;  // y
  T* residual_factors;           // x_j; nullptr: there are none
  std::int64_t width;
  double mean;
  std::uint64_t epoch;
};

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

// Returns the sum of the squared errors, each before the entry's step.
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

}  // namespace aimass
