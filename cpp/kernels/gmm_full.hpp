// Blocks of rows and their scores under full covariances, from triangular roots; gmm_full_block.hpp
// has the method. Whether leaving out pays (groups lie apart) or not (they overlap) is measured on
// some rows. float32 rows are computed in float32 where every component's `amplification` is below
// kMostAmplified, else in float64.
#pragma once

#include <memory>
#include <optional>

#include "gmm_float32.hpp"
#include "gmm_full_block.hpp"
#include "parallel.hpp"

namespace aimass {

// Of fewer columns features are faster: always, or in float64 where little is left out.
constexpr std::int64_t kTriangleColumns = 12, kDenseColumns = 32;
// What to leave out, in nats below the best component.
template <class S>
constexpr S kReach = sizeof(S) == sizeof(double) ? S(40) : S(25);

// Variances of the columns under a component: squares of the columns of the root's inverse.
inline std::vector<double> own_variances(const TriangularRows& model, std::int64_t k) {
  const auto at = [](std::int64_t i) { return static_cast<std::size_t>(i); };
  const std::int64_t d = model.d;
  std::vector<double> inverse(at(d * d)), variances(at(d));
  for (std::int64_t i = d - 1; i >= 0; --i) {
    double* const row = inverse.data() + i * d;
    row[i] = 1;
    for (std::int64_t l = i + 1; l < d; ++l) {
      const double root = model.root(k, i, l);
      const double* const below = inverse.data() + l * d;
      for (std::int64_t j = l; j < d; ++j) row[j] -= root * below[j];
    }
    const double pivot = model.root(k, i, i);
    for (std::int64_t j = i; j < d; ++j) {
      row[j] /= pivot;
      variances[at(j)] += row[j] * row[j];
    }
  }
  return variances;
}

// Rounding of the rows over the width of the narrowest direction of a component, in units of the
// rounding of a number: the root mean square of z, of all rows or of the component's own, as seen
// through P'. Few rows may belong to a wide component, so those of a sample do not tell of it.
inline double amplification(const std::vector<double>& square, const TriangularRows& model) {
  double worst = 0;
  for (std::int64_t k = 0; k < model.n_components; ++k) {
    std::vector<double> most = own_variances(model, k);
    for (std::int64_t j = 0; j < model.d; ++j) {
      const double mean = model.component(k)[1 + j], all = square[static_cast<std::size_t>(j)];
      double& own = most[static_cast<std::size_t>(j)];
      own += mean * mean;
      if (own <= all) own = all;  // NaN stays
    }
    for (std::int64_t i = 0; i < model.d; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j <= i; ++j) {
        const double root = model.root(k, j, i);  // 0 in a density that is the same everywhere
        if (root != 0) sum += root * root * most[static_cast<std::size_t>(j)];
      }
      if (!(sum <= worst)) worst = sum;  // NaN stays
    }
  }
  return std::sqrt(worst);
}

template <class T>
bool in_float32(const GmmRows<T>& x, const TriangularRows& model) {
  if (x.n < x.d) return false;  // the question would cost more than the answer
  const std::vector<double> square = mean_squares(x);
  return fits_float32(x, square) && amplification(square, model) < kMostAmplified;
}

// A model in the precision to be used, and in float64 for rows that need it.
template <class S>
struct FullModel {
  explicit FullModel(const TriangularRows& rows) : triangles(rows) {
    if constexpr (sizeof(S) == sizeof(float)) exact.emplace(rows);
    for (std::int64_t k = 0; k < rows.n_components; ++k)
      lowest = std::max(lowest, triangles.constant(k));
    lowest -= kFarthest;
  }

  Triangles<S> triangles;
  std::optional<Triangles<double>> exact;
  double lowest = -std::numeric_limits<double>::infinity();
};

// A thread's block: its rows and their scores in the layout of simd/mixture.hpp.
template <class S>
class FullWork {
 public:
  explicit FullWork(const FullModel<S>& model)
      : model_(model),
        n_components_(model.triangles.n_components()),
        block_(model.triangles, full_block_rows<S>(model.triangles.d(), n_components_)),
        scores_(zeros(block_.n_rows() * n_components_)),
        weights_(zeros(block_.n_rows())),
        score_of_row_(zeros(block_.n_rows())) {}

