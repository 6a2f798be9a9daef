// Compiled once per ISA level with AIMASS_LEVEL defined, like micro_kernels.cpp.
//
// Two triangular products, both register tiles of kTile x kVectors vectors: y = P' z with the lanes
// across rows, and sums of z z' with the lanes across columns. Neither needs features to be made, a
// component's part of the coefficients and of the sums stays in cache for a block of rows, and rows
// that a component may leave out are left out.
#include "levels.hpp"
#include "mixture_full.hpp"
#include "shuffle.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd::mixture;
using Index = std::int64_t;

constexpr Index kTile = kVector == 64 ? 8 : 4, kVectors = 3;

template <class S>
struct Simd {
  typedef S V __attribute__((vector_size(kVector)));
  typedef S U __attribute__((vector_size(kVector), aligned(alignof(S)), may_alias));
};
template <class S>
using V = typename Simd<S>::V;
template <class S>
constexpr Index kLanes = kVector / static_cast<Index>(sizeof(S));
template <class S>
constexpr Index kGroup = kVectors * kLanes<S>;

template <class S>
inline V<S> load(const S* p) {
  return *reinterpret_cast<const typename Simd<S>::U*>(p);
}
template <class S>
inline void store(S* p, V<S> x) {
  *reinterpret_cast<typename Simd<S>::U*>(p) = x;
}

template <class S, class T>
void pack(const T* x, Index n, Index n_rows, Index d, const double* shift, const double* scale,
          Index stride, S* rows) {
  for (Index b = 0; b < n_rows; ++b, x += d, rows += stride) {
    const Index filled = b < n ? d : 0;
    for (Index i = 0; i < filled; ++i)
      rows[i] = static_cast<S>((static_cast<double>(x[i]) - shift[i]) * scale[i]);
    for (Index i = filled; i < stride; ++i) rows[i] = 0;
  }
}

template <Index... kJ>
struct Lanes {};
template <Index kN, Index... kJ>
struct Count : Count<kN - 1, kN - 1, kJ...> {};
template <Index... kJ>
struct Count<0, kJ...> {
  using Type = Lanes<kJ...>;
};

// One step of a transposition: exchanges the off-diagonal blocks of size kS of the rows x and y.
template <Index kS, class W, Index... kJ>
inline void exchange(W& x, W& y, Lanes<kJ...>) {
  constexpr Index kN = sizeof...(kJ);
  const W low = shuffle<(kJ & kS ? kN + kJ - kS : kJ)...>(x, y);
  y = shuffle<(kJ & kS ? kN + kJ : kJ + kS)...>(x, y);
  x = low;
}

template <class S, Index kS = 1>
inline void transpose(V<S>* square) {
  if constexpr (kS < kLanes<S>) {
#pragma GCC unroll 16
    for (Index i = 0; i < kLanes<S>; ++i)
      if (!(i & kS)) exchange<kS>(square[i], square[i + kS], typename Count<kLanes<S>>::Type{});
    transpose<S, 2 * kS>(square);
  }
}

template <class S>
void turn(const S* rows, Index stride, const std::int32_t* index, Index n, Index width,
          S* columns) {
  for (Index first = 0; first < kGroup<S>; first += kLanes<S>) {
    const S* from[kLanes<S>];
    for (Index l = 0; l < kLanes<S>; ++l)
      from[l] = rows + index[first + l < n ? first + l : n - 1] * stride;
    for (Index i = 0; i < width; i += kLanes<S>) {
      V<S> square[kLanes<S>];
      for (Index l = 0; l < kLanes<S>; ++l) square[l] = load(from[l] + i);
      transpose<S>(square);
      S* to = columns + i * kGroup<S> + first;
      if (width - i >= kLanes<S>) {
        for (Index c = 0; c < kLanes<S>; ++c) store(to + c * kGroup<S>, square[c]);
      } else {
        for (Index c = 0; c < width - i; ++c) store(to + c * kGroup<S>, square[c]);
      }
    }
  }
}

