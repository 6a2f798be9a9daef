#include "spd_inverse.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "../simd/linear_kernels.hpp"
#include "errors.hpp"
#include "tile_panels.hpp"

namespace aimass {

namespace spd_inverse_detail {

// Inverts a symmetric n x n matrix, of which the lower triangle counts, pivot by pivot. Returns -1,
// or the first pivot that is not above its floor.
inline std::int64_t sweep_block(std::int64_t n, const double* floor, double* a) {
  const auto& kernels = simd::linear_kernels<double>();
  std::vector<double> pivot_row(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = i + 1; j < n; ++j) a[i * n + j] = a[j * n + i];
  constexpr std::int32_t kFirst = 0;
  for (std::int64_t k = 0; k < n; ++k) {
    const double pivot = a[k * n + k];
    if (!(pivot > floor[k]) || !std::isfinite(pivot)) return k;
    std::copy_n(a + k * n, n, pivot_row.data());
    for (std::int64_t i = 0; i < n; ++i) {
      if (i == k) continue;
      const double factor = -pivot_row[static_cast<std::size_t>(i)] / pivot;
      kernels.add_rows(pivot_row.data(), n, &kFirst, &factor, 1, n, a + i * n);
      a[i * n + k] = -factor;
    }
    for (std::int64_t j = 0; j < n; ++j)
      a[k * n + j] = pivot_row[static_cast<std::size_t>(j)] / pivot;
    a[k * n + k] = -1 / pivot;
  }
  return -1;
}

// The sweep of one block of pivots.
template <class T>
class Sweep {
 public:
  Sweep(const Run& run, std::int64_t n, std::int64_t n_pivots, T* a)
      : run_(run),
        n_(n),
        a_(a),
        depth_(n_pivots),
        u_(n, n_pivots, simd::kernels<T>().tile_rows),
        v_(n, n_pivots, simd::kernels<T>().tile_cols),
        own_(static_cast<std::size_t>(n_pivots * n_pivots)),
        inverse_(n_pivots, n_pivots, simd::kernels<T>().tile_cols) {
    // A pivot below it is rounding: the last bits of the element it is the rest of.
    for (std::int64_t i = 0; i < n; ++i)
      floor_.push_back(4 * static_cast<double>(std::numeric_limits<T>::epsilon()) *
                       static_cast<double>(a[i * n + i]));
  }

  void sweep(std::int64_t k0) {
    const std::int64_t m = std::min(depth_, n_ - k0);
    invert_own(k0, m);
    parallel_for(run_, (n_ + kChunk - 1) / kChunk, [&](std::int64_t chunk, int) {
      multiply(chunk * kChunk, std::min(n_, (chunk + 1) * kChunk), k0, m);
    });
    add_symmetric(run_, n_, u_, v_, a_);
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        a_[(k0 + i) * n_ + k0 + j] = static_cast<T>(own_[static_cast<std::size_t>(i * m + j)]);
  }

 private:
  static constexpr std::int64_t kChunk = 192;  // rows; a multiple of every tile's rows and columns

  // own_ = -D, and D packed for products, zero beyond m.
  void invert_own(std::int64_t k0, std::int64_t m) {
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        own_[static_cast<std::size_t>(i * m + j)] = static_cast<double>(a_[(k0 + i) * n_ + k0 + j]);
    const std::int64_t failed = sweep_block(m, floor_.data() + k0, own_.data());
    if (failed >= 0)
      throw NumericalFailure("row " + std::to_string(k0 + failed) +
                             ": the matrix is not positive definite at this precision; raise the "
                             "regularization");
    std::vector<T> rows(static_cast<std::size_t>(depth_ * depth_), T(0));
    for (std::int64_t i = 0; i < m; ++i)
      for (std::int64_t j = 0; j < m; ++j)
        rows[static_cast<std::size_t>(i * depth_ + j)] =
            static_cast<T>(-own_[static_cast<std::size_t>(std::max(i, j) * m + std::min(i, j))]);
    inverse_.pack(rows.data(), depth_, 0, depth_);
  }

