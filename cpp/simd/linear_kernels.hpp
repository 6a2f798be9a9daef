// Micro-kernels of the linear models: sums of dense rows, and sweeps of coordinate descent on
// 1/2 w'G w - g'w + l1 |w|_1 + 1/2 sum ridge_i w_i^2, with or without w >= 0. Included by the files
// compiled with ISA flags: types only, see table.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd {

// What a sweep knows of the problem: coordinate i moves to the minimiser of the objective along it.
template <class T>
struct Descent {
  const T* own;        // G_ii
  const T* curvature;  // G_ii + ridge_i; a coordinate without curvature never moves
  T l1;
  T skip;  // a coordinate whose gradient violates optimality by no more than this stays
  bool nonnegative;
  T* w;
};

// G as a dense matrix of the n coordinates. gradient = g - G w is kept up to date.
template <class T>
struct DenseDescent {
  Descent<T> common;
  std::int64_t n;
  std::int64_t width;  // row stride of G; a multiple of 64 bytes, padding is zero
  const T* gramian;
  T* gradient;  // width
};

// G = A'A by the columns of a sparse A; residual = y - A w is kept up to date.
template <class T>
struct SparseDescent {
  Descent<T> common;
  const std::int64_t* begin;  // of each column in rows and values
  const std::int64_t* end;
  const std::int32_t* rows;
  const T* values;
  T* residual;
};

template <class T>
struct LinearKernels {
  // out[0, n) += sum over i < n_rows of coefficient[i] * (row index[i] of base)[0, n), in order.
  void (*add_rows)(const T* base, std::int64_t stride, const std::int32_t* index,
                   const T* coefficient, std::int64_t n_rows, std::int64_t n, T* out);
  // One sweep over all coordinates; returns the largest violation of optimality that it met, as the
  // absolute value of a gradient.
  T (*dense_sweep)(const DenseDescent<T>& descent);
  // The same for the coordinates in a list.
  T (*sparse_sweep)(const SparseDescent<T>& descent, const std::int32_t* list, std::int64_t n);
};

struct LinearTable {
  LinearKernels<float> f32;
  LinearKernels<double> f64;
};

// Those of the level in use.
template <class T>
const LinearKernels<T>& linear_kernels();

}  // namespace aimass::simd
