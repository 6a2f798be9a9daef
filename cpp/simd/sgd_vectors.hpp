// What the micro-kernels of stochastic gradient methods share: vectors of the level that a file is
// compiled for, and one update of a parameter by each rule. All of it is internal to the file that
// includes it, and nothing is from the standard library: see table.hpp for the reason.
#pragma once

#include "sgd_kernels.hpp"
#include "vector.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

template <class T>
struct Simd {
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
  typedef T V __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
};
template <class T>
using V = typename Simd<T>::V;

template <class T>
V<T>& at(T* p, Index vector) {
  return *reinterpret_cast<V<T>*>(p + vector * Simd<T>::lanes);
}
template <class T>
const V<T>& at(const T* p, Index vector) {
  return *reinterpret_cast<const V<T>*>(p + vector * Simd<T>::lanes);
}

template <class T>
T lane_sum(V<T> v) {
  T lanes[Simd<T>::lanes];
  at(lanes, 0) = v;
  for (Index half = Simd<T>::lanes / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
}

inline float root(float x) { return __builtin_sqrtf(x); }
inline double root(double x) { return __builtin_sqrt(x); }
#if defined(__AVX512F__)
inline V<float> root(V<float> x) { return _mm512_maskz_sqrt_ps(static_cast<__mmask16>(-1), x); }
inline V<double> root(V<double> x) { return _mm512_maskz_sqrt_pd(static_cast<__mmask8>(-1), x); }
#elif defined(__AVX2__)
inline V<float> root(V<float> x) { return _mm256_sqrt_ps(x); }
inline V<double> root(V<double> x) { return _mm256_sqrt_pd(x); }
#elif defined(__SSE2__)
inline V<float> root(V<float> x) { return _mm_sqrt_ps(x); }
inline V<double> root(V<double> x) { return _mm_sqrt_pd(x); }
#else
template <class X>
inline X root(X x) {
  for (Index l = 0; l < static_cast<Index>(sizeof(x) / sizeof(x[0])); ++l) x[l] = root(x[l]);
  return x;
}
#endif

// 1 / sqrt(x) for x above 0: of float, the approximation that processors have and one step of
// Newton's method, within 2 units of the last digit, which takes a third of the time of a root and
// a division.
inline float inverse_root(float x) { return 1 / root(x); }
inline double inverse_root(double x) { return 1 / root(x); }
inline V<double> inverse_root(V<double> x) { return 1 / root(x); }
inline V<float> inverse_root(V<float> x) {
#if defined(__AVX512F__)
  const V<float> y = _mm512_maskz_rsqrt14_ps(static_cast<__mmask16>(-1), x);
#elif defined(__AVX2__)
  const V<float> y = _mm256_rsqrt_ps(x);
#elif defined(__SSE2__)
  const V<float> y = _mm_rsqrt_ps(x);
#else
  return 1 / root(x);
#endif
#if defined(__SSE2__)
  return y * (1.5F - 0.5F * x * y * y);
#endif
}

inline float exponential(float x) { return __builtin_expf(x); }
inline double exponential(double x) { return __builtin_exp(x); }

// What a row knows of its step before the vectors are read.
template <SgdRule rule, class T>
T rate_of(const SgdSteps<T>& steps, T rate, std::int32_t* counts, Index row) {
  if constexpr (rule != SgdRule::adam) {
    return rate;
  } else {
    const Index n = counts[row], last = steps.n_corrections - 1;
    if (n < last) counts[row] = static_cast<std::int32_t>(n + 1);
    return rate * steps.corrections[n];
  }
}

// One parameter, or a vector of them that may start at any element: a pointer to X would promise
// the alignment of a whole vector.
template <class X, class T>
inline X load(const T* p) {
  if constexpr (sizeof(X) == sizeof(T)) {
    return *p;
  } else {
    return at(p, 0);
  }
}
template <class X, class T>
inline void store(T* p, X value) {
  if constexpr (sizeof(X) == sizeof(T)) {
    *p = value;
  } else {
    at(p, 0) = value;
  }
}

// The new value of a parameter w, or of a vector of them; first and second are its accumulators.
template <SgdRule rule, class T, class X>
inline X moved(const SgdSteps<T>& steps, T rate, X direction, X w, T* first, T* second) {
  if constexpr (rule == SgdRule::sgd) {
    return w + rate * direction;
  } else if constexpr (rule == SgdRule::momentum) {
    const X m = steps.momentum * load<X>(first) + direction;
    store<X>(first, m);
    return w + rate * m;
  } else if constexpr (rule == SgdRule::adagrad) {
    const X s = load<X>(first) + direction * direction;
    store<X>(first, s);
    return w + rate * direction * inverse_root(s + steps.epsilon);
  } else {
    const X m = steps.momentum * load<X>(first) + (1 - steps.momentum) * direction;
    const X s = steps.decay * load<X>(second) + (1 - steps.decay) * direction * direction;
    store<X>(first, m);
    store<X>(second, s);
    return w + rate * m / (root(s) + steps.epsilon);
  }
}

template <class T>
T* row_of(T* base, Index row, Index width) {
  return base == nullptr ? nullptr : base + row * width;
}
template <class T>
T* vector_of(T* row, Index v) {
  return row == nullptr ? nullptr : row + v * Simd<T>::lanes;
}

template <SgdRule rule, class T>
void move_bias(const SgdSteps<T>& steps, const SgdRows<T>& rows, Index row, T rate, T direction,
               T penalty) {
  if (rows.biases == nullptr) return;
  T& bias = rows.biases[row];
  bias = moved<rule>(steps, rate, direction - penalty * bias, bias,
                     rows.bias_first == nullptr ? nullptr : rows.bias_first + row,
                     rows.bias_second == nullptr ? nullptr : rows.bias_second + row);
}

// Rows that a later step reads, into the first cache.
template <SgdRule rule, class T>
void prefetch(const SgdRows<T>& rows, Index row, Index width) {
  const Index bytes = width * static_cast<Index>(sizeof(T));
  const char* p = reinterpret_cast<const char*>(rows.factors + row * width);
  for (Index b = 0; b < bytes; b += 64) __builtin_prefetch(p + b, 1);
  if constexpr (rule != SgdRule::sgd) {
    p = reinterpret_cast<const char*>(rows.first + row * width);
    for (Index b = 0; b < bytes; b += 64) __builtin_prefetch(p + b, 1);
  }
  if constexpr (rule == SgdRule::adam) {
    p = reinterpret_cast<const char*>(rows.second + row * width);
    for (Index b = 0; b < bytes; b += 64) __builtin_prefetch(p + b, 1);
  }
}

}  // namespace
