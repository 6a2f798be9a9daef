// Compiled once per ISA level with AIMASS_LEVEL defined, like micro_kernels.cpp.
//
// Scores and sums are register tiles of some components x some vectors, the lanes across rows for
// scores and across columns for sums. Sums of a block are float32, those of blocks float64.
#include "levels.hpp"
#include "mixture.hpp"
#include "mixture_diag.hpp"
#include "vector.hpp"

namespace {

using namespace aimass::simd::mixture;
using Index = std::int64_t;

constexpr Index kLanes = kVector / 4;
constexpr Index kVectors = 3;
constexpr Index kGroup = kVectors * kLanes;  // rows of a group of columns
// Components at a time: as many as fit into registers beside what they are multiplied with.
constexpr Index kScoreTile = kVector == 64 ? 8 : 2, kSumTile = kVector == 64 ? 8 : 4;
constexpr Index kSumVectors = kVector == 16 ? 2 : 3;  // without FMA a product needs one more
typedef float V __attribute__((vector_size(kVector)));
typedef float U __attribute__((vector_size(kVector), aligned(4), may_alias));
typedef std::int32_t I __attribute__((vector_size(kVector)));
static_assert(kRows % kGroup == 0);

inline V load(const float* p) { return *reinterpret_cast<const U*>(p); }
inline void store(float* p, V x) { *reinterpret_cast<U*>(p) = x; }
inline V all(float x) { return V{} + x; }

// e^x for x <= 0, zero below -87. Error below 2 ulp: x = n ln 2 + r, the series to r^7. Integers
// round, since sums with a large number may be reassociated away.
inline V exp_negative(V x) {
  const V within = x < -87.0F ? all(-87.0F) : x;
  const I exponent = __builtin_convertvector(within * 1.44269504F - 0.5F, I);
  const V n = __builtin_convertvector(exponent, V);
  const V r = (within - n * 0.693359375F) + n * 2.12194440e-4F;
  const V r2 = r * r;
  const V a = r * (1.0F / 6) + 0.5F, b = r * (1.0F / 120) + 1.0F / 24;
  const V c = r * (1.0F / 5040) + 1.0F / 720;
  const V p = 1.0F + (r + r2 * (a + r2 * (b + r2 * c)));
  const V y = (V)((I)p + (exponent << 23));
  return x < -87.0F ? V{} : y;
}

// log x for normal x >= 1.
inline V log_positive(V x) {
  const I bits = (I)x;
  V m = (V)((bits & 0x007fffff) | 0x3f800000);
  const V biased = (V)((bits >> 23) | 0x4b000000) - 8388608.0F;
  const V large = m > 1.41421356F ? all(1.0F) : V{};
  m = m - large * 0.5F * m;
  const V e = biased - 127.0F + large;
  const V f = (m - 1.0F) / (m + 1.0F), f2 = f * f;
  V p = all(1.0F / 9);
  for (Index n = 7; n >= 3; n -= 2) p = p * f2 + 1.0F / static_cast<float>(n);
  return e * 0.693147181F + (2.0F * f + 2.0F * f * f2 * p);
}

// Half a vector of floats beside a vector of doubles; both may lie anywhere.
constexpr Index kHalf = kLanes / 2;
typedef float Half __attribute__((vector_size(kVector / 2), aligned(4), may_alias));
typedef double Doubles __attribute__((vector_size(kVector), aligned(8), may_alias));
typedef std::int32_t HalfMask __attribute__((vector_size(kVector / 2)));

bool pack(const float* x, Index n, Index d, const double* shift, const double* scale, Index stride,
          float limit, float* rows) {
  HalfMask beyond{};
  bool is_beyond = false;
  for (Index b = 0; b < kRows; ++b, x += d, rows += stride) {
    const Index filled = b < n ? d : 0, halves = filled / kHalf * kHalf;
    for (Index i = 0; i < filled; i += 16)  // the next block's
      __builtin_prefetch(reinterpret_cast<const char*>(x + kRows * d + i), 0, 2);
    for (Index i = 0; i < halves; i += kHalf) {
      const Doubles value = __builtin_convertvector(*reinterpret_cast<const Half*>(x + i), Doubles);
      const Doubles z = (value - *reinterpret_cast<const Doubles*>(shift + i)) *
                        *reinterpret_cast<const Doubles*>(scale + i);
      const Half single = __builtin_convertvector(z, Half), square = single * single;
      *reinterpret_cast<Half*>(rows + i) = single;
      *reinterpret_cast<Half*>(rows + d + i) = square;
      beyond |= ~(square <= limit);
    }
    for (Index i = halves; i < filled; ++i) {
      rows[i] = static_cast<float>((static_cast<double>(x[i]) - shift[i]) * scale[i]);
      rows[d + i] = rows[i] * rows[i];
      is_beyond |= !(rows[d + i] <= limit);
    }
    for (Index i = 2 * filled; i < stride; i += kLanes)  // at least a vector
      store(rows + (i + kLanes <= stride ? i : stride - kLanes), V{});
  }
  for (Index l = 0; l < kHalf; ++l) is_beyond |= beyond[l] != 0;
  return !is_beyond;
}

// For the first C components of a tile and a group of rows.
template <Index C>
void scores_tile(Index d, const float* a, const float* constants, const float* columns,
                 float* scores, V* best) {
  V sum[C][kVectors]{};
  for (Index i = 0; i < d; ++i, columns += kGroup, a += 2 * kScoreTile) {
    V p[kVectors];
    for (Index v = 0; v < kVectors; ++v) p[v] = load(columns + v * kLanes);
    for (Index k = 0; k < C; ++k) {
      for (Index v = 0; v < kVectors; ++v) {
        const V y = a[k] * p[v] + a[kScoreTile + k];
        sum[k][v] += y * y;
      }
    }
  }
  for (Index k = 0; k < C; ++k) {
    for (Index v = 0; v < kVectors; ++v) {
      const V score = constants[k] - 0.5F * sum[k][v];
      store(scores + k * kRows + v * kLanes, score);
      best[v] = score > best[v] ? score : best[v];
    }
  }
}

bool scores(Index n_components, Index d, const float* coefficients, const float* constants,
            const float* columns, float lowest, float* out, float* best_of_row) {
  bool near = true;
  for (Index row = 0; row < kRows; row += kGroup, columns += d * kGroup) {
    V best[kVectors];
    for (Index v = 0; v < kVectors; ++v) best[v] = all(-__builtin_inff());
    for (Index k = 0; k < n_components;) {
      const Index left = n_components - k, within = k % kScoreTile;
      const float* const a = coefficients + (k - within) * 2 * d + within;
      float* const to = out + k * kRows + row;
      const Index take = left >= kScoreTile ? kScoreTile : left >= 4 ? 4 : left >= 2 ? 2 : 1;
      if (take == kScoreTile)
        scores_tile<kScoreTile>(d, a, constants + k, columns, to, best);
      else if (take == 4)
        scores_tile < kScoreTile<4 ? kScoreTile : 4>(d, a, constants + k, columns, to, best);
      else if (take == 2)
        scores_tile<2>(d, a, constants + k, columns, to, best);
      else
        scores_tile<1>(d, a, constants + k, columns, to, best);
      k += take;
    }
    for (Index v = 0; v < kVectors; ++v) store(best_of_row + row + v * kLanes, best[v]);
    for (Index b = 0; b < kGroup; ++b) near &= best_of_row[row + b] >= lowest;
  }
  return near;
}

void softmax(Index n_components, double highest, const double* weights, const float* best_of_row,
             float* out, double* score_of_row, double* total) {
  double totals[kLanes]{};
  for (Index row = 0; row < kRows; row += kLanes) {
    float* const l = out + row;
    const V best = load(best_of_row + row);
    V sum{};
    for (Index k = 0; k < n_components; ++k) {
      const V e = exp_negative(load(l + k * kRows) - best);
      sum += e;
      store(l + k * kRows, e);
    }
    float logs[kLanes], weight[kLanes];
    store(logs, log_positive(sum));
    for (Index b = 0; b < kLanes; ++b) {
      const double w = weights[row + b];
      weight[b] = static_cast<float>(w);
      const double score =
          highest + (static_cast<double>(best_of_row[row + b]) + static_cast<double>(logs[b]));
      score_of_row[row + b] = score;
      totals[b] += w == 0 ? 0.0 : w * score;
    }
    const V factor = load(weight) / sum;
    for (Index k = 0; k < n_components; ++k) store(l + k * kRows, load(l + k * kRows) * factor);
  }
  for (Index b = 0; b < kLanes; ++b) *total += totals[b];
}

void labels(Index n_components, const float* scores_in, Index* out) {
  for (Index row = 0; row < kRows; row += kLanes) {
    const float* const l = scores_in + row;
    V best = load(l);
    I label{};
    for (Index k = 1; k < n_components; ++k) {
      const V x = load(l + k * kRows);
      const I better = x > best;
      best = better ? x : best;
      label = better ? I{} + static_cast<std::int32_t>(k) : label;
    }
    for (Index b = 0; b < kLanes; ++b) out[row + b] = label[b];
  }
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
    const Index take = left >= kSumTile ? kSumTile : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    const float* const from = r + k * kRows;
    double* const to = sums + k * sums_stride;
    if (take == kSumTile)
      sums_tile<kSumTile, N>(from, z, stride, to, sums_stride);
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
                const float* r, const Sums& sums) {
  for (Index k = 0; k < n_components; ++k) {
    V sum{};
    for (Index b = 0; b < kRows; b += kLanes) sum += load(r + k * kRows + b);
    double count = 0;
    for (Index l = 0; l < kLanes; ++l) count += static_cast<double>(sum[l]);
    sums.counts[k * (kVector / 8)] += count;
  }
  for (Index c = 0; c < n_features; c += kSumVectors * kLanes) {
    const Index left = n_features - c;
    double* const to = sums.features + c;
    if (left > (kSumVectors - 1) * kLanes)
      sums_of<kSumVectors>(n_components, r, rows + c, stride, to, sums.stride);
    else if (left > kLanes)
      sums_of<2>(n_components, r, rows + c, stride, to, sums.stride);
    else
      sums_of<1>(n_components, r, rows + c, stride, to, sums.stride);
  }
}

void turn(Index n, Index n_components, const float* r, float* out) {
  for (Index b = 0; b < n; ++b)
    for (Index k = 0; k < n_components; ++k) *out++ = r[k * kRows + b];
}

}  // namespace

namespace aimass::simd::mixture {

AIMASS_LEVEL_TABLE(DiagKernels, diag_kernels) = {kScoreTile, pack,       scores, softmax,
                                                 labels,     statistics, turn};

}  // namespace aimass::simd::mixture
