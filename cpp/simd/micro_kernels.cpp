// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "levels.hpp"
#include "table.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

// kGain: cost of a sparse product over that of a dense float32 multiply-add,
// measured.
constexpr Index kTileRows = kVector == 64 ? 8 : 4, kTileVectors = kVector == 16 ? 2 : 3;
constexpr double kGain = kVector == 64 ? 50 : kVector == 32 ? 25 : 6;

template <class T>
constexpr Index kTileCols = kTileVectors * kVector / static_cast<Index>(sizeof(T));

// The accumulators of the whole tile live in registers.
template <class T>
void gemm_tile(Index depth, const T* a, const T* b, T* c, Index ldc) {
  typedef T V __attribute__((vector_size(kVector), aligned(alignof(T)), may_alias));
  constexpr Index kLanes = kVector / static_cast<Index>(sizeof(T));
  V sum[kTileRows][kTileVectors];
  for (Index r = 0; r < kTileRows; ++r)
    for (Index v = 0; v < kTileVectors; ++v)
      sum[r][v] = *reinterpret_cast<const V*>(c + r * ldc + v * kLanes);
  for (Index l = 0; l < depth; ++l) {
    V bv[kTileVectors];
    for (Index v = 0; v < kTileVectors; ++v) bv[v] = *reinterpret_cast<const V*>(b + v * kLanes);
    for (Index r = 0; r < kTileRows; ++r)
      for (Index v = 0; v < kTileVectors; ++v) sum[r][v] += a[r] * bv[v];
    a += kTileRows;
    b += kTileCols<T>;
  }
  for (Index r = 0; r < kTileRows; ++r)
    for (Index v = 0; v < kTileVectors; ++v)
      *reinterpret_cast<V*>(c + r * ldc + v * kLanes) = sum[r][v];
}

template <class T>
void axpy(T x, const RowEntry<T>* entries, Index n, T* sums) {
  for (Index i = 0; i < n; ++i) sums[entries[i].col] += x * entries[i].value;
}

template <class T>
std::int32_t* axpy_note(T x, const RowEntry<T>* entries, Index n, T* sums, std::int32_t* notes) {
  for (Index i = 0; i < n; ++i) {
    const T before = sums[entries[i].col];
    *notes = static_cast<std::int32_t>(entries[i].col);
    notes += before == T(0);
    sums[entries[i].col] = before + x * entries[i].value;
  }
  return notes;
}

// A product of two vectors for each entry: (1, x, 1, x, x^2, 1, 0, 0) of the row's value, and
// (1, 1, y, y, 1, y^2, 0, 0) of the entry's, which is y (y b + a) + c for constant a, b, c.
template <class T>
void axpy_moments(T x, const RowEntry<T>* entries, Index n, T* sums) {
  constexpr Index kBytes = 8 * static_cast<Index>(sizeof(T));
  constexpr Index kWidth = kBytes < kVector ? kBytes : kVector;
  constexpr Index kVectors = kBytes / kWidth;
  typedef T V __attribute__((vector_size(kWidth), may_alias));
  alignas(kBytes) const T own[8] = {1, x, 1, x, x * x, 1, 0, 0};
  alignas(kBytes) const T square[8] = {0, 0, 0, 0, 0, 1, 0, 0};
  alignas(kBytes) const T linear[8] = {0, 0, 1, 1, 0, 0, 0, 0};
  alignas(kBytes) const T constant[8] = {1, 1, 0, 0, 1, 0, 0, 0};
  V xv[kVectors], a[kVectors], b[kVectors], c[kVectors];
  for (Index v = 0; v < kVectors; ++v) {
    xv[v] = reinterpret_cast<const V*>(own)[v];
    a[v] = reinterpret_cast<const V*>(linear)[v];
    b[v] = reinterpret_cast<const V*>(square)[v];
    c[v] = reinterpret_cast<const V*>(constant)[v];
  }
  for (Index i = 0; i < n; ++i) {
    const T y = entries[i].value;
    V* to = reinterpret_cast<V*>(sums + entries[i].col * 8);
    for (Index v = 0; v < kVectors; ++v) to[v] += xv[v] * (c[v] + y * (a[v] + y * b[v]));
  }
}

