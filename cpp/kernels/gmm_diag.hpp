// Diagonal covariances in float32: score[k] = constant[k] - sum of ((z - mean[k]) / width[k])^2 /
// 2, two multiply-adds a column as with the features z and z^2, but as a sum of squares it is off
// by 2^-24 of the ratio of the data's spread to the component's width, not of its square. Where
// that ratio is too large, or a row too far from everything, float64 and features take over.
#pragma once

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <vector>

#include "../simd/mixture_diag.hpp"
#include "../simd/mixture_full.hpp"
#include "gmm_float32.hpp"

namespace aimass {

class DiagFloat {
 public:
  // Nothing where float32 is not safe, or for other forms.
  template <class T>
  static std::optional<DiagFloat> make(const GmmRows<T>& x, const Coefficients* coefficients) {
    if (sizeof(T) != sizeof(float) || coefficients == nullptr || coefficients->diag().empty())
      return std::nullopt;
    const std::vector<double> square = mean_squares(x);
    if (!fits_float32(x, square)) return std::nullopt;
    const std::int64_t n_components = coefficients->n_components();
    DiagFloat model(x.d, n_components);
    const double* values = coefficients->diag().data();
    const std::int64_t tile = mixture::diag_kernels().tile;
    double amplified = 0;
    for (std::int64_t k = 0; k < n_components; ++k, values += 1 + 2 * x.d) {
      double constant = values[0];
      float* const to = model.coefficients_.data() + k / tile * tile * 2 * x.d + k % tile;
      for (std::int64_t i = 0; i < x.d; ++i) {
        const double linear = values[1 + i], precision = -2 * values[1 + x.d + i];
        const bool flat = precision == 0 && linear == 0;
        if (!(precision > 0) && !flat) return std::nullopt;  // no square
        const double root = std::sqrt(precision), offset = flat ? 0.0 : -linear / root;
        constant += offset * offset / 2;
        const double z = root * root * square[static_cast<std::size_t>(i)];
        const double most = std::max(z, offset * offset);
        if (!(most <= amplified)) amplified = most;  // NaN stays
        to[2 * i * tile] = static_cast<float>(root);
        to[(2 * i + 1) * tile] = static_cast<float>(offset);
      }
      model.constants_.push_back(constant);
      model.lowest_ = std::max(model.lowest_, constant);
    }
    model.lowest_ -= kFarthest;
    if (!(amplified < kMostAmplified * kMostAmplified)) return std::nullopt;
    return model;
  }

  // A thread's rows.
  struct Work {
    explicit Work(const DiagFloat& model)
        : rows(mixture::kRows * model.stride_),
          columns(mixture::kRows * model.d_),
          scratch(mixture::kRows * model.n_components_) {}
    Buffer<float> rows, columns, scratch;
  };

  // Scores of n rows from `begin` on; false where they need float64.
  template <class T>
  bool scores(const GmmRows<T>& x, std::int64_t begin, std::int64_t n, Work& work,
              double* out) const {
    if constexpr (sizeof(T) == sizeof(float)) return scores_of(x, begin, n, work, out);
    return false;
  }

  // Sums over the rows whose scores were made last.
  void statistics(Work& work, const double* responsibilities, const mixture::Sums& sums) const {
    mixture::diag_kernels().statistics(n_components_, 2 * d_, work.rows.data(), stride_,
                                       responsibilities, work.scratch.data(), sums.features,
                                       sums.stride);
  }

 private:
  bool scores_of(const GmmRows<float>& x, std::int64_t begin, std::int64_t n, Work& work,
                 double* out) const {
    const auto& kernels = mixture::full_kernels<float>();
    mixture::diag_kernels().pack(x.x + begin * d_, n, d_, x.shift, x.scale, stride_,
                                 work.rows.data());
    // A flat density has such rows near it, but 0 times an infinite square is no number.
    if (beyond(work.rows.data(), mixture::kRows * stride_, 1e25F)) return false;
    for (std::int64_t b = 0; b < mixture::kRows; b += kernels.group)
      kernels.turn(work.rows.data(), stride_, all_.data() + b, kernels.group, d_,
                   work.columns.data() + b * d_);
    return mixture::diag_kernels().scores(n_components_, d_, coefficients_.data(),
                                          constants_.data(), work.columns.data(), lowest_, out);
  }

  DiagFloat(std::int64_t d, std::int64_t n_components)
      : d_(d),
        n_components_(n_components),
        stride_((2 * d + 15) / 16 * 16 + 16),
        coefficients_(static_cast<std::size_t>((n_components + 7) / 8 * 8 * 2 * d)),
        all_(static_cast<std::size_t>(mixture::kRows)) {
    std::iota(all_.begin(), all_.end(), 0);
  }

  std::int64_t d_, n_components_, stride_;
  std::vector<float> coefficients_;
  std::vector<double> constants_;
  std::vector<std::int32_t> all_;
  double lowest_ = -std::numeric_limits<double>::infinity();
};

}  // namespace aimass
