// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "table.hpp"

namespace {

using aimass::simd::kScanBlock;
using aimass::simd::Scan;
using Index = std::int64_t;

// kVector: bytes. kGain: cost of a sparse product over that of a dense float32 multiply-add, measured.
#if defined(__AVX512F__)
constexpr Index kVector = 64, kTileRows = 8, kTileVectors = 3;
constexpr double kGain = 50;
#elif defined(__AVX2__)
constexpr Index kVector = 32, kTileRows = 4, kTileVectors = 3;
constexpr double kGain = 25;
#else
constexpr Index kVector = 16, kTileRows = 4, kTileVectors = 2;
constexpr double kGain = 6;
#endif

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

template <bool kRatio, bool kSymmetric, class T>
Index scan_as(const Scan<T>& s, Index begin, Index end, std::int32_t* out_index, T* out_sum) {
  Index n = 0;
  for (Index j0 = begin; j0 < end; j0 += kScanBlock) {
    if (s.flags && !s.flags[j0 / kScanBlock]) continue;
    T* sums = s.sums + j0;
    const T* p = s.p + j0;
    const T* q = s.q + j0;
    const T* worst = s.worst + j0;
    std::int32_t pass[kScanBlock];
    std::int32_t any = 0;
    for (Index l = 0; l < kScanBlock; ++l) {
      const T d = sums[l];
      const T own = d / (kRatio ? s.weight * d + s.p_i + q[l] + s.shrink : s.p_i * q[l] + s.shrink);
      T other = own;
      if (!kSymmetric)
        other = d / (kRatio ? s.weight * d + p[l] + s.q_i + s.shrink : p[l] * s.q_i + s.shrink);
      pass[l] = (d != T(0)) & ((own >= s.worst_i) | (other >= worst[l]));
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

template <class T>
Index scan(const Scan<T>& s, Index begin, Index end, std::int32_t* out_index, T* out_sum) {
  if (s.ratio)
    return s.symmetric ? scan_as<true, true>(s, begin, end, out_index, out_sum)
                       : scan_as<true, false>(s, begin, end, out_index, out_sum);
  return s.symmetric ? scan_as<false, true>(s, begin, end, out_index, out_sum)
                     : scan_as<false, false>(s, begin, end, out_index, out_sum);
}

}  // namespace

#define AIMASS_CAT2(a, b) a##b
#define AIMASS_CAT(a, b) AIMASS_CAT2(a, b)
#define AIMASS_STR2(a) #a
#define AIMASS_STR(a) AIMASS_STR2(a)

namespace aimass::simd {

extern const Table AIMASS_CAT(table_, AIMASS_LEVEL);
const Table AIMASS_CAT(table_, AIMASS_LEVEL) = {
    AIMASS_STR(AIMASS_LEVEL),
    {gemm_tile<float>, kTileRows, kTileCols<float>, kGain, scan<float>},
    {gemm_tile<double>, kTileRows, kTileCols<double>, kGain / 2, scan<double>},
};

}  // namespace aimass::simd
