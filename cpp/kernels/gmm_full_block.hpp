// Scores of a block of rows under full covariances, by the triangular roots of the precisions:
//   score[k] = constant[k] - |P[k]' (z - mean[k])|^2 / 2
// which costs the d (d + 1) / 2 multiply-adds of a product with all pairs of columns, but makes no
// pairs, keeps a component's coefficients in cache for the whole block, and is a sum of squares:
//
// Leaving out. After some tiles of columns a row has a lower bound of its distance from every
// component. The component that is best by then is finished first; the others are finished for
// those rows only that may still come within `reach` of the best score. At a reach of 40 what is
// left out is below 4e-18 of the row, below the rounding of its sum.
//
// In float. z is within 2^-24 |z| of its value, so y = P' (z - mean) is off by about 2^-24 times
// the ratio of the data's spread to the component's width: `amplification`. Rows so far from
// everything that rounding of the distance itself counts are scored in double.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "gmm_float32.hpp"
#include "gmm_triangles.hpp"
#include "parallel.hpp"

namespace aimass {

// Rows of a block: what is kept of them stays in half a cache of 1 MiB.
template <class S>
std::int64_t full_block_rows(std::int64_t d, std::int64_t n_components) {
  const std::int64_t columns = 2048 / static_cast<std::int64_t>(sizeof(S)) / d;
  return mixture::kRows * std::clamp<std::int64_t>(std::min(columns, 1024 / n_components), 1, 5);
}

// The number of first tiles for `measure` that needs the least time, and that time with the one for
// sums over the rows that count, as a part of what they are when nothing is left out.
struct FullPlan {
  std::int64_t n_tiles;
  double part;
};

template <class S>
class FullBlock {
 public:
  FullBlock(const Triangles<S>& model, std::int64_t n_rows)
      : model_(model),
        n_rows_(n_rows),
        stride_((model.d() + kernels_.lanes - 1) / kernels_.lanes * kernels_.lanes +
                std::max(kernels_.lanes, kernels_.tile)),
        rows_(n_rows_ * stride_),
        columns_(n_rows_ * model.width()),
        distances_(n_rows_ * model.n_components()),
        best_(n_rows_),
        label_(n_rows_),
        limits_(n_rows_),
        turned_(kernels_.group * model.width()),
        turned_distances_(kernels_.group),
        turned_limits_(kernels_.group),
        shares_(n_rows_),
        weighted_(n_rows_ * stride_ + kernels_.tile),
        index_(static_cast<std::size_t>(n_rows_)),
        all_(static_cast<std::size_t>(n_rows_)) {
    std::iota(all_.begin(), all_.end(), 0);
  }

  std::int64_t n_rows() const { return n_rows_; }

  template <class T>
  void read(const GmmRows<T>& x, std::int64_t begin, std::int64_t n) {
    const auto pack = [&] {
      if constexpr (sizeof(T) == sizeof(float))
        return kernels_.pack_f32;
      else
        return kernels_.pack_f64;
    }();
    pack(x.x + begin * x.d, n, n_rows_, x.d, x.shift, x.scale, stride_, rows_.data());
  }

  // Distances from all components; those left out become infinite. All of them are computed for the
  // first tiles; nothing is left out where these are all.
  void measure(const Run& run, std::int64_t n_tiles, S reach) {
    const std::int64_t width = n_tiles * kernels_.tile, g = kernels_.group;
    for (std::int64_t b = 0; b < n_rows_; b += g)
      kernels_.turn(rows_.data(), stride_, all_.data() + b, g, width, columns_.data() + b * width);
    forget_best();
    for (std::int64_t k = 0; k < model_.n_components(); ++k) {
      run.poll();
      kernels_.distances(n_rows_ / g, width, 0, n_tiles, columns_.data(), model_.triangle(k),
                         model_.offsets(k), nullptr, distance(k));
      kernels_.improve(n_rows_, k, model_.constant(k), distance(k), best_.data(), label_.data());
    }
    if (n_tiles == model_.n_tiles()) return;
    std::fill_n(best_.data(), n_rows_, -std::numeric_limits<S>::infinity());
    for (std::int64_t k = 0; k < model_.n_components(); ++k) {
      run.poll();
      const std::int64_t n = kernels_.labelled(n_rows_, k, label_.data(), index_.data());
      finish(k, n_tiles, n, false);
    }
    for (std::int64_t k = 0; k < model_.n_components(); ++k) {
      run.poll();
      const std::int64_t n =
          kernels_.within(n_rows_, k, static_cast<S>(model_.constant(k)) + reach, label_.data(),
                          best_.data(), distance(k), limits_.data(), index_.data());
      finish(k, n_tiles, n, true);
    }
  }

