// What the systems of all rows of one side have in common, as the kernels read it: the gramian with
// padded rows, and the inverse of the preconditioner gramian + common_ridge I where it is asked
// for. Cost: f^3 multiply-adds in float64, once a half-step.
#pragma once

#include <limits>

#include "als_problem.hpp"

namespace aimass {

template <class T>
class AlsShared {
 public:
  AlsShared(const Run& run, const AlsProblem<T>& problem, std::int64_t width)
      : f_(problem.n_factors), gramian_(padded(problem.gramian, f_, width)) {
    std::vector<double> matrix(problem.gramian, problem.gramian + f_ * f_);
    double largest = 0;
    for (std::int64_t k = 0; k < f_; ++k) largest = std::max(largest, matrix[index(k, k)]);
    const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
    resolved_ = static_cast<T>(8 * epsilon * largest);
    if (problem.solver != AlsSolver::pcg) return;
    // Directions that hardly a row has would be lost in the inverse's rounding.
    const double least = std::sqrt(epsilon) * largest;
    const double wanted = std::max(problem.common_ridge, least), shift = wanted > 0 ? wanted : 1.0;
    for (std::int64_t k = 0; k < f_; ++k) matrix[index(k, k)] += shift;
    shift_ = static_cast<T>(shift);
    // Where common_ridge falls short of the shift, a direction that the preconditioner stretches
    // may have next to no curvature, and steps along it would be rounding errors magnified.
    if (problem.common_ridge < least) resolved_ = std::max(resolved_, static_cast<T>(shift / 64));
    exact_ = problem.common_ridge > 0 && problem.common_ridge >= 3 * least;
    invert(run, matrix);
    inverse_ = padded(matrix.data(), f_, width);
  }

  const T* gramian() const { return gramian_.data(); }
  simd::AlsShared<T> of_row(T ridge) const {
    return {gramian_.data(), inverse_.data(), f_, ridge, shift_, resolved_, exact_};
  }

 private:
  std::size_t index(std::int64_t r, std::int64_t c) const {
    return static_cast<std::size_t>(r * f_ + c);
  }

  static Buffer<T> padded(const double* from, std::int64_t f, std::int64_t width) {
    Buffer<T> rows(width * width);
    std::fill(rows.data(), rows.data() + width * width, T{0});
    for (std::int64_t r = 0; r < f; ++r) {
      for (std::int64_t c = 0; c < f; ++c) rows[r * width + c] = static_cast<T>(from[r * f + c]);
    }
    return rows;
  }

  // Gauss and Jordan's elimination in place; a positive definite matrix needs no pivoting.
  void invert(const Run& run, std::vector<double>& a) const {
    for (std::int64_t k = 0; k < f_; ++k) {
      double* pivot_row = a.data() + k * f_;
      const double inverse = 1 / pivot_row[k];
      pivot_row[k] = 1;
      for (std::int64_t c = 0; c < f_; ++c) pivot_row[c] *= inverse;
      for (std::int64_t r = 0; r < f_; ++r) {
        if (r == k) continue;
        double* row = a.data() + r * f_;
        const double factor = row[k];
        row[k] = 0;
        for (std::int64_t c = 0; c < f_; ++c) row[c] -= factor * pivot_row[c];
      }
      run.poll();
    }
  }

  std::int64_t f_;
  T shift_ = 0, resolved_ = 0;
  bool exact_ = false;
  Buffer<T> gramian_, inverse_;
};

}  // namespace aimass
