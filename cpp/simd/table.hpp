// The types shared by the micro-kernels and their callers. Included by the files compiled with ISA
// flags, so it holds no inline functions: the linker would keep one copy, perhaps the AVX-512 one.
#pragma once

#include <cstdint>

namespace aimass::simd {

constexpr std::int64_t kScanBlock = 32;
constexpr std::int64_t kLaneBytes = 64;  // a group of lanes is one cache line at every level

// One entry of a row of a sparse matrix.
template <class T>
struct RowEntry {
  std::uint32_t col;
  T value;
};

// How a scan scores the sum d of a pair of a row i and a column j; the other score of the pair has
// p[j] and q_i in place of p_i and q[j].
enum class Score {
  sum,      // d: both scores the same
  product,  // d / (p_i * q[j] + shrink)
  ratio,    // d / (d + weight_p (p_i - d) + weight_q (q[j] - d) + shrink)
};

// What is known of one row (or of each lane) and of the columns in a scan of sums.
// p_i, q_i, worst_i: one value, or one per lane. p, q, worst: by column, padded to kScanBlock.
template <class T>
struct Scan {
  T* sums;
  const T* p;
  const T* q;
  const T* worst;
  const T* p_i;
  const T* q_i;
  const T* worst_i;
  T shrink, weight_p, weight_q;
  Score score;
  bool symmetric;  // both scores of a pair are the same
};

template <class T>
struct Kernels {
  // c[tile_rows x tile_cols, row stride ldc] += a' b for packed panels a (depth x tile_rows) and
  // b (depth x tile_cols). Every element is summed in order of depth.
  void (*gemm_tile)(std::int64_t depth, const T* a, const T* b, T* c, std::int64_t ldc);
  std::int64_t tile_rows, tile_cols;
  double dense_gain;  // cost of a sparse product over that of a dense multiply-add

  // sums[col] += x * value for n entries.
  void (*axpy)(T x, const RowEntry<T>* entries, std::int64_t n, T* sums);
  // The same; notes every col whose sum was zero and returns the end of the notes.
  std::int32_t* (*axpy_note)(T x, const RowEntry<T>* entries, std::int64_t n, T* sums,
                             std::int32_t* notes);
  // sums[8 col + c] += the c-th of (1, x, value, x value, x^2, value^2, 0, 0) for n entries.
  void (*axpy_moments)(T x, const RowEntry<T>* entries, std::int64_t n, T* sums);
  // sums[col][lane] += x[lane] * value for n entries.
  void (*axpy_lanes)(const T* x, const RowEntry<T>* entries, std::int64_t n, T* sums);

  // Appends every j in [begin, end) (whole blocks of kScanBlock) with a nonzero sum whose two
  // scores are not both certain to be below their thresholds, and zeroes the sums. Returns how
  // many. The thresholds must leave room for rounding: see ScanShared::slack in
  // kernels/gram_scan.hpp.
  std::int64_t (*scan)(const Scan<T>& scan, std::int64_t begin, std::int64_t end,
                       std::int32_t* out_index, T* out_sum);
  // The same for n noted columns; one that was noted twice is appended once.
  std::int64_t (*scan_notes)(const Scan<T>& scan, const std::int32_t* notes, std::int64_t n,
                             std::int32_t* out_index, T* out_sum);
  // The same for lanes, any begin and end: out_index is j * lanes + lane.
  std::int64_t (*scan_lanes)(const Scan<T>& scan, std::int64_t begin, std::int64_t end,
                             std::int64_t* out_index, T* out_sum);
};

struct Table {
  Kernels<float> f32;
  Kernels<double> f64;
};

// Those of the level in use.
template <class T>
const Kernels<T>& kernels();

}  // namespace aimass::simd