template <class T>
constexpr Index kLanes = kLaneBytes / static_cast<Index>(sizeof(T));

template <class T>
void axpy_lanes(const T* x, const RowEntry<T>* entries, Index n, T* sums) {
  typedef T V __attribute__((vector_size(kVector), may_alias));
  constexpr Index kVectors = kLaneBytes / kVector;
  V xv[kVectors];
  for (Index v = 0; v < kVectors; ++v) xv[v] = reinterpret_cast<const V*>(x)[v];
  for (Index i = 0; i < n; ++i) {
    V* to = reinterpret_cast<V*>(sums + entries[i].col * kLanes<T>);
    for (Index v = 0; v < kVectors; ++v) to[v] += xv[v] * entries[i].value;
  }
}

template <class T>
inline T magnitude(T x) {
  return x < T(0) ? -x : x;
}

template <class T>
constexpr T kSmallestNormal = sizeof(T) == 4 ? T(__FLT_MIN__) : T(__DBL_MIN__);
template <class T>
constexpr T kLargestSafe = (sizeof(T) == 4 ? T(__FLT_MAX__) : T(__DBL_MAX__)) / 16;

// A denominator as computed here, and the sum of the magnitudes of its terms.
template <class T>
struct Denominator {
  T value, size;

  // 1 when rounding may have changed the value by more than the thresholds leave room for: its
  // terms cancel, or some number is out of range or not a number.
  std::int32_t is_uncertain() const {
    const T limit = 8 * magnitude(value);
    return !(size <= limit) | !(size <= kLargestSafe<T>) | !(limit >= 8 * kSmallestNormal<T>);
  }
};

template <Score kScore, class T>
inline Denominator<T> denominator(const Scan<T>& s, T d, T p, T q) {
  if (kScore == Score::product) {
    const T product = p * q;
    return {product + s.shrink, magnitude(product) + magnitude(s.shrink)};
  }
  const T of_p = s.weight_p * (p - d), of_q = s.weight_q * (q - d);
  return {(d + s.shrink) + (of_p + of_q),
          (magnitude(d) + magnitude(s.shrink)) + (magnitude(of_p) + magnitude(of_q))};
}

// 1 when a pair may enter one of the two lists, else 0; never 0 for one that belongs there.
template <Score kScore, bool kSymmetric, class T>
inline std::int32_t passes(const Scan<T>& s, T d, T p, T q, T worst, T p_i, T q_i, T worst_i) {
  if (kScore == Score::sum) return (d != T(0)) & ((d >= worst_i) | (d >= worst));
  const Denominator<T> own = denominator<kScore>(s, d, p_i, q);
  const Denominator<T> other = kSymmetric ? own : denominator<kScore>(s, d, p, q_i);
  const std::int32_t uncertain =
      kSymmetric ? own.is_uncertain() : own.is_uncertain() | other.is_uncertain();
  return (d != T(0)) & ((d / own.value >= worst_i) | (d / other.value >= worst) | uncertain);
}

template <Score kScore, bool kSymmetric, class T>
Index scan_as(const Scan<T>& s, Index begin, Index end, std::int32_t* out_index, T* out_sum) {
  const T p_i = *s.p_i, q_i = *s.q_i, worst_i = *s.worst_i;
  Index n = 0;
  for (Index j0 = begin; j0 < end; j0 += kScanBlock) {
    T* sums = s.sums + j0;
    std::int32_t pass[kScanBlock];
    std::int32_t any = 0;
    for (Index l = 0; l < kScanBlock; ++l) {
      const Index j = j0 + l;
      pass[l] =
          passes<kScore, kSymmetric>(s, sums[l], s.p[j], s.q[j], s.worst[j], p_i, q_i, worst_i);
      any |= pass[l];
    }
    if (any) {
      for (Index l = 0; l < kScanBlock; ++l) {
        out_index[n] = static_cast<std::int32_t>(j0 + l);
        out_sum[n] = sums[l];
        n += pass[l];
      }
    }
    for (Index l = 0; l < kScanBlock; ++l) sums[l] = T(0);
  }
  return n;
}

