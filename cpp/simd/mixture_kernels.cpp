// Compiled once per ISA level with AIMASS_LEVEL defined, like micro_kernels.cpp.
//
// Both products are register tiles of kTile components x kVectors vectors. For the scores the lanes
// are rows, for the statistics they are features: no lane is idle for few components, the softmax
// needs no sums across lanes, and nothing is transposed but X itself.
#include "levels.hpp"
#include "mixture.hpp"
#include "mixture_vectors.hpp"

namespace {

constexpr Index kDepth = 64;     // features at a time for the scores: their buffer stays in L1
constexpr Index kFeatures = 48;  // and for the statistics, of kRows rows

template <class T>
void pack(const T* x, Index n, Index d, const double* shift, const double* scale, Index stride,
          double* rows, double* columns, double* squares) {
  const Index whole = d / kLanes * kLanes;
  for (Index g = 0; g < kGroups; ++g) {  // a group's rows are still in L1 when they are turned
    for (Index b = g * kGroup; b < (g + 1) * kGroup; ++b) {
      double* row = rows + b * stride;
      if (b >= n) {
        for (Index i = 0; i < d + d / 2 + 1; ++i) row[i] = 0;
        continue;
      }
      const T* from = x + b * d;
      const char* const next = reinterpret_cast<const char*>(from + kRows * d);  // the next block's
      for (Index i = 0; i < d * static_cast<Index>(sizeof(T)); i += 64)
        __builtin_prefetch(next + i, 0, 2);
      for (Index i = 0; i < whole; i += kLanes) {
        const V value = __builtin_convertvector(*reinterpret_cast<const F<T>*>(from + i), V);
        store(row + i, (value - load(shift + i)) * load(scale + i));
      }
      for (Index i = whole; i < d; ++i)
        row[i] = (static_cast<double>(from[i]) - shift[i]) * scale[i];
      for (Index i = 0; i < d / 2 + 1; i += kLanes)  // the cyclic order goes on
        store(row + d + i, load(row + i));
    }
    const double* from = rows + g * kGroup * stride;
    double* to = columns + g * kGroup * d;
    for (Index i = 0; i < whole; i += kLanes)
      for (Index r = 0; r < kGroup; r += kLanes)
        transpose(from + r * stride + i, stride, to + i * kGroup + r, kGroup);
    for (Index i = whole; i < d; ++i)
      for (Index r = 0; r < kGroup; ++r) to[i * kGroup + r] = from[r * stride + i];
    V sum[kVectors]{};
    for (Index i = 0; i < d; ++i) {
      for (Index v = 0; v < kVectors; ++v) {
        const V z = load(to + i * kGroup + v * kLanes);
        sum[v] += z * z;
      }
    }
    for (Index v = 0; v < kVectors; ++v) store(squares + g * kGroup + v * kLanes, sum[v]);
  }
}

// scores[k][row] += sum over depth of a[k] * phi[row], for C components.
template <Index C>
void scores_tile(Index depth, const double* phi, const double* a, double* scores) {
  V sum[C][kVectors];
  for (Index k = 0; k < C; ++k)
    for (Index v = 0; v < kVectors; ++v) sum[k][v] = load(scores + k * kGroup + v * kLanes);
  for (Index f = 0; f < depth; ++f) {
    V p[kVectors];
    for (Index v = 0; v < kVectors; ++v) p[v] = load(phi + v * kLanes);
    for (Index k = 0; k < C; ++k)
      for (Index v = 0; v < kVectors; ++v) sum[k][v] += a[k] * p[v];
    phi += kGroup;
    a += kTile;
  }
  for (Index k = 0; k < C; ++k)
    for (Index v = 0; v < kVectors; ++v) store(scores + k * kGroup + v * kLanes, sum[k][v]);
}

// sums[k][feature] += sum over the rows of r[k] * phi[feature], for C components and N vectors.
template <Index C, Index N>
void statistics_tile(const double* r, Index r_stride, const double* phi, double* sums,
                     Index stride) {
  constexpr Index kWidth = kFeatures + kPadding;
  V sum[C][N];
  for (Index k = 0; k < C; ++k)
    for (Index v = 0; v < N; ++v) sum[k][v] = load(sums + k * stride + v * kLanes);
  for (Index g = 0; g < kGroups; ++g, r += r_stride) {
    for (Index b = 0; b < kGroup; ++b) {
      V p[N];
      for (Index v = 0; v < N; ++v) p[v] = load(phi + v * kLanes);
      for (Index k = 0; k < C; ++k)
        for (Index v = 0; v < N; ++v) sum[k][v] += r[k * kGroup + b] * p[v];
      phi += kWidth;
    }
  }
  for (Index k = 0; k < C; ++k)
    for (Index v = 0; v < N; ++v) store(sums + k * stride + v * kLanes, sum[k][v]);
}

using ScoresTile = void (*)(Index, const double*, const double*, double*);
using StatisticsTile = void (*)(const double*, Index, const double*, double*, Index);

// [components - 1], and [vectors - 1] for the statistics.
template <Index C>
constexpr ScoresTile kScoresOf = scores_tile < C <= kTile ? C : kTile > ;
constexpr ScoresTile kScoresTiles[] = {kScoresOf<1>, kScoresOf<2>, kScoresOf<3>, kScoresOf<4>,
                                       kScoresOf<5>, kScoresOf<6>, kScoresOf<7>, kScoresOf<8>};
template <Index C, Index N>
constexpr StatisticsTile kStatisticsOf = statistics_tile < C <= kTile ? C : kTile,
                         N > ;
#define AIMASS_TILES(C) {kStatisticsOf<C, 1>, kStatisticsOf<C, 2>, kStatisticsOf<C, 3>}
constexpr StatisticsTile kStatisticsTiles[][3] = {AIMASS_TILES(1), AIMASS_TILES(2), AIMASS_TILES(3),
                                                  AIMASS_TILES(4), AIMASS_TILES(5), AIMASS_TILES(6),
                                                  AIMASS_TILES(7), AIMASS_TILES(8)};
#undef AIMASS_TILES
static_assert(kTile <= 8 && kVectors == 3);

void scores(const Features& f, Index n_components, const double* coefficients,
            const double* constants, const double* columns, const double* squares, double* out,
            double* phi) {
  const Index total = f.size + f.square;
  for (Index g = 0; g < kGroups; ++g)
    for (Index k = 0; k < n_components; ++k)
      for (Index v = 0; v < kVectors; ++v)
        store(out + (g * n_components + k) * kGroup + v * kLanes, all(constants[k]));
  for (Index begin = 0; begin < total; begin += kDepth) {
    const Index depth = total - begin < kDepth ? total - begin : kDepth;
    for (Index g = 0; g < kGroups; ++g) {
      const double* z = columns + g * kGroup * f.d;
      Index i = begin % f.d, s = begin / f.d - 1;
      for (Index c = 0; c < depth; ++c) {
        const Index j = i + s < f.d ? i + s : i + s - f.d;
        const bool square = begin + c == f.size;
        for (Index v = 0; v < kVectors; ++v) {
          const Index at = v * kLanes;
          V value;
          if (square) {
            value = load(squares + g * kGroup + at);
          } else {
            value = load(z + i * kGroup + at);
            if (s >= 0) value *= load(z + j * kGroup + at);
          }
          store(phi + c * kGroup + at, value);
        }
        if (++i == f.d) {
          i = 0;
          ++s;
        }
      }
      for (Index k = 0; k < n_components; k += kTile) {
        const Index n = n_components - k < kTile ? n_components - k : kTile;
        kScoresTiles[n - 1](depth, phi, coefficients + k * total + begin * kTile,
                            out + (g * n_components + k) * kGroup);
      }
    }
  }
}

void softmax(Index n_components, const double* weights, const double* squares, double* out,
             double* score_of_row, const Sums& sums) {
  V total = load(sums.score);
  for (Index row = 0; row < kRows; row += kLanes) {
    double* l = out + row / kGroup * n_components * kGroup + row % kGroup;
    V best = load(l);
    for (Index k = 1; k < n_components; ++k) {
      const V x = load(l + k * kGroup);
      best = x > best ? x : best;
    }
    V sum{};
    for (Index k = 0; k < n_components; ++k) {
      const V e = exp_negative(load(l + k * kGroup) - best);
      sum += e;
      store(l + k * kGroup, e);
    }
    const V score = best + log_positive(sum), weight = load(weights + row);
    store(score_of_row + row, score);
    total += weight == 0.0 ? V{} : weight * score;
    const V factor = weight / sum, square = load(squares + row);
    for (Index k = 0; k < n_components; ++k) {
      const V r = load(l + k * kGroup) * factor;
      store(l + k * kGroup, r);
      if (sums.counts) store(sums.counts + k * kLanes, load(sums.counts + k * kLanes) + r);
      if (sums.squares)
        store(sums.squares + k * kLanes, load(sums.squares + k * kLanes) + r * square);
    }
  }
  store(sums.score, total);
}

void argmax(Index n_components, const double* scores_in, double* score_of_row, Index* labels) {
  for (Index row = 0; row < kRows; row += kLanes) {
    const double* l = scores_in + row / kGroup * n_components * kGroup + row % kGroup;
    V best = load(l);
    I label{};
    for (Index k = 1; k < n_components; ++k) {
      const V x = load(l + k * kGroup);
      const I better = x > best;
      best = better ? x : best;
      label = better ? I{} + k : label;
    }
    store(score_of_row + row, best);
    for (Index v = 0; v < kLanes; ++v) labels[row + v] = label[v];
  }
}

template <class T>
void turn(Index n, Index n_components, const double* r, T* out) {
  const Index whole = n_components / kLanes * kLanes;
  for (Index row = 0; row < n; row += kLanes) {
    const double* from = r + row / kGroup * n_components * kGroup + row % kGroup;
    const Index rows = n - row < kLanes ? n - row : kLanes;
    const Index turned = rows == kLanes ? whole : 0;
    for (Index k = 0; k < turned; k += kLanes)
      transpose(from + k * kGroup, kGroup, out + row * n_components + k, n_components);
    for (Index b = 0; b < rows; ++b)
      for (Index k = turned; k < n_components; ++k)
        out[(row + b) * n_components + k] = static_cast<T>(from[k * kGroup + b]);
  }
}

// Features [begin, begin + n) in order, as pieces of one group each.
struct Pieces {
  Index n = 0;
  struct {
    Index i, s, count, at;  // at: of the first among the features asked for
  } piece[kFeatures];

