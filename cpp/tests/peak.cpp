// What a core can do at most: multiply-adds that stay in registers. Compiled once per ISA level
// with AIMASS_LEVEL defined and the flags of the micro-kernels; for roofline.cpp.
#include <cstdint>

#include "../simd/levels.hpp"
#include "../simd/vector.hpp"

namespace {

constexpr int kChains = kVector == 64 ? 24 : 12;

// Chains of x = a x + b, as many as the registers hold; returns their sum, and in `flop` the work.
template <class T>
T chains(std::int64_t n, T a, T b, double* flop) {
  typedef T V __attribute__((vector_size(kVector)));
  V x[kChains], av = V{} + a, bv = V{} + b;
  for (int c = 0; c < kChains; ++c) x[c] = V{} + static_cast<T>(c);
  for (std::int64_t i = 0; i < n; ++i) {
#pragma GCC unroll 32
    for (int c = 0; c < kChains; ++c) x[c] = x[c] * av + bv;
  }
  constexpr int kLanes = kVector / static_cast<int>(sizeof(T));
  T sum = 0;
  for (int c = 0; c < kChains; ++c) {
    for (int l = 0; l < kLanes; ++l) sum += x[c][l];
  }
  *flop = 2.0 * kChains * kLanes * static_cast<double>(n);
  return sum / (kChains * kLanes);
}

}  // namespace

float AIMASS_CAT(peak_f32_, AIMASS_LEVEL)(std::int64_t n, float a, float b, double* flop) {
  return chains<float>(n, a, b, flop);
}
double AIMASS_CAT(peak_f64_, AIMASS_LEVEL)(std::int64_t n, double a, double b, double* flop) {
  return chains<double>(n, a, b, flop);
}
