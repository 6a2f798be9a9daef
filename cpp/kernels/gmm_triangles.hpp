// Full covariances given by the triangular roots of the precisions: as callers give them, as
// coefficients of features, and packed for the micro-kernels. gmm_full_block.hpp says what for.
#pragma once

#include <algorithm>
#include <vector>

#include "../simd/mixture_full.hpp"
#include "gmm_block.hpp"

namespace aimass {

// Parameters as callers give them: [component][constant, mean, upper triangle of P row by row].
struct TriangularRows {
  std::int64_t n_components, d;
  const double* values;

  const double* component(std::int64_t k) const { return values + k * n_features(Form::full, d); }
  // P[j][i], j <= i.
  double root(std::int64_t k, std::int64_t j, std::int64_t i) const {
    return component(k)[1 + d + j * d - j * (j - 1) / 2 + (i - j)];
  }

  // The same scores as coefficients of the form "full".
  Coefficients features() const {
    std::vector<double> out(static_cast<std::size_t>(n_components * n_features(Form::full, d)));
    for (std::int64_t k = 0; k < n_components; ++k) {
      const double* const mean = component(k) + 1;
      double* const to = out.data() + k * n_features(Form::full, d);
      double distance = 0;
      to[0] = component(k)[0];
      for (std::int64_t c = 0; c < d; ++c) {
        double y = 0;
        for (std::int64_t i = 0; i <= c; ++i) y += root(k, i, c) * mean[i];
        distance += y * y;
        for (std::int64_t i = 0; i <= c; ++i) {
          to[1 + i] += root(k, i, c) * y;
          double* const pairs = to + 1 + d + i * d - i * (i - 1) / 2;
          for (std::int64_t j = i; j <= c; ++j)
            pairs[j - i] -= (i == j ? 0.5 : 1.0) * root(k, i, c) * root(k, j, c);
        }
      }
      to[0] -= distance / 2;
    }
    return {Form::full, d, n_components, out.data()};
  }
};

// The same packed for the micro-kernels.
template <class S>
class Triangles {
 public:
  explicit Triangles(const TriangularRows& rows) : n_components_(rows.n_components), d_(rows.d) {
    const std::int64_t tile = mixture::full_kernels<S>().tile;
    width_ = (d_ + tile - 1) / tile * tile;
    size_ = width_ * (width_ + tile) / 2;
    triangles_ = Buffer<S>(n_components_ * size_);
    offsets_ = Buffer<S>(n_components_ * width_);
    std::fill_n(triangles_.data(), n_components_ * size_, S(0));
    std::fill_n(offsets_.data(), n_components_ * width_, S(0));
    for (std::int64_t k = 0; k < n_components_; ++k) {
      constants_.push_back(rows.component(k)[0]);
      const double* const mean = rows.component(k) + 1;
      for (std::int64_t i = 0; i < d_; ++i) {
        const std::int64_t t = i / tile;
        S* const to = triangles_.data() + k * size_ + t * (t + 1) / 2 * tile * tile + i % tile;
        double offset = 0;
        for (std::int64_t j = 0; j <= i; ++j) {
          const double root = rows.root(k, j, i);
          offset -= root * mean[j];
          to[j * tile] = static_cast<S>(root);
        }
        offsets_[k * width_ + i] = static_cast<S>(offset);
      }
    }
  }

  std::int64_t n_components() const { return n_components_; }
  std::int64_t d() const { return d_; }
  std::int64_t width() const { return width_; }
  std::int64_t n_tiles() const { return width_ / mixture::full_kernels<S>().tile; }
  double constant(std::int64_t k) const { return constants_[static_cast<std::size_t>(k)]; }
  const S* triangle(std::int64_t k) const { return triangles_.data() + k * size_; }
  const S* offsets(std::int64_t k) const { return offsets_.data() + k * width_; }

 private:
  std::int64_t n_components_, d_, width_ = 0, size_ = 0;
  std::vector<double> constants_;
  Buffer<S> triangles_, offsets_;
};

}  // namespace aimass
