// Vectors of doubles for mixture_kernels.cpp: loads, exp and log, transposition. Compiled with ISA
// flags, so everything has internal linkage.
#pragma once

#include "mixture.hpp"
#include "shuffle.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd::mixture;
using Index = std::int64_t;

constexpr Index kTile = kVector == 64 ? 8 : 4, kVectors = 3;
constexpr Index kLanes = kVector / 8, kGroup = kLanes * kVectors, kGroups = kRows / kGroup;

typedef double V __attribute__((vector_size(kVector)));
typedef double U __attribute__((vector_size(kVector), aligned(8)));  // may lie anywhere
typedef Index I __attribute__((vector_size(kVector)));
typedef std::uint64_t Bits __attribute__((vector_size(kVector)));

inline V load(const double* p) { return *reinterpret_cast<const U*>(p); }
inline void store(double* p, V x) { *reinterpret_cast<U*>(p) = x; }
inline V all(double x) { return V{} + x; }

// e^x for x <= 0, zero below -708. Error below 2 ulp: x = n ln 2 + r, the series to r^12.
inline V exp_negative(V x) {
  constexpr double kRound = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to whole numbers
  const V shifted = x * 1.4426950408889634 + kRound;
  const V n = shifted - kRound;
  const V r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
  const V r2 = r * r, r4 = r2 * r2;
  const V a = (r * (1.0 / 6) + 0.5) + r2 * (r * (1.0 / 120) + 1.0 / 24);
  const V b = (r * (1.0 / 5040) + 1.0 / 720) + r2 * (r * (1.0 / 362880) + 1.0 / 40320);
  const V c = (r * (1.0 / 39916800) + 1.0 / 3628800) + r2 * (1.0 / 479001600);
  const V p = 1.0 + (r + r2 * (a + r4 * (b + r4 * c)));
  const V y = (V)((Bits)p + ((Bits)shifted << 52));
  return x < -708.0 ? V{} : y;
}

// log x for normal x >= 1.
inline V log_positive(V x) {
  const I bits = (I)x;
  V m = (V)((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  const V biased = (V)((bits >> 52) | 0x4330000000000000) - 4503599627370496.0;
  const V large = m > 1.4142135623730951 ? all(1.0) : V{};
  m = m - large * 0.5 * m;
  const V e = biased - 1023.0 + large;
  const V f = (m - 1.0) / (m + 1.0), f2 = f * f;
  V p = all(1.0 / 21);
  for (Index n = 19; n >= 3; n -= 2) p = p * f2 + 1.0 / static_cast<double>(n);
  return e * 6.93147180559945286227e-01 + (2.0 * f + 2.0 * f * f2 * p);
}

template <Index... kJ>
struct Lanes {};
#if defined(__AVX512F__)
using AllLanes = Lanes<0, 1, 2, 3, 4, 5, 6, 7>;
#elif defined(__AVX2__)
using AllLanes = Lanes<0, 1, 2, 3>;
#else
using AllLanes = Lanes<0, 1>;
#endif

// One step of a transposition: exchanges the off-diagonal blocks of size kS of the rows x and y.
template <Index kS, Index... kJ>
inline void exchange(V& x, V& y, Lanes<kJ...>) {
  const V low = shuffle<(kJ & kS ? kLanes + kJ - kS : kJ)...>(x, y);
  y = shuffle<(kJ & kS ? kLanes + kJ : kJ + kS)...>(x, y);
  x = low;
}

template <Index kS>
inline void exchange_all(V* rows) {
  for (Index i = 0; i < kLanes; ++i)
    if (!(i & kS)) exchange<kS>(rows[i], rows[i + kS], AllLanes{});
}

// kLanes values of type T, which may lie anywhere. Clang drops the alignment of an alias template.
template <class T>
struct Anywhere {
  typedef T Type __attribute__((vector_size(kLanes * sizeof(T)), aligned(sizeof(T)), may_alias));
};
template <class T>
using F = typename Anywhere<T>::Type;

// A kLanes x kLanes square.
template <class T>
inline void transpose(const double* from, Index stride, T* to, Index to_stride) {
  V rows[kLanes];
  for (Index i = 0; i < kLanes; ++i) rows[i] = load(from + i * stride);
  exchange_all<1>(rows);
  if constexpr (kLanes > 2) exchange_all<2>(rows);
  if constexpr (kLanes > 4) exchange_all<4>(rows);
  for (Index i = 0; i < kLanes; ++i)
    *reinterpret_cast<F<T>*>(to + i * to_stride) = __builtin_convertvector(rows[i], F<T>);
}

}  // namespace
