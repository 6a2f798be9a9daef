// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "score_kernels.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

// kVector: bytes. A block of kBlockRows x kBlockVectors sums stays in registers.
#if defined(__AVX512F__)
constexpr Index kVector = 64, kBlockRows = 8, kBlockVectors = 3;
#elif defined(__AVX2__)
constexpr Index kVector = 32, kBlockRows = 4, kBlockVectors = 3;
#else
constexpr Index kVector = 16, kBlockRows = 4, kBlockVectors = 2;
#endif
constexpr Index kBlocks = kPanelBytes / (kVector * kBlockVectors);

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
  static constexpr Index lanes = kVector / static_cast<Index>(sizeof(T));
};
template <class T>
using V = typename Vector<T>::type;

// Bit l: lane l is not below the threshold. append: those lanes to the end of a buffer.
#if defined(__AVX512F__)
inline std::uint32_t at_least(V<float> sum, float threshold) {
  return _mm512_cmp_ps_mask(sum, _mm512_set1_ps(threshold), _CMP_GE_OQ);
}
inline std::uint32_t at_least(V<double> sum, double threshold) {
  return _mm512_cmp_pd_mask(sum, _mm512_set1_pd(threshold), _CMP_GE_OQ);
}
// Compressed in a register first: the form that writes to memory is slow on some processors.
inline void append(V<float> sum, std::uint32_t mask, std::int32_t position, float* scores,
                   std::int32_t* positions) {
  const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const auto m = static_cast<__mmask16>(mask);
  _mm512_storeu_ps(scores, _mm512_maskz_compress_ps(m, sum));
  _mm512_storeu_si512(positions, _mm512_maskz_compress_epi32(
                                     m, _mm512_add_epi32(lanes, _mm512_set1_epi32(position))));
}
inline void append(V<double> sum, std::uint32_t mask, std::int32_t position, double* scores,
                   std::int32_t* positions) {
  const __m256i lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
  const auto m = static_cast<__mmask8>(mask);
  _mm512_storeu_pd(scores, _mm512_maskz_compress_pd(m, sum));
  _mm256_storeu_si256(
      reinterpret_cast<__m256i*>(positions),
      _mm256_maskz_compress_epi32(m, _mm256_add_epi32(lanes, _mm256_set1_epi32(position))));
}
#else
#if defined(__AVX2__)
inline std::uint32_t at_least(V<float> sum, float threshold) {
  const __m256 passes = _mm256_cmp_ps(sum, _mm256_set1_ps(threshold), _CMP_GE_OQ);
  return static_cast<std::uint32_t>(_mm256_movemask_ps(passes));
}
inline std::uint32_t at_least(V<double> sum, double threshold) {
  const __m256d passes = _mm256_cmp_pd(sum, _mm256_set1_pd(threshold), _CMP_GE_OQ);
  return static_cast<std::uint32_t>(_mm256_movemask_pd(passes));
}
#else
template <class T>
inline std::uint32_t at_least(V<T> sum, T threshold) {
  std::uint32_t mask = 0;
  for (Index l = 0; l < Vector<T>::lanes; ++l)
    mask |= static_cast<std::uint32_t>(sum[l] >= threshold) << l;
  return mask;
}
#endif
template <class T>
inline void append(V<T> sum, std::uint32_t mask, std::int32_t position, T* scores,
                   std::int32_t* positions) {
  for (Index n = 0; mask != 0; mask &= mask - 1, ++n) {
    const int lane = __builtin_ctz(mask);
    scores[n] = reinterpret_cast<const T*>(&sum)[lane];
    positions[n] = position + lane;
  }
}
#endif

// kRows of the tile's kStride queries against a part of the panel.
template <Index kRows, Index kStride, class T>
inline bool block(const ScoreTile<T>& t, Index row, Index col) {
  constexpr Index kLanes = Vector<T>::lanes;
  V<T> sum[kRows][kBlockVectors];
  for (Index r = 0; r < kRows; ++r)
    for (Index v = 0; v < kBlockVectors; ++v)
      sum[r][v] = *reinterpret_cast<const V<T>*>(t.bias + col + v * kLanes);
  const T* a = t.queries + row;
  const T* b = t.panel + col;
  for (Index l = 0; l < t.depth; ++l) {
    V<T> bv[kBlockVectors];
    for (Index v = 0; v < kBlockVectors; ++v)
      bv[v] = *reinterpret_cast<const V<T>*>(b + v * kLanes);
    for (Index r = 0; r < kRows; ++r)
      for (Index v = 0; v < kBlockVectors; ++v) sum[r][v] += a[r] * bv[v];
    a += kStride;
    b += kPanelCols<T>;
  }
  bool any = false;
  for (Index r = 0; r < kRows; ++r) {
    const T threshold = t.thresholds[row + r];
    std::uint32_t mask[kBlockVectors];
    std::uint32_t all = 0;
    for (Index v = 0; v < kBlockVectors; ++v) all |= mask[v] = at_least(sum[r][v], threshold);
    if (all == 0) continue;
    any = true;
    std::int32_t n = t.counts[row + r];
    const Index buffer = (row + r) * t.stride;
    for (Index v = 0; v < kBlockVectors; ++v) {
      append(sum[r][v], mask[v], t.position + static_cast<std::int32_t>(col + v * kLanes),
             t.scores + buffer + n, t.positions + buffer + n);
      n += __builtin_popcount(mask[v]);
    }
    t.counts[row + r] = n;
  }
  return any;
}

template <Index kRows, class T>
bool tile(const ScoreTile<T>& t) {
  constexpr Index kStep = kRows < kBlockRows ? kRows : kBlockRows;
  bool any = false;
  for (Index row = 0; row < kRows; row += kStep)
    for (Index c = 0; c < kBlocks; ++c)
      any |= block<kStep, kRows>(t, row, c * kBlockVectors * Vector<T>::lanes);
  return any;
}

template <class T>
constexpr ScoreKernels<T> kKernels{{tile<1, T>, tile<2, T>, tile<4, T>, tile<8, T>}};

}  // namespace

#define AIMASS_CAT2(a, b) a##b
#define AIMASS_CAT(a, b) AIMASS_CAT2(a, b)

namespace aimass::simd {

extern const ScoreTable AIMASS_CAT(score_table_, AIMASS_LEVEL);
const ScoreTable AIMASS_CAT(score_table_, AIMASS_LEVEL) = {kKernels<float>, kKernels<double>};

}  // namespace aimass::simd