// distances += |y|^2 for the kTile values y of a tile that begins at column `depth`.
template <class S>
inline void distance_tile(Index depth, const S* z, const S* a, const S* offsets,
                          V<S> (&distance)[kVectors]) {
  V<S> sum[kTile][kVectors];
  for (Index i = 0; i < kTile; ++i)
    for (Index v = 0; v < kVectors; ++v) sum[i][v] = V<S>{} + offsets[i];
  for (Index j = 0; j < depth; ++j) {
    V<S> p[kVectors];
    for (Index v = 0; v < kVectors; ++v) p[v] = load(z + v * kLanes<S>);
    for (Index i = 0; i < kTile; ++i)
      for (Index v = 0; v < kVectors; ++v) sum[i][v] += a[i] * p[v];
    z += kGroup<S>;
    a += kTile;
  }
#pragma GCC unroll 8
  for (Index j = 0; j < kTile; ++j) {  // column depth + j is no part of the values before it
    V<S> p[kVectors];
    for (Index v = 0; v < kVectors; ++v) p[v] = load(z + v * kLanes<S>);
#pragma GCC unroll 8
    for (Index i = j; i < kTile; ++i)
      for (Index v = 0; v < kVectors; ++v) sum[i][v] += a[i] * p[v];
    z += kGroup<S>;
    a += kTile;
  }
  for (Index i = 0; i < kTile; ++i)
    for (Index v = 0; v < kVectors; ++v) distance[v] += sum[i][v] * sum[i][v];
}

template <class S>
void distances(Index n_groups, Index width, Index first_tile, Index end_tile, const S* columns,
               const S* triangle, const S* offsets, const S* limits, S* out) {
  const S* const begin = triangle + kTile * kTile * first_tile * (first_tile + 1) / 2;
  for (Index g = 0; g < n_groups; ++g) {
    const S* a = begin;
    V<S> distance[kVectors]{};
    if (first_tile > 0)
      for (Index v = 0; v < kVectors; ++v) distance[v] = load(out + v * kLanes<S>);
    for (Index t = first_tile; t < end_tile; ++t) {
      distance_tile<S>(t * kTile, columns, a, offsets + t * kTile, distance);
      a += (t + 1) * kTile * kTile;
      if (limits == nullptr) continue;
      auto matters = distance[0] > load(limits) ? V<S>{} : V<S>{} + 1;
      for (Index v = 1; v < kVectors; ++v)
        matters += distance[v] > load(limits + v * kLanes<S>) ? V<S>{} : V<S>{} + 1;
      S any = 0;
      for (Index l = 0; l < kLanes<S>; ++l) any += matters[l];
      if (any == 0) break;
    }
    for (Index v = 0; v < kVectors; ++v) store(out + v * kLanes<S>, distance[v]);
    columns += width * kGroup<S>;
    out += kGroup<S>;
    if (limits != nullptr) limits += kGroup<S>;
  }
}

template <class S>
void improve(Index n, Index component, double constant, const S* distance, S* best, S* labels) {
  const S label = static_cast<S>(component), c = static_cast<S>(constant);
  for (Index b = 0; b < n; ++b) {
    const S score = c - S(0.5) * distance[b];
    labels[b] = score > best[b] ? label : labels[b];
    best[b] = score > best[b] ? score : best[b];
  }
}

template <class S>
Index labelled(Index n, Index component, const S* labels, std::int32_t* index) {
  const S label = static_cast<S>(component);
  Index count = 0;
  for (Index b = 0; b < n; ++b) {
    index[count] = static_cast<std::int32_t>(b);
    count += labels[b] == label;
  }
  return count;
}

template <class S>
Index within(Index n, Index component, S highest, const S* labels, const S* best, S* distance,
             S* limits, std::int32_t* index) {
  const S label = static_cast<S>(component), infinity = static_cast<S>(__builtin_inf());
  for (Index b = 0; b < n; ++b) {
    limits[b] = 2 * (highest - best[b]);
    distance[b] = distance[b] > limits[b] ? infinity : distance[b];
  }
  Index count = 0;
  for (Index b = 0; b < n; ++b) {
    index[count] = static_cast<std::int32_t>(b);
    count += distance[b] != infinity && labels[b] != label;
  }
  return count;
}

