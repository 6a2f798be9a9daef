// Compiled once per ISA level with AIMASS_LEVEL defined. Everything has internal linkage but the
// table, and nothing from the standard library is used: see table.hpp for the reason.
#include "normal_kernels.hpp"

#include "levels.hpp"
#include "mixture_vectors.hpp"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace {

constexpr Index kPairs = aimass::simd::kNormalBlock / 2;
constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;

// SplitMix64, as random_bits in kernels/counter_random.hpp.
inline Bits mix(Bits z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

// Uniform in (0, 1) from the upper 52 bits.
inline V uniform(Bits bits) { return (V)((bits >> 12) | 0x3ff0000000000000) - (1.0 - 0x1p-53); }

// The square root of each lane.
inline V root(V x) {
#if defined(__AVX512F__)
  return (V)_mm512_maskz_sqrt_pd(0xff, (__m512d)x);
#elif defined(__AVX2__)
  return (V)_mm256_sqrt_pd((__m256d)x);
#else
  for (Index l = 0; l < kLanes; ++l) x[l] = __builtin_sqrt(x[l]);
  return x;
#endif
}

// Box and Muller: radius sqrt(-2 log u), and an angle within a quarter around 0, whose point is
// then mirrored into one of the four quarters. Sine and cosine by their series, errors below 1e-16.
void normals(std::uint64_t key, std::uint64_t first, Index n, double* out) {
  Bits state;  // key + (counter + 1) * kGolden, by additions only
  for (Index l = 0; l < kLanes; ++l) {
    state[l] = key + (first * 2 * kPairs + static_cast<std::uint64_t>(l) + 1) * kGolden;
  }
  for (Index block = 0; block < n; ++block, out += 2 * kPairs, state += kPairs * kGolden) {
    for (Index from = 0; from < kPairs; from += kLanes, state += kLanes * kGolden) {
      const Bits radii = mix(state), angles = mix(state + kPairs * kGolden);
      const V radius = root(-2.0 * log_positive(uniform(radii)));
      const V x = (uniform(angles) - 0.5) * 1.5707963267948966, x2 = x * x;
      V sine = all(-1.0 / 1307674368000), cosine = all(1.0 / 20922789888000);
      sine = sine * x2 + 1.0 / 6227020800;
      sine = sine * x2 - 1.0 / 39916800;
      sine = sine * x2 + 1.0 / 362880;
      sine = sine * x2 - 1.0 / 5040;
      sine = sine * x2 + 1.0 / 120;
      sine = sine * x2 - 1.0 / 6;
      sine = x + x * x2 * sine;
      cosine = cosine * x2 - 1.0 / 87178291200;
      cosine = cosine * x2 + 1.0 / 479001600;
      cosine = cosine * x2 - 1.0 / 3628800;
      cosine = cosine * x2 + 1.0 / 40320;
      cosine = cosine * x2 - 1.0 / 720;
      cosine = cosine * x2 + 1.0 / 24;
      cosine = cosine * x2 - 0.5;
      cosine = 1.0 + x2 * cosine;
      // Bit 0 of the angle exchanges both coordinates, bit 1 negates both.
      const Bits exchanged = -(angles & 1), sign = (angles & 2) << 62;
      const Bits a = (Bits)(radius * cosine) ^ sign, b = (Bits)(radius * sine) ^ sign;
      const Bits differing = (a ^ b) & exchanged;
      store(out + from, (V)(a ^ differing));
      store(out + kPairs + from, (V)(b ^ differing));
    }
  }
}

}  // namespace

namespace aimass::simd {

AIMASS_LEVEL_TABLE(NormalTable, normal_table) = {normals};

}  // namespace aimass::simd
