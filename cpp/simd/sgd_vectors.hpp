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

// The sum of the lanes: the upper half is added to the lower half until one lane is left, which
// gives the same bits with and without the instructions for it.
template <class T>
T lane_sum(V<T> v) {
#if defined(__SSE2__)
  if constexpr (sizeof(T) == sizeof(float)) {
#if defined(__AVX512F__)
    const __m512d pairs = _mm512_castps_pd(v);
    const __m256 wide =
        _mm256_add_ps(_mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xf, pairs, 0)),
                      _mm256_castpd_ps(_mm512_maskz_extractf64x4_pd(0xf, pairs, 1)));
#elif defined(__AVX2__)
    const __m256 wide = v;
#endif
#if defined(__AVX2__)
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(wide), _mm256_extractf128_ps(wide, 1));
#else
    const __m128 four = v;
#endif
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
  } else {
#if defined(__AVX512F__)
    const __m256d wide = _mm256_add_pd(_mm512_maskz_extractf64x4_pd(0xf, v, 0),
                                       _mm512_maskz_extractf64x4_pd(0xf, v, 1));
#elif defined(__AVX2__)
    const __m256d wide = v;
#endif
#if defined(__AVX2__)
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(wide), _mm256_extractf128_pd(wide, 1));
#else
    const __m128d two = v;
#endif
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
  }
#else
  T lanes[Simd<T>::lanes];
  at(lanes, 0) = v;
  for (Index half = Simd<T>::lanes / 2; half > 0; half /= 2) {
    for (Index l = 0; l < half; ++l) lanes[l] += lanes[l + half];
  }
  return lanes[0];
#endif
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

// Steps that share no rows are taken in groups, so that the processor need not wait for one before
// it begins the next one: a step is a chain of some 100 cycles. Groups change no bit.
constexpr Index kGroup = 4;
// The width for which loops over a row are unrolled: that of 64 factors.
constexpr Index kUsualWidth = 64;
template <class T>
struct GroupOf;
template <>
struct GroupOf<float> {
  typedef float V __attribute__((vector_size(16)));
  typedef std::int32_t I __attribute__((vector_size(16)));
};
template <>
struct GroupOf<double> {
  typedef double V __attribute__((vector_size(32)));
};
template <class T>
using Group = typename GroupOf<T>::V;

// e^x for x at most 0, and for NaN any number: x = n ln 2 + r, and a polynomial of r (that of the
// Cephes library, within 2 units of the last digit). No call, so that vectors stay in registers.
[[gnu::always_inline]] inline void exponentials(const Group<float>& x, Group<float>& out) {
  typedef GroupOf<float>::I Integers;
  constexpr float kLog2E = 1.44269504F, kHigh = 0.693359375F, kLow = -2.12194440e-4F;  // of ln 2
  const Group<float> least = {-87.0F, -87.0F, -87.0F, -87.0F};  // below, no normal number results
  const Group<float> bounded = x > least ? x : least;
  const Integers n = __builtin_convertvector(bounded * kLog2E - 0.5F, Integers);
  const Group<float> whole = __builtin_convertvector(n, Group<float>);
  const Group<float> r = (bounded - whole * kHigh) - whole * kLow;
  const Group<float> high = (1.9875691500e-4F * r + 1.3981999507e-3F) * r + 8.3334519073e-3F;
  const Group<float> low = (high * r + 4.1665795894e-2F) * r + 1.6666665459e-1F;
  const Group<float> y = (low * r + 5.0000001201e-1F) * (r * r) + r + 1.0F;
  const Integers bits = (n + 127) << 23;
  Group<float> power;
  __builtin_memcpy(&power, &bits, sizeof(power));
  out = y * power;
}
[[gnu::always_inline]] inline void exponentials(const Group<double>& x, Group<double>& out) {
  for (Index g = 0; g < kGroup; ++g) out[g] = __builtin_exp(x[g]);
}

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
[[gnu::always_inline]] inline void prefetch(const SgdRows<T>& rows, Index row, Index width) {
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
