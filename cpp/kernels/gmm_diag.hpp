// Diagonal covariances in float32: score[k] = constant[k] - sum of ((z - mean[k]) / width[k])^2 /
// 2, two multiply-adds a column as with the features z and z^2, but as a sum of squares it is off
// by 2^-24 of the ratio of the data's spread to the component's width, not of its square. Where
// that ratio is too large, or a row too far from everything, float64 and features take over.
//
// Scores are less the highest constant, so that rounding them adds no more than rounding the sum of
// squares did, and responsibilities are float32 too; of a row, the log of the sum of exp is added
// to its best score in float64.
#pragma once

#include <algorithm>
#include <cmath>
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
    std::vector<double> constants;
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
      constants.push_back(constant);
    }
    if (constants.empty() || !(amplified < kMostAmplified * kMostAmplified)) return std::nullopt;
    model.highest_ = *std::max_element(constants.begin(), constants.end());
    for (const double constant : constants)
      model.constants_.push_back(static_cast<float>(constant - model.highest_));
    return model;
  }

  // A thread's rows.
  struct Work {
    explicit Work(const DiagFloat& model)
        : rows(mixture::kRows * model.stride_),
          columns(mixture::kRows * model.d_),
          scores(mixture::kRows * model.n_components_),
          best(mixture::kRows) {}
    Buffer<float> rows, columns, scores, best;
  };

  // Scores of n rows from `begin` on; false where they need float64.
  template <class T>
  bool scores(const GmmRows<T>& x, std::int64_t begin, std::int64_t n, Work& work) const {
    if constexpr (sizeof(T) == sizeof(float)) return scores_of(x, begin, n, work);
    return false;
  }

  // The best components of the rows whose scores were made last.
  void labels(const Work& work, std::int64_t* out) const {
    mixture::diag_kernels().labels(n_components_, work.scores.data(), out);
  }

  // Their scores become responsibilities. Returns the sum of weight times log-density.
  double softmax(Work& work, const double* weights, double* score_of_row) const {
    double total = 0;
    mixture::diag_kernels().softmax(n_components_, highest_, weights, work.best.data(),
                                    work.scores.data(), score_of_row, &total);
    return total;
  }

  // Those of the first n rows, row by row.
  void write(const Work& work, std::int64_t n, float* out) const {
    mixture::diag_kernels().turn(n, n_components_, work.scores.data(), out);
  }

  // Counts and sums over these rows.
  void statistics(const Work& work, const mixture::Sums& sums) const {
    mixture::diag_kernels().statistics(n_components_, 2 * d_, work.rows.data(), stride_,
                                       work.scores.data(), sums);
  }

 private:
  bool scores_of(const GmmRows<float>& x, std::int64_t begin, std::int64_t n, Work& work) const {
    const auto& kernels = mixture::full_kernels<float>();
    // A flat density has rows beyond the limit near it, but 0 times an infinite square is no
    // number.
    constexpr float kLimit = 1e25F;
    if (!mixture::diag_kernels().pack(x.x + begin * d_, n, d_, x.shift, x.scale, stride_, kLimit,
                                      work.rows.data()))
      return false;
    for (std::int64_t b = 0; b < mixture::kRows; b += kernels.group)
      kernels.turn(work.rows.data(), stride_, all_.data() + b, kernels.group, d_,
                   work.columns.data() + b * d_);
    return mixture::diag_kernels().scores(
        n_components_, d_, coefficients_.data(), constants_.data(), work.columns.data(),
        -static_cast<float>(kFarthest), work.scores.data(), work.best.data());
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
  std::vector<float> coefficients_, constants_;
  std::vector<std::int32_t> all_;
  double highest_ = 0;
};

}  // namespace aimass