  // How to go about blocks of this size, by what the rows that were read would have left out.
  FullPlan plan(std::int64_t block_rows, S reach) {
    const std::int64_t n_tiles = model_.n_tiles(), n_components = model_.n_components();
    const std::int64_t g = kernels_.group, size = n_components * n_rows_;
    std::vector<S> after(static_cast<std::size_t>(n_tiles * size));  // each number of tiles
    for (std::int64_t b = 0; b < n_rows_; b += g)
      kernels_.turn(rows_.data(), stride_, all_.data() + b, g, model_.width(),
                    columns_.data() + b * model_.width());
    forget_best();
    for (std::int64_t k = 0; k < n_components; ++k) {
      for (std::int64_t t = 0; t < n_tiles; ++t) {
        kernels_.distances(n_rows_ / g, model_.width(), t, t + 1, columns_.data(),
                           model_.triangle(k), model_.offsets(k), nullptr, distance(k));
        std::copy_n(distance(k), n_rows_, after.data() + t * size + k * n_rows_);
      }
      kernels_.improve(n_rows_, k, model_.constant(k), distance(k), best_.data(), label_.data());
    }
    // In units of the product of a tile with one tile of columns.
    const auto cost_of = [](std::int64_t t) { return 0.5 * static_cast<double>(t * (t + 1)); };
    const double turning = 0.8 * static_cast<double>(n_tiles), deciding = 12.0 / sizeof(S);
    const double padding = static_cast<double>(g) / static_cast<double>(block_rows);
    double least = 0.9 * (cost_of(n_tiles) + turning / static_cast<double>(n_components));
    std::int64_t best = n_tiles;
    double part = 1;
    for (std::int64_t t = 1; t <= n_tiles; ++t) {
      std::int64_t kept = 0;
      for (std::int64_t k = 0; k < n_components; ++k) {
        const S* const distances = after.data() + (t - 1) * size + k * n_rows_;
        const S highest = static_cast<S>(model_.constant(k)) + reach;
        for (std::int64_t b = 0; b < n_rows_; ++b)
          kept += !(distances[b] > 2 * (highest - best_[b]));
      }
      part = static_cast<double>(kept) / static_cast<double>(size);
      const double cost =
          cost_of(t) + deciding + (part + padding) * (cost_of(n_tiles) - cost_of(t) + turning);
      if (t < n_tiles && cost < least) {
        least = cost;
        best = t;
      }
    }
    return {best, (std::min(1.0, least / cost_of(n_tiles)) + part) / 2};
  }

  // Whether rounding of distances may count: a best score so low, or none.
  bool far(std::int64_t n, double lowest) const {
    bool any = false;
    for (std::int64_t b = 0; b < n; ++b) any |= !(best_[b] >= lowest);
    return any;
  }

  // Whether squares may be beyond the range of float.
  bool huge() const { return beyond(rows_.data(), n_rows_ * stride_, S(1e12)); }

  // += sums of r z z' and of r z of one component, over the rows that it has more than `least` of;
  // returns the sum of r over the same rows. Responsibilities are in the layout of `write`.
  double add(std::int64_t k, double least, const double* weights, const double* responsibilities,
             double* pairs, double* linear) {
    const std::int64_t group = mixture::kernels().group;
    const std::int64_t n =
        kernels_.shares(n_rows_, least, weights, group * model_.n_components(),
                        responsibilities + k * group, shares_.data(), index_.data());
    kernels_.outer(n, index_.data(), shares_.data(), rows_.data(), stride_, model_.d(),
                   weighted_.data(), pairs, linear);
    double count[8] = {};  // independent sums
    for (std::int64_t b = 0; b < n / 8 * 8; b += 8)
      for (std::int64_t l = 0; l < 8; ++l) count[l] += static_cast<double>(shares_[b + l]);
    for (std::int64_t b = n / 8 * 8; b < n; ++b) count[0] += static_cast<double>(shares_[b]);
    return std::accumulate(count, count + 8, 0.0);
  }

  // To the layout of the micro-kernels of mixtures.
  void write(double* scores) const {
    const std::int64_t group = mixture::kernels().group, n_components = model_.n_components();
    for (std::int64_t k = 0; k < n_components; ++k)
      kernels_.scores(n_rows_, model_.constant(k), distance(k), group * n_components,
                      scores + k * group);
  }

 private:
  S* distance(std::int64_t k) const { return distances_.data() + k * n_rows_; }

  void forget_best() {
    std::fill_n(best_.data(), n_rows_, -std::numeric_limits<S>::infinity());
    std::fill_n(label_.data(), n_rows_, S(0));
  }

  // The tiles from `tile` on, for the first n rows of the index.
  void finish(std::int64_t k, std::int64_t tile, std::int64_t n, bool limited) {
    const auto constant = static_cast<S>(model_.constant(k));
    S* const all = distance(k);
    for (const std::int32_t* index = index_.data(); n > 0; index += kernels_.group) {
      const std::int64_t some = std::min(n, kernels_.group);
      n -= some;
      kernels_.turn(rows_.data(), stride_, index, some, model_.width(), turned_.data());
      for (std::int64_t b = 0; b < kernels_.group; ++b) {
        const std::int32_t row = index[std::min(b, some - 1)];
        turned_distances_[b] = all[row];
        turned_limits_[b] = limits_[row];
      }
      kernels_.distances(1, model_.width(), tile, model_.n_tiles(), turned_.data(),
                         model_.triangle(k), model_.offsets(k),
                         limited ? turned_limits_.data() : nullptr, turned_distances_.data());
      for (std::int64_t b = 0; b < some; ++b) {
        const bool out = limited && turned_distances_[b] > turned_limits_[b];
        const S value = out ? std::numeric_limits<S>::infinity() : turned_distances_[b];
        all[index[b]] = value;
        best_[index[b]] = std::max(best_[index[b]], constant - value / 2);
      }
    }
  }

  const mixture::FullKernels<S>& kernels_ = mixture::full_kernels<S>();
  const Triangles<S>& model_;
  std::int64_t n_rows_, stride_;
  Buffer<S> rows_, columns_, distances_, best_, label_, limits_, turned_, turned_distances_,
      turned_limits_, shares_, weighted_;
  std::vector<std::int32_t> index_, all_;
};

}  // namespace aimass
