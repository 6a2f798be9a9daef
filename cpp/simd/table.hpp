// The types shared by the micro-kernels and their callers. Included by the files compiled with ISA
// flags, so it holds no inline functions: the linker would keep one copy, perhaps the AVX-512 one.
#pragma once

#include <cstdint>

namespace aimass::simd {

constexpr std::int64_t kScanBlock = 32;

// One row of sums against thresholds. With d = sums[j]:
//   own score   d / (p_i * q[j] + shrink)     or, for ratio, d / (weight * d + p_i + q[j] + shrink)
//   score for j: p[j] and q_i in place of p_i and q[j]; the same number when symmetric.
// All arrays are padded to a multiple of kScanBlock, sums with zeros.
template <class T>
struct Scan {
  T* sums;
  const std::uint8_t* flags;  // per block: 0 means that all its sums are zero. Null: look at all
  const T* p;
  const T* q;
  const T* worst;  // thresholds of j
  T p_i, q_i, worst_i, shrink, weight;
  bool ratio, symmetric;
};

template <class T>
struct Kernels {
  // c[tile_rows x tile_cols, row stride ldc] += a' b for packed panels a (depth x tile_rows) and
  // b (depth x tile_cols). Every element is summed in order of depth.
  void (*gemm_tile)(std::int64_t depth, const T* a, const T* b, T* c, std::int64_t ldc);
  std::int64_t tile_rows, tile_cols;
  double dense_gain;  // cost of a sparse product over that of a dense multiply-add

  // Appends every j in [begin, end) (whole blocks) with a nonzero sum and one of its two scores not
  // below its threshold, and zeroes the sums. Returns how many.
  std::int64_t (*scan)(const Scan<T>& scan, std::int64_t begin, std::int64_t end, std::int32_t* out_index,
                       T* out_sum);
};

struct Table {
  const char* level;
  Kernels<float> f32;
  Kernels<double> f64;
};

}  // namespace aimass::simd
