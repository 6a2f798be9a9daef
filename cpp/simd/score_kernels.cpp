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
// behind them may be overwritten. append_positions: the same for `position` plus the lane.
#if defined(__AVX512F__)
// Compressed in a register first: the form that writes to memory is slow on some processors.
inline void append(V<float> x, std::uint32_t mask, float* to) {
  _mm512_storeu_ps(to, _mm512_maskz_compress_ps(static_cast<__mmask16>(mask), x));
}
inline void append(V<double> x, std::uint32_t mask, double* to) {
  _mm512_storeu_pd(to, _mm512_maskz_compress_pd(static_cast<__mmask8>(mask), x));
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
#elif defined(__AVX2__)
// For every mask its lanes, one byte each, lowest first; lanes of kWords 32-bit words, which are
// listed one by one.
template <std::uint32_t kLanes, std::uint32_t kWords>
struct LanesOfMask {
  constexpr LanesOfMask() {
    for (std::uint32_t mask = 0; mask < 1U << kLanes; ++mask) {
      int shift = 0;
      for (std::uint64_t lane = 0; lane < kLanes; ++lane) {
        if ((mask >> lane & 1) == 0) continue;
        for (std::uint64_t word = 0; word < kWords; ++word, shift += 8)
          bytes[mask] |= (lane * kWords + word) << shift;
      }
    }
  }
  std::uint64_t bytes[1U << kLanes] = {};
};
constexpr LanesOfMask<8, 1> kSingles;  // 8 lanes of 32 bits
constexpr LanesOfMask<4, 1> kFew;      // 4 lanes of 32 bits
constexpr LanesOfMask<4, 2> kPairs;    // 4 lanes of 64 bits

inline __m256i eight_words(const std::uint64_t& bytes) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(&bytes)));
}
// The 64-bit lanes of a mask, moved to the front.
inline __m256i compressed(__m256i x, std::uint32_t mask) {
  return _mm256_permutevar8x32_epi32(x, eight_words(kPairs.bytes[mask]));
}
inline void append(V<float> x, std::uint32_t mask, float* to) {
  _mm256_storeu_ps(to, _mm256_permutevar8x32_ps(x, eight_words(kSingles.bytes[mask])));
}
inline void append(V<double> x, std::uint32_t mask, double* to) {
  const __m256i words = compressed(_mm256_castpd_si256(x), mask);
  _mm256_storeu_pd(to, _mm256_castsi256_pd(words));
}
template <class T>
inline void append_positions(std::int32_t position, std::uint32_t mask, std::int32_t* to) {
  const std::uint64_t& bytes = sizeof(T) == 4 ? kSingles.bytes[mask] : kFew.bytes[mask];
  const __m256i x = _mm256_add_epi32(eight_words(bytes), _mm256_set1_epi32(position));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}
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

// Four (AVX2) or eight (AVX-512) entries of 8 bytes at once, as long as there are as many.
#if defined(__AVX512F__)
inline Index split_vectors(const Scored<float>* from, Index n, Scored<float> pivot,
                           Scored<float>* better, Scored<float>* others, Index* n_better) {
  const __m512 score = _mm512_set1_ps(pivot.score);
  const __m512i index = _mm512_set1_epi32(pivot.index);
  Index a = 0, i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m512i x = _mm512_loadu_si512(from + i);
    const __m512 scores = _mm512_maskz_moveldup_ps(0xffff, _mm512_castsi512_ps(x));  // each twice
    const std::uint32_t higher = _mm512_cmp_ps_mask(scores, score, _CMP_GT_OQ);
    const std::uint32_t equal = _mm512_cmp_ps_mask(scores, score, _CMP_EQ_OQ);
    const std::uint32_t before = _mm512_cmplt_epi32_mask(x, index) >> 1;  // of the upper halves
    const auto mask = static_cast<__mmask8>(_pext_u32(higher | (equal & before), 0x5555));
    _mm512_storeu_si512(better + a, _mm512_maskz_compress_epi64(mask, x));
    _mm512_storeu_si512(others + (i - a),
                        _mm512_maskz_compress_epi64(static_cast<__mmask8>(~mask), x));
    a += __builtin_popcount(mask);
  }
  *n_better = a;
  return i;
}
#elif defined(__AVX2__)
inline Index split_vectors(const Scored<float>* from, Index n, Scored<float> pivot,
                           Scored<float>* better, Scored<float>* others, Index* n_better) {
  const __m256 score = _mm256_set1_ps(pivot.score);
  const __m256i index = _mm256_set1_epi32(pivot.index);
  Index a = 0, i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    const __m256 scores = _mm256_moveldup_ps(_mm256_castsi256_ps(x));  // each twice
    const __m256 higher = _mm256_cmp_ps(scores, score, _CMP_GT_OQ);
    const __m256 equal = _mm256_cmp_ps(scores, score, _CMP_EQ_OQ);
    const __m256 before = _mm256_castsi256_ps(_mm256_cmpgt_epi32(index, x));
    // Of a pair, `higher` and `equal` hold in both halves, `before` in the upper one, as does the
    // sign bit that counts.
    const __m256 up = _mm256_or_ps(higher, _mm256_and_ps(equal, before));
    const auto mask = static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_castps_pd(up)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(better + a), compressed(x, mask));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(others + (i - a)), compressed(x, mask ^ 15));
    a += __builtin_popcount(mask);
  }
  *n_better = a;
  return i;
}
#endif
template <class T>
inline Index split_vectors(const Scored<T>*, Index, Scored<T>, Scored<T>*, Scored<T>*,
                           Index* n_better) {
  return *n_better = 0;
}

template <class T>
Index split(const Scored<T>* from, Index n, Scored<T> pivot, Scored<T>* better, Scored<T>* others) {
  Index a;
  for (Index i = split_vectors(from, n, pivot, better, others, &a); i < n; ++i) {
    const Scored<T> item = from[i];
    const bool up =
        (item.score > pivot.score) | ((item.score == pivot.score) & (item.index < pivot.index));
    better[a] = item;
    others[i - a] = item;
    a += up;
  }
  return a;
}

template <class T>
void sort_few(Scored<T>* items, Index n) {
  T scores[kMostFew];
  std::int32_t indices[kMostFew];
  for (Index i = 0; i < n; ++i) {
    scores[i] = items[i].score;
    indices[i] = items[i].index;
  }
  for (Index i = 0; i < n; ++i) {
    const T score = scores[i];
    const std::int32_t index = indices[i];
    std::int32_t rank = 0;
    for (Index j = 0; j < n; ++j)
      rank += (scores[j] > score) | ((scores[j] == score) & (indices[j] < index));
    items[rank] = {score, index};
  }
}

template <Mode kMode, class T>
constexpr Tiles<T> kTiles = {tile<kMode, 1, T>, tile<kMode, 2, T>, tile<kMode, 4, T>,
                             tile<kMode, 8, T>};

template <class T>
constexpr ScoreKernels<T> kKernels{kTiles<Mode::append, T>, kTiles<Mode::over, T>, append_hits<T>,
                                   split<T>, sort_few<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(ScoreTable, score_table) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
