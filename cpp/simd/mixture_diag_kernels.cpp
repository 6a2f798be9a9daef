// Compiled once per ISA level with AIMASS_LEVEL defined, like micro_kernels.cpp.
//
// Both are register tiles of some components x kVectors vectors, the lanes across rows for scores
// and across columns for sums. Sums of a block are float32, those of blocks float64.
#include "levels.hpp"
#include "mixture.hpp"
#include "mixture_diag.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd::mixture;
using Index = std::int64_t;

constexpr Index kTile = kVector == 64 ? 8 : 4, kVectors = kVector == 64 ? 3 : 2;
constexpr Index kLanes = kVector / 4;
constexpr Index kGroup = 3 * kLanes;        // rows of a group of columns
constexpr Index kScores = 3 * kVector / 8;  // and of scores
typedef float V __attribute__((vector_size(kVector)));
typedef float U __attribute__((vector_size(kVector), aligned(4), may_alias));

inline V load(const float* p) { return *reinterpret_cast<const U*>(p); }
inline void store(float* p, V x) { *reinterpret_cast<U*>(p) = x; }

void pack(const float* x, Index n, Index d, const double* shift, const double* scale, Index stride,
          float* rows) {
  for (Index b = 0; b < kRows; ++b, x += d, rows += stride) {
    const Index filled = b < n ? d : 0;
    for (Index i = 0; i < filled; i += 16)  // the next block's
      __builtin_prefetch(reinterpret_cast<const char*>(x + kRows * d + i), 0, 2);
    for (Index i = 0; i < filled; ++i)
      rows[i] = static_cast<float>((static_cast<double>(x[i]) - shift[i]) * scale[i]);
    for (Index i = 0; i < filled; ++i) rows[d + i] = rows[i] * rows[i];
    for (Index i = 2 * filled; i < stride; ++i) rows[i] = 0;
  }
}

// distances[k][row of the group], for the first C components of a tile.
template <Index C>
void distances_tile(Index d, const float* a, const float* columns, float* distances) {
  for (Index first = 0; first < kGroup; first += kVectors * kLanes) {
    const Index left = (kGroup - first) / kLanes, vectors = left < kVectors ? left : kVectors;
    V sum[C][kVectors]{};
    const float* z = columns + first;
    for (Index i = 0; i < d; ++i, z += kGroup) {
      V p[kVectors];
      for (Index v = 0; v < kVectors; ++v) p[v] = load(z + (v < vectors ? v : 0) * kLanes);
      const float* c = a + 2 * i * kTile;
      for (Index k = 0; k < C; ++k) {
        for (Index v = 0; v < kVectors; ++v) {
          const V y = c[k] * p[v] + c[kTile + k];
          sum[k][v] += y * y;
        }
      }
    }
    for (Index k = 0; k < C; ++k)
      for (Index v = 0; v < vectors; ++v)
        store(distances + k * kGroup + first + v * kLanes, sum[k][v]);
  }
}

bool scores(Index n_components, Index d, const float* coefficients, const double* constants,
            const float* columns, double lowest, double* out) {
  float distances[kTile * kGroup], best[kGroup];
  bool near = true;
  for (Index row = 0; row < kRows; row += kGroup, columns += d * kGroup) {
    for (Index b = 0; b < kGroup; ++b) best[b] = -__builtin_inff();
    for (Index k = 0; k < n_components;) {
      const Index left = n_components - k, within = k % kTile;
      const float* const a = coefficients + (k - within) * 2 * d + within;
      const Index take = left >= kTile ? kTile : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      if (take == kTile)
        distances_tile<kTile>(d, a, columns, distances);
      else if (take == 4)
        distances_tile<4>(d, a, columns, distances);
      else if (take == 2)
        distances_tile<2>(d, a, columns, distances);
      else
        distances_tile<1>(d, a, columns, distances);
      for (Index c = 0; c < take; ++c) {
        const float* const distance = distances + c * kGroup;
        const double constant = constants[k + c];
        for (Index part = 0; part < kGroup; part += kScores) {
          double* const to = out + ((row + part) / kScores * n_components + k + c) * kScores;
          for (Index b = 0; b < kScores; ++b)
            to[b] = constant - 0.5 * static_cast<double>(distance[part + b]);
        }
        for (Index b = 0; b < kGroup; ++b) {
          const float score = static_cast<float>(constant) - 0.5F * distance[b];
          best[b] = score > best[b] ? score : best[b];
        }
      }
      k += take;
    }
    for (Index b = 0; b < kGroup; ++b) near &= best[b] >= static_cast<float>(lowest);
  }
  return near;
}

template <Index C, Index N>
void sums_tile(const float* r, const float* z, Index stride, double* sums, Index sums_stride) {
  V sum[C][N]{};
  for (Index b = 0; b < kRows; ++b, z += stride) {
    V p[N];
    for (Index v = 0; v < N; ++v) p[v] = load(z + v * kLanes);
    for (Index k = 0; k < C; ++k)
      for (Index v = 0; v < N; ++v) sum[k][v] += r[k * kRows + b] * p[v];
  }
  for (Index k = 0; k < C; ++k) {
    float line[N * kLanes];
    for (Index v = 0; v < N; ++v) store(line + v * kLanes, sum[k][v]);
    double* const to = sums + k * sums_stride;
    for (Index l = 0; l < N * kLanes; ++l) to[l] += static_cast<double>(line[l]);
  }
}

template <Index N>
void sums_of(Index n_components, const float* r, const float* z, Index stride, double* sums,
             Index sums_stride) {
  for (Index k = 0; k < n_components;) {
    const Index left = n_components - k;
    const Index take = left >= kTile ? kTile : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const float* const from = r + k * kRows;
    double* const to = sums + k * sums_stride;
    if (take == kTile)
      sums_tile<kTile, N>(from, z, stride, to, sums_stride);
    else if (take == 4)
      sums_tile<4, N>(from, z, stride, to, sums_stride);
    else if (take == 2)
      sums_tile<2, N>(from, z, stride, to, sums_stride);
    else
      sums_tile<1, N>(from, z, stride, to, sums_stride);
    k += take;
  }
}

void statistics(Index n_components, Index n_features, const float* rows, Index stride,
                const double* responsibilities, float* r, double* sums, Index sums_stride) {
  for (Index row = 0; row < kRows; row += kScores)
    for (Index k = 0; k < n_components; ++k, responsibilities += kScores)
      for (Index b = 0; b < kScores; ++b)
        r[k * kRows + row + b] = static_cast<float>(responsibilities[b]);
  Index c = 0;
  for (; n_features - c > (kVectors - 1) * kLanes; c += kVectors * kLanes)
    sums_of<kVectors>(n_components, r, rows + c, stride, sums + c, sums_stride);
  for (; c < n_features; c += kLanes)
    sums_of<1>(n_components, r, rows + c, stride, sums + c, sums_stride);
}

}  // namespace

namespace aimass::simd::mixture {

AIMASS_LEVEL_TABLE(DiagKernels, diag_kernels) = {kTile, pack, scores, statistics};

}  // namespace aimass::simd::mixture
