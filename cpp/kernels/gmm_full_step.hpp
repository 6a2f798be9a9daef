// One EM step with full covariances from triangular roots: the definition is that of
// gmm_em_step.hpp, which calls this. For each block of rows: the scores (gmm_full.hpp), softmax,
// and then, component by component, sums of r, r z and r z z' over the rows whose share in it is
// not below rounding.
//
// Time: n K d (d + 3) multiply-adds, less what is left out. Memory: threads x (half a MiB + 16 K
// times the rows of a block + K d^2 / 2). In float32, products and the sums of one block are
// float32, sums of blocks float64.
#pragma once

#include <atomic>
#include <numeric>
#include <utility>

#include "gmm_full.hpp"
#include "ordered_sum.hpp"

namespace aimass {

// Sums of one part: those of the features, in the layout of `outer`, the linear ones, and what
// softmax adds up.
template <class S>
class FullSums {
 public:
  FullSums(std::int64_t d, std::int64_t n_components) : d_(d), n_components_(n_components) {
    for (std::int64_t i = 0; i < d; i += kernels_.tile) pairs_ += kernels_.tile * padded(d - i);
  }

  std::int64_t size() const { return n_components_ * (pairs_ + padded(d_) + lanes_) + lanes_; }
  double* pairs(double* sums, std::int64_t k) const { return sums + k * pairs_; }
  double* linear(double* sums, std::int64_t k) const {
    return sums + n_components_ * pairs_ + k * padded(d_);
  }
  mixture::Sums softmax(double* sums) const {
    double* const counts = sums + n_components_ * (pairs_ + padded(d_));
    return {nullptr, 0, counts, nullptr, counts + n_components_ * lanes_};
  }

  // In the callers' order; returns the summed score.
  double write(double* sums, double* out) const {
    const mixture::Sums last = softmax(sums);
    for (std::int64_t k = 0; k < n_components_; ++k) {
      *out++ = std::accumulate(last.counts + k * lanes_, last.counts + (k + 1) * lanes_, 0.0);
      out = std::copy_n(linear(sums, k), d_, out);
      const double* tile = pairs(sums, k);
      for (std::int64_t t = 0; t < d_; t += kernels_.tile) {
        const std::int64_t stride = padded(d_ - t);
        for (std::int64_t i = t; i < std::min(d_, t + kernels_.tile); ++i)
          out = std::copy(tile + (i - t) * (stride + 1), tile + (i - t) * stride + (d_ - t), out);
        tile += kernels_.tile * stride;
      }
    }
    return std::accumulate(last.score, last.score + lanes_, 0.0);
  }

 private:
  std::int64_t padded(std::int64_t n) const {
    const std::int64_t lanes = mixture::full_kernels<float>().lanes;  // at least those of double
    return (n + lanes - 1) / lanes * lanes;
  }

  const mixture::FullKernels<S>& kernels_ = mixture::full_kernels<S>();
  std::int64_t d_, n_components_, lanes_ = mixture::kernels().lanes, pairs_ = 0;
};

template <class S, class T>
std::optional<double> full_em_step(const Run& run, const GmmRows<T>& x, const TriangularRows& rows,
                                   double* out) {
  const FullModel<S> model(rows);
  const FullPlan plan = plan_full(x, model.triangles, kReach<S>);
  if (by_features<S>(x.d, plan)) return std::nullopt;
  const FullSums<S> layout(x.d, rows.n_components);
  const std::int64_t lanes = mixture::kernels().lanes;
  OrderedSum sum(layout.size());
  full_blocks(
      run, x, model, plan.n_tiles, kReach<S>, [&] { return sum.take(); },
      [&](FullWork<S>& work, std::int64_t, std::int64_t, Buffer<double>& partial) {
        mixture::Sums sums = layout.softmax(partial.data());
        double* const counts = std::exchange(sums.counts, nullptr);
        work.softmax(sums);
        for (std::int64_t k = 0; k < rows.n_components; ++k) {
          run.poll();
          counts[k * lanes] +=
              work.add(k, layout.pairs(partial.data(), k), layout.linear(partial.data(), k));
        }
      },
      [&](std::int64_t part, Buffer<double>&& partial) { sum.give(part, std::move(partial)); });
  return layout.write(sum.total(), out);
}

// out: [component][feature of the form full]. Returns the sum of weight * score; nothing where
// features are faster.
template <class T>
std::optional<double> gmm_full_step(const Run& run, const GmmRows<T>& x, const TriangularRows& rows,
                                    double* out) {
  if (x.d < kTriangleColumns) return std::nullopt;
  if constexpr (sizeof(T) == sizeof(float)) {
    // Of few rows some component is nearly singular, most likely.
    if (x.n >= 4 * x.d * rows.n_components && in_float32(x, rows)) {
      const auto score = full_em_step<float>(run, x, rows, out);
      std::atomic<bool> safe{true};
      parallel_for(run, rows.n_components, [&](std::int64_t k, int) {
        if (!sums_are_safe(out + k * n_features(Form::full, x.d), x.d, true)) safe = false;
      });
      if (safe) return score;
    }
  }
  return full_em_step<double>(run, x, rows, out);
}

}  // namespace aimass
