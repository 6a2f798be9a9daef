// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "score_kernels.hpp"
#include "levels.hpp"
#include "vector.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

// A block of kBlockRows x kBlockVectors sums stays in registers.
constexpr Index kBlockRows = kVector == 64 ? 8 : 4, kBlockVectors = kVector == 16 ? 2 : 3;
template <class T>
constexpr Index kBlocks = kPanelCols * static_cast<Index>(sizeof(T)) / (kVector * kBlockVectors);

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
};
template <class T>
using V = typename Vector<T>::type;

// Masks have a bit for each lane. append: the lanes of a mask to the end of a buffer; what lies
// behind them may be overwritten.
#if defined(__AVX512F__)
template <int kCompare>
inline std::uint32_t compare(V<float> x, float y) {
  return _mm512_cmp_ps_mask(x, _mm512_set1_ps(y), kCompare);
}
template <int kCompare>
inline std::uint32_t compare(V<double> x, double y) {
  return _mm512_cmp_pd_mask(x, _mm512_set1_pd(y), kCompare);
}
// Compressed in a register first: the form that writes to memory is slow on some processors.
inline void append(V<float> x, std::uint32_t mask, float* to) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask), x));
}
inline void append(V<double> x, std::uint32_t mask, double* to) {
  _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask), x));
}
// As many integers as T has lanes.
template <class T>
inline void append_items(const std::int32_t* from, std::uint32_t mask, std::int32_t* to) {
  if constexpr (sizeof(T) == 4) {
    const __m512i x = _mm512_loadu_si512(from);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), x));
  } else {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to),
                        _mm256_maskz_compress_epi32(static_cast<__mmask8>(mask), x));
  }
}
template <class T>
inline void append_positions(std::int32_t position, std::uint32_t mask, std::int32_t* to) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i x = _mm512_add_epi32(lanes, _mm512_set1_epi32(position));
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi32(static_cast<__mmask16>(mask), x));
}
inline std::uint32_t at_least(V<float> x, V<float> y) {
  return _mm512_cmp_ps_mask(x, y, _CMP_GE_OQ);
}
inline std::uint32_t at_least(V<double> x, V<double> y) {
  return _mm512_cmp_pd_mask(x, y, _CMP_GE_OQ);
}
#else
#if defined(__AVX2__)
inline std::uint32_t at_least(V<float> x, V<float> y) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(x, y, _CMP_GE_OQ)));
}
inline std::uint32_t at_least(V<double> x, V<double> y) {
  return static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(x, y, _CMP_GE_OQ)));
}
#else
template <class W>
inline std::uint32_t at_least(W x, W y) {
  std::uint32_t mask = 0;
  for (unsigned l = 0; l < sizeof(W) / sizeof(x[0]); ++l)
    mask |= static_cast<std::uint32_t>(x[l] >= y[l]) << l;
  return mask;
}
#endif
template <class T>
inline void append(V<T> x, std::uint32_t mask, T* to) {
  for (; mask != 0; mask &= mask - 1) *to++ = reinterpret_cast<const T*>(&x)[__builtin_ctz(mask)];
}
template <class T>
inline void append_positions(std::int32_t position, std::uint32_t mask, std::int32_t* to) {
  for (; mask != 0; mask &= mask - 1) *to++ = position + __builtin_ctz(mask);
}
#endif

// What a tile does with its sums. over: thresholds belong to the columns, biases to the rows.
enum class Mode { append, over };

template <class T>
inline V<T> all_lanes(T x) {
  return V<T>{} + x;
}

template <class T>
inline void push(const ScoreTile<T>& t, Index row, V<T> scores, std::uint32_t mask,
                 std::int32_t position) {
  const std::int32_t n = t.counts[row];
  append(scores, mask, t.scores[row] + n);
  append_positions<T>(position, mask, t.positions[row] + n);
  t.counts[row] = n + __builtin_popcount(mask);
}