  Pieces(Index d, Index begin, Index n_features) {
    for (Index done = 0; done < n_features; ++n) {
      const Index i = (begin + done) % d, s = (begin + done) / d - 1;
      const Index count = d - i < n_features - done ? d - i : n_features - done;
      piece[n] = {i, s, count, done};
      done += count;
    }
  }

  // Those of one row; up to kLanes - 1 values more are written.
  void write(const double* row, double* phi) const {
    for (Index p = 0; p < n; ++p) {
      const Index count = piece[p].count, s = piece[p].s;
      const double* x = row + piece[p].i;
      double* to = phi + piece[p].at;
      if (s < 0)
        for (Index i = 0; i < count; i += kLanes) store(to + i, load(x + i));
      else
        for (Index i = 0; i < count; i += kLanes) store(to + i, load(x + i) * load(x + i + s));
    }
  }
};

void statistics(const Features& f, Index n_components, const double* rows, const double* r,
                const Sums& sums, double* phi) {
  constexpr Index kWidth = kFeatures + kPadding;
  for (Index begin = 0; begin < f.size; begin += kFeatures) {
    const Index width = f.size - begin < kFeatures ? f.size - begin : kFeatures;
    const Pieces pieces(f.d, begin, width);
    for (Index b = 0; b < kRows; ++b) pieces.write(rows + b * f.stride, phi + b * kWidth);
    for (Index c = 0; c < width; c += kVectors * kLanes) {
      const Index vectors = (width - c + kLanes - 1) / kLanes;
      const Index n_vectors = vectors < kVectors ? vectors : kVectors;
      for (Index k = 0; k < n_components; k += kTile) {
        const Index n = n_components - k < kTile ? n_components - k : kTile;
        kStatisticsTiles[n - 1][n_vectors - 1](r + k * kGroup, n_components * kGroup, phi + c,
                                               sums.features + k * sums.stride + begin + c,
                                               sums.stride);
      }
    }
  }
}

void scatter(const Features& f, const double* rows, const double* weights, const double* squares,
             const double* score_of_row, const Index* labels, const Sums& sums, double* phi) {
  for (Index begin = 0; begin < f.size; begin += kFeatures) {
    const Index width = f.size - begin < kFeatures ? f.size - begin : kFeatures;
    const Pieces pieces(f.d, begin, width);
    for (Index b = 0; b < kRows; ++b) {
      if (weights[b] == 0) continue;
      double* to = sums.features + labels[b] * sums.stride + begin;
      pieces.write(rows + b * f.stride, phi);
      for (Index c = 0; c < width; ++c) to[c] += weights[b] * phi[c];
    }
  }
  for (Index b = 0; b < kRows; ++b) {
    if (weights[b] == 0) continue;
    sums.counts[labels[b] * kLanes] += weights[b];
    if (sums.squares) sums.squares[labels[b] * kLanes] += weights[b] * squares[b];
    sums.score[0] += weights[b] * score_of_row[b];
  }
}

constexpr Index kScoresScratch = kDepth * kGroup;
constexpr Index kStatisticsScratch = kRows * (kFeatures + kPadding);

}  // namespace

namespace aimass::simd::mixture {

AIMASS_LEVEL_TABLE(Kernels, kernels) = {
    kLanes,
    kGroup,
    kTile,
    (kScoresScratch > kStatisticsScratch ? kScoresScratch : kStatisticsScratch) + kPadding,
    pack<float>,
    pack<double>,
    scores,
    softmax,
    argmax,
    turn<float>,
    turn<double>,
    statistics,
    scatter};

}  // namespace aimass::simd::mixture