template <class S>
void scores(Index n, double constant, const S* distance, Index stride, double* out) {
  constexpr Index kTo = kGroup<double>;
  for (Index b = 0; b < n; b += kTo, out += stride)
    for (Index l = 0; l < kTo; ++l) out[l] = constant - 0.5 * static_cast<double>(distance[b + l]);
}

template <class S>
Index shares(Index n, double least, const double* weights, Index stride, const double* r, S* out,
             std::int32_t* index) {
  Index count = 0;
  for (Index b = 0; b < n; b += kGroup<double>, r += stride) {
    for (Index l = 0; l < kGroup<double>; ++l) {
      out[count] = static_cast<S>(r[l]);
      index[count] = static_cast<std::int32_t>(b + l);
      count += !(r[l] <= least * weights[b + l]);  // NaN goes on
    }
  }
  return count;
}

// sums of kTile x N vectors, += w[i] z over the rows.
template <class S, Index N>
void outer_tile(Index n, const std::int32_t* index, const S* z, Index stride, const S* w,
                Index width, double* sums, Index sums_stride) {
  V<S> sum[kTile][N]{};
  for (Index b = 0; b < n; ++b) {
    const S* row = z + index[b] * stride;
    V<S> p[N];
    for (Index v = 0; v < N; ++v) p[v] = load(row + v * kLanes<S>);
    for (Index i = 0; i < kTile; ++i)
      for (Index v = 0; v < N; ++v) sum[i][v] += w[i] * p[v];
    w += width;
  }
  for (Index i = 0; i < kTile; ++i) {
    S line[N * kLanes<S>];
    for (Index v = 0; v < N; ++v) store(line + v * kLanes<S>, sum[i][v]);
    double* to = sums + i * sums_stride;
    for (Index l = 0; l < N * kLanes<S>; ++l) to[l] += static_cast<double>(line[l]);
  }
}

template <class S>
void outer(Index n, const std::int32_t* index, const S* r, const S* rows, Index stride, Index d,
           S* scratch, double* sums, double* linear) {
  constexpr Index kL = kLanes<S>;
  const Index width = (d + kL - 1) / kL * kL;
  for (Index c = 0; c < width; c += kL) {
    V<S> sum{};
    for (Index b = 0; b < n; ++b) {
      const V<S> x = r[b] * load(rows + index[b] * stride + c);
      store(scratch + b * width + c, x);
      sum += x;
    }
    for (Index l = 0; l < kL; ++l) linear[c + l] += static_cast<double>(sum[l]);
  }
  for (Index i = 0; i < d; i += kTile) {
    const Index vectors = (d - i + kL - 1) / kL;
    const Index sums_stride = (d - i + kLanes<float> - 1) / kLanes<float> * kLanes<float>;
    for (Index v = 0; v < vectors;) {
      const Index left = vectors - v, take = left == 4 ? 2 : left < kVectors ? left : kVectors;
      const S* const z = rows + i + v * kL;
      double* const to = sums + v * kL;
      if (take == 1)
        outer_tile<S, 1>(n, index, z, stride, scratch + i, width, to, sums_stride);
      else if (take == 2)
        outer_tile<S, 2>(n, index, z, stride, scratch + i, width, to, sums_stride);
      else
        outer_tile<S, 3>(n, index, z, stride, scratch + i, width, to, sums_stride);
      v += take;
    }
    sums += kTile * sums_stride;
  }
}

template <class S>
constexpr FullKernels<S> kKernels = {
    kLanes<S>,  kGroup<S>,   kTile,     pack<S, float>, pack<S, double>, turn<S>, distances<S>,
    improve<S>, labelled<S>, within<S>, scores<S>,      shares<S>,       outer<S>};

}  // namespace

namespace aimass::simd::mixture {

AIMASS_LEVEL_TABLE(FullTable, full_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd::mixture
