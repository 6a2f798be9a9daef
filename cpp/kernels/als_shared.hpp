// What the systems of all rows of one side have in common, as the kernels read it: the gramian with
// padded rows; for conjugate gradient in panels (see simd::AlsProducts), with the inverse of the
// preconditioner gramian + common_ridge I where it is asked for. Cost of the inverse: f^3
// multiply-adds in float64, once a half-step.
#pragma once

#include <limits>

#include "../simd/linear_kernels.hpp"
#include "als_problem.hpp"

namespace aimass {

template <class T>
class AlsShared {
 public:
  AlsShared(const Run& run, const AlsProblem<T>& problem, std::int64_t width)
      : f_(problem.n_factors), width_(width) {
    if (!problem.iterates()) {
      gramian_ = padded(problem.gramian);
      return;
    }
    const double* from = problem.gramian;
    if (std::any_of(from, from + f_ * f_, [](double v) { return v != 0; })) {
      minus_gramian_ = panels(from, -1);
    }
    double largest = 0;
    for (std::int64_t k = 0; k < f_; ++k) largest = std::max(largest, from[k * f_ + k]);
    const double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
    resolved_ = static_cast<T>(8 * epsilon * largest);
    if (problem.solver == AlsSolver::pcg) precondition(run, problem, largest, std::sqrt(epsilon));
  }

  // Rows of the width, for solvers that do not iterate.
  const T* gramian() const { return gramian_.data(); }

  simd::AlsConjugate<T> of_row(T ridge) const { return {ridge, shift_, resolved_, exact_}; }
  bool has_preconditioner() const { return inverse_.data() != nullptr; }
  // turn of simd::AlsPasses does all that the gramian adds.
  bool is_exact() const { return exact_; }

  // out -= a gramian for a few rows, `width` apart.
  void subtract_gramian(const Run& run, std::int64_t n_rows, const T* a, T* out) const {
    if (minus_gramian_.data() != nullptr) multiply(run, n_rows, a, minus_gramian_, out);
  }
  // out = a (gramian + shift I)^-1.
  void precondition(const Run& run, std::int64_t n_rows, const T* a, T* out) const {
    std::fill(out, out + n_rows * width_, T{0});
    multiply(run, n_rows, a, inverse_, out);
  }

 private:
  static constexpr std::int64_t kPad = simd::kAlsPad<T>;

  void precondition(const Run& run, const AlsProblem<T>& problem, double largest, double root) {
    std::vector<double> matrix(problem.gramian, problem.gramian + f_ * f_);
    // Directions that hardly a row has would be lost in the inverse's rounding.
    const double least = root * largest;
    const double wanted = std::max(problem.common_ridge, least), shift = wanted > 0 ? wanted : 1.0;
    for (std::int64_t k = 0; k < f_; ++k) matrix[static_cast<std::size_t>(k * f_ + k)] += shift;
    shift_ = static_cast<T>(shift);
    // Where common_ridge falls short of the shift, a direction that the preconditioner stretches
    // may have next to no curvature, and steps along it would be rounding errors magnified.
    if (problem.common_ridge < least) resolved_ = std::max(resolved_, static_cast<T>(shift / 64));
    exact_ = problem.common_ridge > 0 && problem.common_ridge >= 3 * least;
    invert(run, matrix);
    inverse_ = panels(matrix.data(), 1);
  }

  void multiply(const Run& run, std::int64_t n_rows, const T* a, const Buffer<T>& matrix,
                T* out) const {
    constexpr std::int64_t kUnit = 8;  // panels
    in_pieces(
        run, width_ / kPad, kUnit, n_rows * f_ * kPad, [&](std::int64_t from, std::int64_t to) {
          simd::als_products<T>().multiply(n_rows, a, f_, width_, matrix.data() + from * f_ * kPad,
                                           to - from, out + from * kPad);
          return true;
        });
  }

  Buffer<T> padded(const double* from) const {
    Buffer<T> rows(width_ * width_);
    std::fill(rows.data(), rows.data() + width_ * width_, T{0});
    for (std::int64_t r = 0; r < f_; ++r) {
      for (std::int64_t c = 0; c < f_; ++c) rows[r * width_ + c] = static_cast<T>(from[r * f_ + c]);
    }
    return rows;
  }

  Buffer<T> panels(const double* from, double sign) const {
    Buffer<T> out(width_ * f_);
    T* next = out.data();
    for (std::int64_t first = 0; first < width_; first += kPad) {
      for (std::int64_t r = 0; r < f_; ++r) {
        for (std::int64_t c = first; c < first + kPad; ++c) {
          *next++ = c < f_ ? static_cast<T>(sign * from[r * f_ + c]) : T{0};
        }
      }
    }
    return out;
  }

  // Gauss and Jordan's elimination in place; a positive definite matrix needs no pivoting.
  void invert(const Run& run, std::vector<double>& a) const {
    const auto& kernels = simd::linear_kernels<double>();
    constexpr std::int32_t kFirst = 0;
    for (std::int64_t k = 0; k < f_; ++k) {
      double* pivot_row = a.data() + k * f_;
      const double inverse = 1 / pivot_row[k];
      pivot_row[k] = 1;
      for (std::int64_t c = 0; c < f_; ++c) pivot_row[c] *= inverse;
      for (std::int64_t r = 0; r < f_; ++r) {
        if (r == k) continue;
        double* row = a.data() + r * f_;
        const double factor = -row[k];
        row[k] = 0;
        kernels.add_rows(pivot_row, f_, &kFirst, &factor, 1, f_, row);
      }
      run.poll();
    }
  }

  std::int64_t f_, width_;
  T shift_ = 0, resolved_ = 0;
  bool exact_ = false;
  Buffer<T> gramian_, minus_gramian_, inverse_;
};

}  // namespace aimass
