// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "resample_kernels.hpp"

#include "levels.hpp"
#include "vector.hpp"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace {

using namespace aimass::simd;
using Index = std::int64_t;

constexpr std::uint64_t kM0 = 0xD2511F53, kM1 = 0xCD9E8D57;
constexpr std::uint32_t kW0 = 0x9E3779B9, kW1 = 0xBB67AE85;
constexpr Index kRounds = 10;
constexpr Index kLanes = kVector / 8, kDoubles = kVector / 8;

typedef std::uint64_t Words __attribute__((vector_size(kVector), may_alias));
typedef double Doubles __attribute__((vector_size(kVector), aligned(8), may_alias));
typedef std::int16_t Draws __attribute__((vector_size(kVector), may_alias));

// Products of the low halves of the 64-bit lanes.
inline Words multiply(Words x, std::uint64_t y) {
#if defined(__AVX512F__)
  const __m512i all = _mm512_set1_epi64(static_cast<long long>(y));
  return reinterpret_cast<Words>(_mm512_maskz_mul_epu32(0xff, reinterpret_cast<__m512i>(x), all));
#elif defined(__AVX2__)
  return reinterpret_cast<Words>(_mm256_mul_epu32(reinterpret_cast<__m256i>(x),
                                                  _mm256_set1_epi64x(static_cast<long long>(y))));
#elif defined(__SSE2__)
  return reinterpret_cast<Words>(
      _mm_mul_epu32(reinterpret_cast<__m128i>(x), _mm_set1_epi64x(static_cast<long long>(y))));
#else
  return (x & 0xffffffffu) * y;
#endif
}

inline Doubles load(const double* p) { return *reinterpret_cast<const Doubles*>(p); }

constexpr Index kFlight = 4;  // vectors of counters in flight

// Philox4x32-10 of kFlight * kLanes consecutive counters. The four words of a counter are in the
// low halves of lanes; what is in the high halves never reaches the low ones.
struct State {
  Words c[kFlight][4];
};

inline void philox_rounds(State& s, std::uint64_t seed) {
  std::uint32_t k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
  for (Index round = 0; round < kRounds; ++round) {
#pragma GCC unroll 4
    for (Index f = 0; f < kFlight; ++f) {
      Words* c = s.c[f];
      const Words p0 = multiply(c[0], kM0), p1 = multiply(c[2], kM1);
      c[0] = (p1 >> 32) ^ c[1] ^ std::uint64_t{k0};
      c[2] = (p0 >> 32) ^ c[3] ^ std::uint64_t{k1};
      c[1] = p1;
      c[3] = p0;
    }
    k0 += kW0;
    k1 += kW1;
  }
}

inline void start(State& s, std::uint64_t replicate, std::uint32_t stream, std::uint32_t first) {
  Words lane;
  for (Index l = 0; l < kLanes; ++l) lane[l] = static_cast<std::uint64_t>(l);
#pragma GCC unroll 4
  for (Index f = 0; f < kFlight; ++f) {
    s.c[f][0] = lane + (first + static_cast<std::uint64_t>(f * kLanes));
    s.c[f][1] = Words{} + std::uint64_t{stream};
    s.c[f][2] = Words{} + (replicate & 0xffffffffu);
    s.c[f][3] = Words{} + (replicate >> 32);
  }
}

// Words 0 and 1 of each counter side by side in one lane, and words 2 and 3.
inline Words pair(Words low, Words high) {
  return (low & std::uint64_t{0xffffffffu}) | (high << 32);
}

void philox(std::uint64_t seed, std::uint64_t replicate, std::uint32_t stream, std::uint32_t first,
            Index n, std::uint32_t* words) {
  State s;
  for (Index at = 0; at < n; at += kFlight * kLanes) {
    start(s, replicate, stream, first + static_cast<std::uint32_t>(at));
    philox_rounds(s, seed);
    for (Index f = 0; f < kFlight; ++f)
      for (Index l = 0; l < kLanes; ++l) {
        const Index counter = at + f * kLanes + l;
        if (counter >= n) return;
        for (Index w = 0; w < 4; ++w)
          words[4 * counter + w] = static_cast<std::uint32_t>(s.c[f][w][l]);
      }
  }
}

template <int kThresholds>
inline Draws count(Draws draws, const std::int16_t* thresholds) {
  Draws reached{};
#pragma GCC unroll 8
  for (int t = 0; t < kThresholds; ++t) reached -= draws >= thresholds[t];
  return reached;
}

template <int kThresholds>
void weights_of(const WeightLaw& law, std::uint64_t seed, std::uint64_t replicate,
                std::uint32_t block, double* weights) {
  constexpr Index kCounters = kResampleRows / 8, kDraws = kVector / 2;
  const auto base = static_cast<std::int16_t>(law.base), step = static_cast<std::int16_t>(law.step);
  State s;
  alignas(64) std::int16_t counts[kDraws];
  for (Index at = 0; at < kCounters; at += kFlight * kLanes) {
    start(s, replicate, law.stream, static_cast<std::uint32_t>(block * kCounters + at));
    philox_rounds(s, seed);
#pragma GCC unroll 4
    for (Index f = 0; f < kFlight; ++f)
#pragma GCC unroll 2
      for (Index half = 0; half < 2; ++half) {
        const Words two = pair(s.c[f][2 * half], s.c[f][2 * half + 1]);
        *reinterpret_cast<Draws*>(counts) =
            count<kThresholds>(reinterpret_cast<Draws>(two), law.thresholds) * step + base;
        double* to = weights + half * (kResampleRows / 2) + (at + f * kLanes) * 4;
        for (Index i = 0; i < kDraws; ++i) to[i] = counts[i];
      }
  }
}

void weights(const WeightLaw& law, std::uint64_t seed, std::uint64_t replicate, std::uint32_t block,
             double* out) {
  if (law.n_thresholds == 1)
    weights_of<1>(law, seed, replicate, block, out);
  else
    weights_of<kResampleMaxSteps>(law, seed, replicate, block, out);
}

// Eight partial sums for each replicate at every level, added in one order.
constexpr Index kSums = 8, kVectors = kSums / kDoubles;

void dots(const double* weights, const double* x, double* sums, Index stride) {
  Doubles partial[kResampleGroup][kVectors] = {};
  for (Index i = 0; i < kResampleRows; i += kSums)
#pragma GCC unroll 4
    for (Index v = 0; v < kVectors; ++v) {
      const Doubles value = load(x + i + v * kDoubles);
#pragma GCC unroll 4
      for (Index g = 0; g < kResampleGroup; ++g)
        partial[g][v] += load(weights + g * kResampleRows + i + v * kDoubles) * value;
    }
  for (Index g = 0; g < kResampleGroup; ++g) {
    double p[kSums];
    for (Index v = 0; v < kVectors; ++v)
      for (Index l = 0; l < kDoubles; ++l) p[v * kDoubles + l] = partial[g][v][l];
    sums[g * stride] += ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]));
  }
}

constexpr ResampleTable kTable{philox, weights, dots};

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(ResampleTable, resample_table) = kTable;

}  // namespace aimass::simd
