// Dense scores of a few queries against a panel of packed items, with the selection's first test in
// registers. Included by files compiled with ISA flags: types only, see table.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd {

// A panel holds this many bytes of items for each factor, at every level, so that packed items do
// not depend on the machine: 48 float32 or 24 float64 items.
constexpr std::int64_t kPanelBytes = 192;
template <class T>
constexpr std::int64_t kPanelCols = kPanelBytes / static_cast<std::int64_t>(sizeof(T));

constexpr std::int64_t kScoreRows = 8;  // queries of the largest tile

// One tile: scores of `rows` queries and the items of one panel. Every score is
// bias + q_0 v_0 + q_1 v_1 + ..., summed in this order in every tile, so its bits do not depend on
// what it is computed with. The scores not below the row's threshold (none when that is NaN) are
// appended to the row's buffers, which need room for a whole panel and one vector more.
template <class T>
struct ScoreTile {
  std::int64_t depth;
  const T* queries;         // depth x rows
  const T* panel;           // depth x kPanelCols
  const T* bias;            // kPanelCols
  const T* thresholds;      // rows
  std::int32_t position;    // of the panel's first item
  std::int64_t stride;      // of the buffers, in entries
  T* scores;                // rows x stride
  std::int32_t* positions;  // rows x stride
  std::int32_t* counts;     // rows; entries in each buffer
};

template <class T>
struct ScoreKernels {
  // For 1, 2, 4 and 8 rows. True when something was appended.
  bool (*tile[4])(const ScoreTile<T>& tile);
};

struct ScoreTable {
  ScoreKernels<float> f32;
  ScoreKernels<double> f64;
};

template <class T>
const ScoreKernels<T>& score_kernels();
template <>
const ScoreKernels<float>& score_kernels<float>();
template <>
const ScoreKernels<double>& score_kernels<double>();

}  // namespace aimass::simd