// kRows of the tile's kStride queries against a part of the panel.
template <Mode kMode, Index kRows, Index kStride, class T>
inline bool block(const ScoreTile<T>& t, Index row, Index col) {
  constexpr Index kLanes = Vector<T>::lanes;
  V<T> sum[kRows][kBlockVectors];
  for (Index r = 0; r < kRows; ++r)
    for (Index v = 0; v < kBlockVectors; ++v)
      sum[r][v] = kMode == Mode::over ? all_lanes(t.bias[row + r])
                                      : *reinterpret_cast<const V<T>*>(t.bias + col + v * kLanes);
  const T* a = t.queries + row;
  const T* b = t.panel + col;
  for (Index l = 0; l < t.depth; ++l) {
    V<T> bv[kBlockVectors];
    for (Index v = 0; v < kBlockVectors; ++v)
      bv[v] = *reinterpret_cast<const V<T>*>(b + v * kLanes);
    for (Index r = 0; r < kRows; ++r)
      for (Index v = 0; v < kBlockVectors; ++v) sum[r][v] += a[r] * bv[v];
    a += kStride;
    b += kPanelCols;
  }
  bool any = false;
  for (Index r = 0; r < kRows; ++r) {
    std::uint32_t mask[kBlockVectors];
    std::uint32_t all = 0;
    for (Index v = 0; v < kBlockVectors; ++v) {
      const V<T> threshold = kMode == Mode::over
                                 ? *reinterpret_cast<const V<T>*>(t.thresholds + col + v * kLanes)
                                 : all_lanes(t.thresholds[row + r]);
      all |= mask[v] = at_least(sum[r][v], threshold);
    }
    if (all == 0) continue;
    any = true;
    for (Index v = 0; v < kBlockVectors; ++v)
      push(t, row + r, sum[r][v], mask[v],
           t.position + static_cast<std::int32_t>(col + v * kLanes));
  }
  return any;
}

template <Mode kMode, Index kRows, class T>
bool tile(const ScoreTile<T>& t) {
  constexpr Index kStep = kRows < kBlockRows ? kRows : kBlockRows;
  bool any = false;
  for (Index row = 0; row < kRows; row += kStep)
    for (Index c = 0; c < kBlocks<T>; ++c)
      any |= block<kMode, kStep, kRows>(t, row, c * kBlockVectors * Vector<T>::lanes);
  return any;
}

// A few vectors of items at once, each with its own query: as many chains of sums.
template <class T>
Index append_hits(const ScoreTile<T>& t, Index rows, CodeHit* hits, Index n_hits) {
  constexpr Index kChains = 4, kLanes = Vector<T>::lanes;
  static_assert(kChains * kLanes <= kMostAppended && kPanelCols <= kMostAppended);
  const T* a[kChains] = {};
  const T* b[kChains] = {};
  Index row[kChains], position[kChains];
  V<T> sum[kChains] = {};
  Index n = 0, done = 0;
  for (; done < n_hits && n < kChains; ++n) {
    CodeHit& hit = hits[done];
    const Index v = __builtin_ctzll(hit.items) / kLanes;
    hit.items &= ~(((std::uint64_t{1} << kLanes) - 1) << (v * kLanes));
    row[n] = hit.row;
    position[n] = hit.panel * kPanelCols + v * kLanes;
    a[n] = t.queries + hit.row;
    b[n] = t.panel + hit.panel * t.depth * kPanelCols + v * kLanes;
    sum[n] = *reinterpret_cast<const V<T>*>(t.bias + position[n]);
    done += hit.items == 0;
  }
  for (Index c = n; c < kChains; ++c) {
    a[c] = a[0];
    b[c] = b[0];
    sum[c] = sum[0];
  }
  for (Index l = 0; l < t.depth; ++l)
    for (Index c = 0; c < kChains; ++c)
      sum[c] += a[c][l * rows] * *reinterpret_cast<const V<T>*>(b[c] + l * kPanelCols);
  for (Index c = 0; c < n; ++c) {
    const std::uint32_t mask = at_least(sum[c], all_lanes(t.thresholds[row[c]]));
    // Nothing at all may be written for rows that are there to fill a tile.
    if (mask != 0) push(t, row[c], sum[c], mask, static_cast<std::int32_t>(position[c]));
  }
  return done;
}