  // For some rows i: v = A_ik, u = -A_ik D, and A_ik = A_ik D in the matrix; zero for those of the
  // block itself.
  void multiply(std::int64_t begin, std::int64_t end, std::int64_t k0, std::int64_t m) {
    const simd::Kernels<T>& kernels = simd::kernels<T>();
    const std::int64_t n_rows = end - begin;
    std::vector<T> rows(static_cast<std::size_t>(n_rows * depth_), T(0)),
        product(rows.size(), T(0));
    const auto in_block = [&](std::int64_t i) { return i >= k0 && i < k0 + m; };
    for (std::int64_t i = begin; i < end; ++i) {
      T* const row = rows.data() + (i - begin) * depth_;
      if (i >= k0 + m) std::copy_n(a_ + i * n_ + k0, m, row);
      if (i < k0)
        for (std::int64_t l = 0; l < m; ++l) row[l] = a_[(k0 + l) * n_ + i];
    }
    v_.pack(rows.data(), depth_, begin, end);
    TilePanels<T> left(n_rows, depth_, kernels.tile_rows);
    left.pack(rows.data(), depth_, 0, n_rows);
    for (std::int64_t j = 0; j < depth_; j += kernels.tile_cols) {
      run_.poll();
      for (std::int64_t i = 0; i < n_rows; i += kernels.tile_rows)
        add_tile(depth_, left.panel(i), inverse_.panel(j), product.data() + i * depth_ + j, depth_,
                 n_rows - i, depth_ - j);
    }
    for (std::int64_t i = begin; i < end; ++i) {
      const T* const row = product.data() + (i - begin) * depth_;
      if (in_block(i)) continue;
      if (i >= k0) std::copy_n(row, m, a_ + i * n_ + k0);
      if (i < k0)
        for (std::int64_t l = 0; l < m; ++l) a_[(k0 + l) * n_ + i] = row[l];
    }
    for (T& value : product) value = -value;
    u_.pack(product.data(), depth_, begin, end);
  }

  const Run& run_;
  const std::int64_t n_;
  T* const a_;
  const std::int64_t depth_;
  TilePanels<T> u_, v_;
  std::vector<double> own_;
  TilePanels<T> inverse_;
  std::vector<double> floor_;  // of each pivot
};

}  // namespace spd_inverse_detail

template <class T>
void spd_inverse(const Run& run, std::int64_t n, T* a) {
  if (n == 0) return;
  for (std::int64_t i = 0; i < n; ++i)
    if (!(a[i * n + i] > T(0)))
      throw NumericalFailure("row " + std::to_string(i) +
                             ": its diagonal element is not positive; raise the regularization");
  const std::int64_t n_pivots = std::min<std::int64_t>(n, n < 8192 ? 128 : 256);
  spd_inverse_detail::Sweep<T> sweep(run, n, n_pivots, a);
  run.set_total(n);
  for (std::int64_t k = 0; k < n; k += n_pivots) {
    sweep.sweep(k);
    run.add_done(std::min(n_pivots, n - k));
  }
  mirror_lower(run, n, T(-1), a);
}

template <class T>
void symmetric_update(const Run& run, std::int64_t n, std::int64_t depth, const T* u, const T* v,
                      T* a) {
  const simd::Kernels<T>& kernels = simd::kernels<T>();
  constexpr std::int64_t kDepth = 256, kChunk = 192;
  for (std::int64_t begin = 0; begin < depth; begin += kDepth) {
    const std::int64_t size = std::min(kDepth, depth - begin);
    TilePanels<T> left(n, size, kernels.tile_rows), right(n, size, kernels.tile_cols);
    parallel_for(run, (n + kChunk - 1) / kChunk, [&](std::int64_t chunk, int) {
      const std::int64_t i0 = chunk * kChunk, i1 = std::min(n, i0 + kChunk);
      left.pack(u + i0 * depth + begin, depth, i0, i1);
      right.pack(v + i0 * depth + begin, depth, i0, i1);
    });
    add_symmetric(run, n, left, right, a);
  }
  mirror_lower(run, n, T(1), a);
}

template void spd_inverse(const Run& run, std::int64_t n, float* a);
template void spd_inverse(const Run& run, std::int64_t n, double* a);
template void symmetric_update(const Run& run, std::int64_t n, std::int64_t depth, const float* u,
                               const float* v, float* a);
template void symmetric_update(const Run& run, std::int64_t n, std::int64_t depth, const double* u,
                               const double* v, double* a);

}  // namespace aimass