template <Score kScore, bool kSymmetric, class T>
Index scan_notes_as(const Scan<T>& s, const std::int32_t* notes, Index size,
                    std::int32_t* out_index, T* out_sum) {
  const T p_i = *s.p_i, q_i = *s.q_i, worst_i = *s.worst_i;
  Index n = 0;
  for (Index c = 0; c < size; ++c) {
    const Index j = notes[c];
    const T d = s.sums[j];
    out_index[n] = notes[c];
    out_sum[n] = d;
    n += passes<kScore, kSymmetric>(s, d, s.p[j], s.q[j], s.worst[j], p_i, q_i, worst_i);
    s.sums[j] = T(0);
  }
  return n;
}

template <Score kScore, bool kSymmetric, class T>
Index scan_lanes_as(const Scan<T>& s, Index begin, Index end, std::int64_t* out_index, T* out_sum) {
  constexpr Index kL = kLanes<T>;
  T p_i[kL], q_i[kL], worst_i[kL];
  for (Index l = 0; l < kL; ++l) {
    p_i[l] = s.p_i[l];
    q_i[l] = s.q_i[l];
    worst_i[l] = s.worst_i[l];
  }
  Index n = 0;
  for (Index j = begin; j < end; ++j) {
    T* sums = s.sums + j * kL;
    std::int32_t pass[kL];
    std::int32_t any = 0;
    for (Index l = 0; l < kL; ++l) {
      pass[l] = passes<kScore, kSymmetric>(s, sums[l], s.p[j], s.q[j], s.worst[j], p_i[l], q_i[l],
                                           worst_i[l]);
      any |= pass[l];
    }
    if (any) {
      for (Index l = 0; l < kL; ++l) {
        out_index[n] = j * kL + l;
        out_sum[n] = sums[l];
        n += pass[l];
      }
    }
    for (Index l = 0; l < kL; ++l) sums[l] = T(0);
  }
  return n;
}

template <class T>
Index scan(const Scan<T>& s, Index begin, Index end, std::int32_t* out, T* out_sum) {
  if (s.score == Score::sum) return scan_as<Score::sum, true>(s, begin, end, out, out_sum);
  if (s.score == Score::ratio)
    return s.symmetric ? scan_as<Score::ratio, true>(s, begin, end, out, out_sum)
                       : scan_as<Score::ratio, false>(s, begin, end, out, out_sum);
  return s.symmetric ? scan_as<Score::product, true>(s, begin, end, out, out_sum)
                     : scan_as<Score::product, false>(s, begin, end, out, out_sum);
}

template <class T>
Index scan_notes(const Scan<T>& s, const std::int32_t* notes, Index n, std::int32_t* out,
                 T* out_sum) {
  if (s.score == Score::sum) return scan_notes_as<Score::sum, true>(s, notes, n, out, out_sum);
  if (s.score == Score::ratio)
    return s.symmetric ? scan_notes_as<Score::ratio, true>(s, notes, n, out, out_sum)
                       : scan_notes_as<Score::ratio, false>(s, notes, n, out, out_sum);
  return s.symmetric ? scan_notes_as<Score::product, true>(s, notes, n, out, out_sum)
                     : scan_notes_as<Score::product, false>(s, notes, n, out, out_sum);
}

template <class T>
Index scan_lanes(const Scan<T>& s, Index begin, Index end, std::int64_t* out, T* out_sum) {
  if (s.score == Score::sum) return scan_lanes_as<Score::sum, true>(s, begin, end, out, out_sum);
  if (s.score == Score::ratio)
    return s.symmetric ? scan_lanes_as<Score::ratio, true>(s, begin, end, out, out_sum)
                       : scan_lanes_as<Score::ratio, false>(s, begin, end, out, out_sum);
  return s.symmetric ? scan_lanes_as<Score::product, true>(s, begin, end, out, out_sum)
                     : scan_lanes_as<Score::product, false>(s, begin, end, out, out_sum);
}

template <class T>
constexpr Kernels<T> kKernels{
    gemm_tile<T>, kTileRows,     kTileCols<T>,    kGain * sizeof(float) / sizeof(T),
    axpy<T>,      axpy_note<T>,  axpy_moments<T>, axpy_lanes<T>,
    scan<T>,      scan_notes<T>, scan_lanes<T>};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(Table, table) = {
    kKernels<float>,
    kKernels<double>,
};

}  // namespace aimass::simd