// What is above the pivot to `above` (which may be `from`), what is below to `below`.
template <class T>
inline void partition(const T* from, Index n, T pivot, T* above, Index* n_above, T* below,
                      Index* n_below) {
  Index a = 0, b = 0, i = 0;
#if defined(__AVX512F__)
  constexpr Index kLanes = Vector<T>::lanes;
  for (; i + kLanes <= n; i += kLanes) {
    const V<T> x = *reinterpret_cast<const V<T>*>(from + i);
    const std::uint32_t up = compare<_CMP_GT_OQ>(x, pivot), down = compare<_CMP_LT_OQ>(x, pivot);
    append(x, up, above + a);
    append(x, down, below + b);
    a += __builtin_popcount(up);
    b += __builtin_popcount(down);
  }
#endif
  for (; i < n; ++i) {
    const T x = from[i];
    above[a] = x;
    a += x > pivot;
    below[b] = x;
    b += x < pivot;
  }
  *n_above = a;
  *n_below = b;
}

// The k-th largest by quickselect. False when the pivots were unlucky for very long.
template <class T>
bool select(const T* scores, Index n, Index k, T* scratch, T* kth) {
  T* other = scratch + n + kScoreSlack;
  T* target = scratch;  // of what is above
  const T* from = scores;
  Index rank = k;
  for (int pass = 0; pass < 100; ++pass) {
    const T x = from[0], y = from[n / 2], z = from[n - 1];
    const T low = x < y ? x : y, high = x < y ? y : x;
    const T pivot = z < low ? low : z > high ? high : z;
    Index above, below;
    partition(from, n, pivot, target, &above, other, &below);
    if (rank <= above) {
      from = target;
      n = above;
    } else if (rank <= n - below) {
      *kth = pivot;
      return true;
    } else {
      rank -= n - below;
      from = other;
      n = below;
      other = target;
      target = const_cast<T*>(from);
    }
  }
  return false;
}

template <class T>
Index keep_best(T* scores, std::int32_t* items, Index n, Index k, T* scratch, T* kth) {
  if (!select(scores, n, k, scratch, kth)) return -1;
  const T least = *kth;
  Index kept = 0, i = 0;
#if defined(__AVX512F__)
  constexpr Index kLanes = Vector<T>::lanes;
  for (; i + kLanes <= n; i += kLanes) {
    const V<T> x = *reinterpret_cast<const V<T>*>(scores + i);
    const std::uint32_t mask = at_least(x, all_lanes(least));
    append_items<T>(items + i, mask, items + kept);
    append(x, mask, scores + kept);
    kept += __builtin_popcount(mask);
  }
#endif
  for (; i < n; ++i) {
    const T score = scores[i];
    scores[kept] = score;
    items[kept] = items[i];
    kept += score >= least;
  }
  return kept;
}

template <class T>
void sort_few(const T* scores, const std::int32_t* items, Index n, T* out_scores,
              std::int32_t* out_items) {
  for (Index i = 0; i < n; ++i) {
    const T score = scores[i];
    const std::int32_t item = items[i];
    std::int32_t place = 0;
    for (Index j = 0; j < n; ++j)
      place += (scores[j] > score) | ((scores[j] == score) & (items[j] < item));
    out_scores[place] = score;
    out_items[place] = item;
  }
}

template <Mode kMode, class T>
constexpr Tiles<T> kTiles = {tile<kMode, 1, T>, tile<kMode, 2, T>, tile<kMode, 4, T>,
                             tile<kMode, 8, T>};

template <class T>
constexpr ScoreKernels<T> kKernels{kTiles<Mode::append, T>, kTiles<Mode::over, T>, append_hits<T>,
                                   keep_best<T>, sort_few<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(ScoreTable, score_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