  // Scores of the rows.
  template <class T>
  void read(const Run& run, const GmmRows<T>& x, std::int64_t begin, std::int64_t n,
            std::int64_t n_tiles, S reach) {
    for (std::int64_t b = 0; b < block_.n_rows(); ++b)  // rows behind the end weigh nothing
      weights_[b] = b >= n ? 0.0 : x.weights == nullptr ? 1.0 : x.weights[begin + b];
    block_.read(x, begin, n);
    block_.measure(run, n_tiles, reach);
    far_ = model_.exact && (block_.far(n, model_.lowest) || block_.huge());
    if (!far_) {
      block_.write(scores_.data());
      return;
    }
    if (!exact_) exact_.emplace(*model_.exact, block_.n_rows());
    exact_->read(x, begin, n);
    exact_->measure(run, model_.exact->n_tiles(), 0);
    exact_->write(scores_.data());
  }

  // Scores become responsibilities times weight.
  void softmax(const mixture::Sums& sums) {
    for (std::int64_t b = 0; b < block_.n_rows(); b += mixture::kRows)
      mixture::kernels().softmax(n_components_, weights_.data() + b, weights_.data() + b, chunk(b),
                                 score_of_row_.data() + b, sums);
  }

  // Scores of the kRows rows from row b on.
  double* chunk(std::int64_t b) const { return scores_.data() + b * n_components_; }

  // += sums of r z z' and of r z of one component, over the rows whose share counts; returns that
  // of r.
  double add(std::int64_t k, double* pairs, double* linear) {
    const auto least = std::exp(-static_cast<double>(kReach<S>));
    if (far_ && exact_)
      return exact_->add(k, least, weights_.data(), scores_.data(), pairs, linear);
    return block_.add(k, least, weights_.data(), scores_.data(), pairs, linear);
  }

 private:
  const FullModel<S>& model_;
  std::int64_t n_components_;
  FullBlock<S> block_;
  std::optional<FullBlock<double>> exact_;
  bool far_ = false;  // rows that need float64 are among them
  Buffer<double> scores_, weights_, score_of_row_;
};

// By kRows rows from all over the data.
template <class S, class T>
FullPlan plan_full(const GmmRows<T>& x, const Triangles<S>& triangles, S reach) {
  if (x.n < 10 * mixture::kRows || triangles.n_components() < 4) return {triangles.n_tiles(), 1};
  std::vector<T> some;
  for (std::int64_t b = 0; b < mixture::kRows; ++b) {
    const T* const row = x.x + x.n / mixture::kRows * b * x.d;
    some.insert(some.end(), row, row + x.d);
  }
  FullBlock<S> block(triangles, mixture::kRows);
  block.read(GmmRows<T>{some.data(), mixture::kRows, x.d, x.shift, x.scale, nullptr}, 0,
             mixture::kRows);
  return block.plan(full_block_rows<S>(x.d, triangles.n_components()), reach);
}

template <class S>
bool by_features(std::int64_t d, const FullPlan& plan) {
  return sizeof(S) == sizeof(double) && d < kDenseColumns && plan.part > 0.7;
}

// body(work, first row, n, state) for each block; a part of blocks begins with begin() and ends
// with end(part, state). The parts do not depend on the number of threads.
template <class S, class T, class Begin, class Body, class End>
void full_blocks(const Run& run, const GmmRows<T>& x, const FullModel<S>& model,
                 std::int64_t n_tiles, S reach, Begin&& begin, Body&& body, End&& end) {
  const std::int64_t rows = full_block_rows<S>(x.d, model.triangles.n_components());
  const std::int64_t part_rows = rows * std::clamp<std::int64_t>(x.n / (rows * 24), 4, 16);
  std::vector<std::unique_ptr<FullWork<S>>> works(static_cast<std::size_t>(run.n_threads()));
  parallel_for(run, (x.n + part_rows - 1) / part_rows, [&](std::int64_t part, int thread) {
    const FlushDenormals flush;
    std::unique_ptr<FullWork<S>>& work = works[static_cast<std::size_t>(thread)];
    if (!work) work = std::make_unique<FullWork<S>>(model);
    auto state = begin();
    const std::int64_t last = std::min(x.n, (part + 1) * part_rows);
    for (std::int64_t row = part * part_rows; row < last; row += rows) {
      const std::int64_t n = std::min(rows, last - row);
      work->read(run, x, row, n, n_tiles, reach);
      body(*work, row, n, state);
    }
    end(part, std::move(state));
  });
}

}  // namespace aimass
