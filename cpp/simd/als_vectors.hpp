// What the micro-kernels of alternating least squares share: vectors of the level that a file is
// compiled for, and products with kGroup rows at once. All of it is internal to the file that
// includes it, nothing is from the standard library: see table.hpp for the reason.
#pragma once

#include "als_kernels.hpp"
#include "shuffle.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

constexpr Index kTileRows = kVector == 64 ? 8 : 4, kTileVectors = kVector == 16 ? 2 : 3;
constexpr Index kGroup = 8;   // entries handled at once where vectors are read once
constexpr Index kAhead = 16;  // entries that a prefetch runs ahead

template <class T>
struct Simd {
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
  using Lane = T;
  typedef T V __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
  typedef T Half __attribute__((vector_size(kVector / 2), aligned(alignof(T)), may_alias));
  typedef T Part __attribute__((vector_size(16), aligned(alignof(T)), may_alias));
};
template <class T>
using V = typename Simd<T>::V;

template <class T>
constexpr Index kLanes = Simd<T>::lanes;

template <class T>
V<T>& at(T* p, Index vector) {
  return *reinterpret_cast<V<T>*>(p + vector * kLanes<T>);
}
template <class T>
const V<T>& at(const T* p, Index vector) {
  return *reinterpret_cast<const V<T>*>(p + vector * kLanes<T>);
}

template <class T>
const T* vector_of(const AlsEntries<T>& e, Index i) {
  return e.base + (e.indices == nullptr ? i : e.indices[i]) * e.stride;
}

template <class T>
void prefetch(const AlsEntries<T>& e, Index i, Index width) {
  if (e.indices == nullptr || i >= e.n) return;
  const char* p = reinterpret_cast<const char*>(vector_of(e, i));
  const char* end = p + width * static_cast<Index>(sizeof(T));
  for (; p < end; p += 64) __builtin_prefetch(p);
}

template <class T>
void prefetch(const AlsAhead<T>& ahead, Index begin, Index end, Index width) {
  if (end > ahead.n) end = ahead.n;
  for (Index i = begin; i < end; ++i) {
    const char* p = reinterpret_cast<const char*>(ahead.base + ahead.indices[i] * ahead.stride);
    const char* last = p + width * static_cast<Index>(sizeof(T));
    for (; p < last; p += 64) __builtin_prefetch(p, 0, 2);
  }
}

template <int... I>
struct Places {};
template <int n, int... I>
struct Count : Count<n - 1, n - 1, I...> {};
template <int... I>
struct Count<0, I...> {
  using Type = Places<I...>;
};

// Within each 16 bytes: the first (or second) halves of a and b, elementwise in turn or as blocks.
template <bool second, bool in_turn, class X, int... I>
X halves(X a, X b, Places<I...>) {
  constexpr int n = sizeof...(I), part = 16 * n / kVector, half = part / 2;
  return shuffle<(I / part * part + (second ? half : 0) +
                  (in_turn ? I % part / 2 + I % 2 * n : I % half + I % part / half * n))...>(a, b);
}
template <bool in_turn, class T>
V<T> add_halves(V<T> a, V<T> b) {
  using All = typename Count<static_cast<int>(kLanes<T>)>::Type;
  return halves<false, in_turn>(a, b, All{}) + halves<true, in_turn>(a, b, All{});
}

// out[i] = sum of the lanes of sums[i], for kGroup vectors.
template <class T>
void lane_sums(const V<T>* sums, T* out) {
  constexpr Index n = 16 / static_cast<Index>(sizeof(T));  // sums that 16 bytes hold
  for (Index i = 0; i < kGroup; i += n) {
    V<T> folded;
    if constexpr (n == 2) {
      folded = add_halves<true, T>(sums[i], sums[i + 1]);
    } else {
      folded = add_halves<false, T>(add_halves<true, T>(sums[i], sums[i + 1]),
                                    add_halves<true, T>(sums[i + 2], sums[i + 3]));
    }
    using Part = typename Simd<T>::Part;
    T lanes[kLanes<T>];
    at(lanes, 0) = folded;
    Part total = *reinterpret_cast<const Part*>(lanes);
    for (Index l = n; l < kLanes<T>; l += n) total += *reinterpret_cast<const Part*>(lanes + l);
    *reinterpret_cast<Part*>(out + i) = total;
  }
}

template <class T>
void dots(const T* const* y, Index nv, const T* x, T* out) {
  V<T> sums[kGroup] = {};
  for (Index v = 0; v < nv; ++v) {
    const V<T> xv = at(x, v);
    for (Index i = 0; i < kGroup; ++i) sums[i] += at(y[i], v) * xv;
  }
  lane_sums<T>(sums, out);
}

template <class T>
void add_group(const T* const* y, Index nv, const T* coefficient, T* out) {
  for (Index v = 0; v < nv; ++v) {
    V<T> even = coefficient[0] * at(y[0], v), odd = coefficient[1] * at(y[1], v);
    for (Index i = 2; i < kGroup; i += 2) {
      even += coefficient[i] * at(y[i], v);
      odd += coefficient[i + 1] * at(y[i + 1], v);
    }
    at(out, v) += even + odd;
  }
}

// Vectors of entries i .. i + kGroup; past the end the last one again. Returns how many are real.
template <class T>
Index group_at(const AlsEntries<T>& e, Index i, Index width, const T** y) {
  for (Index j = 0; j < kGroup; ++j) {
    prefetch(e, i + j + kAhead, width);
    y[j] = vector_of(e, i + j < e.n ? i + j : e.n - 1);
  }
  return e.n - i < kGroup ? e.n - i : kGroup;
}

}  // namespace
