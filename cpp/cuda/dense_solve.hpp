// Dense vectors and symmetric systems of one block of threads: inner products, products of a matrix
// and a vector, and Cholesky solutions. Problem: an f x f system for each row of a factorisation,
// with f from a few to a few thousand, by the threads of one block.
//
// Sums have one order, whatever the number of threads: an inner product is the sum of 32 partial
// sums. Time: f^3 / 6 multiply-adds in 2 f phases for a factorisation, which is limited by the
// phases for small f.
#pragma once

#include <cmath>
#include <cstdint>

#include "../kernels/portable.hpp"

namespace aimass::cuda {

constexpr int kLanes = 32;  // partial sums of an inner product

template <class T>
struct DotShared {
  T lanes[kLanes];
  T value;
};

// The inner product of two vectors, to all threads.
template <class T, class Block>
AIMASS_DEVICE T dot(Block& block, const T* x, const T* y, std::int64_t n, DotShared<T>& shared) {
  block.each([&](int thread) {
    for (int lane = thread; lane < kLanes; lane += block.size()) {
      T sum = 0;
      for (std::int64_t i = lane; i < n; i += kLanes) sum += x[i] * y[i];
      shared.lanes[lane] = sum;
    }
  });
  block.each([&](int thread) {
    if (thread != 0) return;
    T sum = 0;
    for (const T lane : shared.lanes) sum += lane;
    shared.value = sum;
  });
  return shared.value;
}

// y = A x for a symmetric A, whose columns are read as rows: threads read neighbouring numbers.
template <class T, class Block>
AIMASS_DEVICE void symmetric_product(Block& block, const T* a, const T* x, std::int64_t n, T* y) {
  block.each([&](int thread) {
    for (std::int64_t i = thread; i < n; i += block.size()) {
      T sum = 0;
      for (std::int64_t j = 0; j < n; ++j) sum += a[j * n + i] * x[j];
      y[i] = sum;
    }
  });
}

// Solves A x = b for a symmetric positive definite A of n x n, whose lower triangle becomes its
// root; b and y (n) are overwritten. x is NaN where A is not positive definite.
template <class T, class Block>
AIMASS_DEVICE void cholesky_solve(Block& block, T* a, std::int64_t n, T* b, T* y, T* x) {
  for (std::int64_t k = 0; k < n; ++k) {
    block.each([&](int thread) {  // the root of a negative number is NaN and goes on as NaN
      const T root = std::sqrt(a[k * n + k]);
      for (std::int64_t i = k + 1 + thread; i < n; i += block.size()) a[i * n + k] /= root;
    });
    const std::int64_t left = n - k - 1;
    block.each([&](int thread) {
      const T root = std::sqrt(a[k * n + k]);
      const T solved = root > 0 ? b[k] / root : static_cast<T>(NAN);
      if (thread == 0) y[k] = solved;
      for (std::int64_t e = thread; e < left * left; e += block.size()) {
        const std::int64_t i = k + 1 + e / left, j = k + 1 + e % left;
        if (j <= i) a[i * n + j] -= a[i * n + k] * a[j * n + k];
      }
      for (std::int64_t i = k + 1 + thread; i < n; i += block.size()) b[i] -= a[i * n + k] * solved;
    });
  }
  for (std::int64_t k = n - 1; k >= 0; --k) {
    block.each([&](int thread) {
      const T solved = y[k] / std::sqrt(a[k * n + k]);
      if (thread == 0) x[k] = solved;
      for (std::int64_t i = thread; i < k; i += block.size()) y[i] -= a[k * n + i] * solved;
    });
  }
}

}  // namespace aimass::cuda
