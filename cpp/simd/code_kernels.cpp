// Compiled once per ISA level with AIMASS_LEVEL defined, and once more for AVX-512 with VNNI.
// Everything has internal linkage but the table, and nothing from the standard library is used: see
// table.hpp for the reason.
#include "code_kernels.hpp"

#include "levels.hpp"
#include "vector.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

using namespace aimass::simd;

#if defined(__AVX2__)

using Index = std::int64_t;

// Products of four codes each are added up in 32-bit lanes. Without VNNI a pair of products has to
// fit 16 bits: 2 * 255 * 63 does.
#if defined(__AVX512F__)
constexpr Index kBlockRows = 8;
using Lanes = __m512i;
inline Lanes broadcast(std::int32_t x) { return _mm512_set1_epi32(x); }
inline Lanes load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
inline Lanes add(Lanes x, Lanes y) { return _mm512_add_epi32(x, y); }
inline Lanes both(Lanes x, Lanes y) { return _mm512_and_si512(x, y); }
inline std::uint32_t negative(Lanes x) { return _mm512_movepi32_mask(x); }
#if defined(__AVX512VNNI__)
constexpr std::int32_t kMost = 127;
inline Lanes dot(Lanes sum, Lanes items, Lanes query) {
  return _mm512_dpbusd_epi32(sum, items, query);
}
#else
constexpr std::int32_t kMost = 63;
inline Lanes dot(Lanes sum, Lanes items, Lanes query) {
  const Lanes pairs = _mm512_maddubs_epi16(items, query);
  return add(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
}
#endif
#else
constexpr Index kBlockRows = 4;
constexpr std::int32_t kMost = 63;
using Lanes = __m256i;
inline Lanes broadcast(std::int32_t x) { return _mm256_set1_epi32(x); }
inline Lanes load(const std::uint8_t* p) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
}
inline Lanes add(Lanes x, Lanes y) { return _mm256_add_epi32(x, y); }
inline Lanes both(Lanes x, Lanes y) { return _mm256_and_si256(x, y); }
inline std::uint32_t negative(Lanes x) {
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(x)));
}
inline Lanes dot(Lanes sum, Lanes items, Lanes query) {
  const Lanes pairs = _mm256_maddubs_epi16(items, query);
  return add(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif
constexpr Index kLanes = kVector / 4, kBlockVectors = 3;
constexpr Index kBlockCols = kLanes * kBlockVectors, kBlocks = kPanelCols / kBlockCols;
constexpr std::uint32_t kAll = (1u << kLanes) - 1;

// Numbers that are cut off so that sums fit 32 bits, and so that what passes uncut passes: a sum of
// codes is within 2^27, a bias within 3 * 2^27, a threshold from -2^29 to 2^28.
constexpr double kHighest = 1 << 28, kLowest = -(1 << 29);
constexpr float kMostBias = 3 << 27;

template <class T>
struct Biases {
  typedef T type __attribute__((vector_size(kLanes * sizeof(T)), aligned(alignof(T)), may_alias));
};
typedef float Floats __attribute__((vector_size(kVector), may_alias));

// Cut off at -most and most (also nan), fractions too.
#if defined(__AVX512F__)
inline Lanes whole(Floats x, Floats most) {  // GCC 12 takes what has no mask for uninitialised
  const __mmask16 all = 0xffff;
  const __m512 cut = _mm512_maskz_max_ps(all, _mm512_maskz_min_ps(all, x, most), -most);
  return _mm512_maskz_cvttps_epi32(all, cut);
}
#else
inline Lanes whole(Floats x, Floats most) {
  return _mm256_cvttps_epi32(_mm256_max_ps(_mm256_min_ps(x, most), -most));
}
#endif

// Biases in units of the sums, to the next whole number or so.
template <class T>
inline Lanes units(const T* biases, float scale) {
  const auto given = *reinterpret_cast<const typename Biases<T>::type*>(biases);
  return whole(__builtin_convertvector(given, Floats) * scale, Floats{} + kMostBias);
}

// What a panel adds to the sums of the rows: before the first group, and after each cut.
template <Index kRows>
struct Starts {
  std::int32_t add[kCodeCuts + 1][kRows];
  float bias_scales[kRows];
};

template <Index kRows>
inline bool all_negative(const Lanes (&sum)[kRows][kBlockVectors]) {
  Lanes signs = both(both(sum[0][0], sum[0][1]), sum[0][2]);
#pragma GCC unroll 8
  for (Index r = 1; r < kRows; ++r)
    signs = both(signs, both(both(sum[r][0], sum[r][1]), sum[r][2]));
  return negative(signs) == kAll;
}

template <Index kRows, Index kStride>
inline void add_products(Lanes (&sum)[kRows][kBlockVectors], const std::int32_t* a,
                         const std::uint8_t* b, Index n_groups) {
  for (Index l = 0; l < n_groups; ++l) {
    const Lanes first = load(b), second = load(b + kVector), third = load(b + 2 * kVector);
#pragma GCC unroll 8
    for (Index r = 0; r < kRows; ++r) {
      const Lanes query = broadcast(a[r]);
      sum[r][0] = dot(sum[r][0], first, query);
      sum[r][1] = dot(sum[r][1], second, query);
      sum[r][2] = dot(sum[r][2], third, query);
    }
    a += kStride;
    b += kPanelCols * kCodeGroup;
  }
}

template <bool kBiased, Index kRows, Index kStride, class T>
inline CodeHit* block(const CodeScan<T>& s, Index panel, Index row, Index col,
                      const Starts<kStride>& starts, CodeHit* hits) {
  Lanes sum[kRows][kBlockVectors];
  const T* biases = s.biases + panel * kPanelCols + col;
#pragma GCC unroll 8
  for (Index r = 0; r < kRows; ++r) {
    const Lanes start = broadcast(starts.add[0][row + r]);
#pragma GCC unroll 3
    for (Index v = 0; v < kBlockVectors; ++v)
      sum[r][v] =
          kBiased ? add(start, units(biases + v * kLanes, starts.bias_scales[row + r])) : start;
  }
  const std::int32_t* a = s.queries + row;
  const std::uint8_t* b = s.codes + (panel * s.n_groups * kPanelCols + col) * kCodeGroup;
  Index begin = 0;
  for (Index c = 0; c < s.n_cuts; ++c) {
    add_products<kRows, kStride>(sum, a + begin * kStride, b + begin * kPanelCols * kCodeGroup,
                                 s.cuts[c] - begin);
    if (all_negative(sum)) return hits;
    begin = s.cuts[c];
#pragma GCC unroll 8
    for (Index r = 0; r < kRows; ++r) {
      const Lanes more = broadcast(starts.add[c + 1][row + r]);
#pragma GCC unroll 3
      for (Index v = 0; v < kBlockVectors; ++v) sum[r][v] = add(sum[r][v], more);
    }
  }
  add_products<kRows, kStride>(sum, a + begin * kStride, b + begin * kPanelCols * kCodeGroup,
                               s.n_groups - begin);
#pragma GCC unroll 8
  for (Index r = 0; r < kRows; ++r) {
    if (negative(both(both(sum[r][0], sum[r][1]), sum[r][2])) == kAll) continue;
    std::uint64_t items = 0;
#pragma GCC unroll 3
    for (Index v = 0; v < kBlockVectors; ++v)
      items |= std::uint64_t{~negative(sum[r][v]) & kAll} << (col + v * kLanes);
    *hits++ = {static_cast<std::int32_t>(panel), static_cast<std::int32_t>(row + r), items};
  }
  return hits;
}

// The number that sums start from, so that only those which reach a threshold are not negative.
inline std::int32_t start_of(std::int32_t codes, double threshold) {
  double x = threshold < kHighest ? threshold : kHighest;  // and nan
  x = x > kLowest ? x : kLowest;
  return codes + 3 - static_cast<std::int32_t>(x);  // 3: fractions cut off
}

template <Index kRows, class T>
Index scan(const CodeScan<T>& s) {
  constexpr Index kStep = kRows < kBlockRows ? kRows : kBlockRows;
  CodeHit* hits = s.hits;
  for (Index panel = s.panel; panel < s.stop; ++panel) {
    const double* grid = s.grids + panel * kGridFields;
    const double off = grid[3] > 0 ? grid[3] * s.bias_share : 0;
    Starts<kRows> starts;
    for (Index r = 0; r < kRows; ++r) {
      const double scale = s.per_step[r] * grid[0];
      const double least =
          s.least[r] - s.error_share[r] * grid[1] - s.length_share[r] * grid[2] - off;
      std::int32_t so_far = 0;
      for (Index c = 0; c <= s.n_cuts; ++c) {
        const std::int32_t start =
            c == s.n_cuts
                ? start_of(s.start[r], least * scale)
                : start_of(s.cut_starts[r][c], (least - s.tails[r][c] * grid[4 + c]) * scale);
        starts.add[c][r] = start - so_far;
        so_far = start;
      }
      starts.bias_scales[r] = static_cast<float>(scale);
    }
    for (Index row = 0; row < kRows; row += kStep)
      for (Index c = 0; c < kBlocks; ++c)
        hits = grid[3] < 0 ? block<false, kStep, kRows>(s, panel, row, c * kBlockCols, starts, hits)
                           : block<true, kStep, kRows>(s, panel, row, c * kBlockCols, starts, hits);
  }
  return hits - s.hits;
}

template <class T>
constexpr CodeScans<T> kScans = {scan<1, T>, scan<2, T>, scan<4, T>, scan<8, T>};
constexpr CodeTable kTable{kMost, kScans<float>, kScans<double>};

#else

constexpr CodeTable kTable{0, {}, {}};

#endif

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(CodeTable, level_code_table) = kTable;

}  // namespace aimass::simd
