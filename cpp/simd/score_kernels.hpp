// Dense scores of a few queries against a panel of packed items, with the selection's first test in
// registers; and the inner loops of the selection of the best (kernels/topk.hpp). Included by files
// compiled with ISA flags: types only, see table.hpp.
#pragma once

#include <cstdint>

namespace aimass::simd {

// Items of a panel, at every level and in every type, so that packed items do not depend on the
// machine: three registers of AVX-512 for float32 and for codes.
constexpr std::int64_t kPanelCols = 48;

constexpr std::int64_t kScoreRows = 8;      // queries of the largest tile
constexpr std::int64_t kMostAppended = 64;  // entries that one call of a kernel adds to a row
constexpr std::int64_t kScoreSlack = 16;    // entries that a kernel may overwrite behind a buffer
constexpr std::int64_t kMostFew = 200;      // entries that sort_few can take

// Candidates are in one total order: score descending, then index ascending.
template <class T>
struct Scored {
  T score;
  std::int32_t index;
};

// One tile: scores of 1, 2, 4 or 8 rows (queries) and the items of one panel. Every score is
// bias + q_0 v_0 + q_1 v_1 + ..., summed in this order in every tile, so its bits do not depend on
// what it is computed with. A score passes that is not below its row's threshold; none does when
// that is NaN.
template <class T>
struct ScoreTile {
  std::int64_t depth;
  const T* queries;     // depth x rows
  const T* panel;       // depth x kPanelCols
  const T* bias;        // kPanelCols
  const T* thresholds;  // rows
  // What passes is appended: score, and position = `position` + column.
  std::int32_t position;
  T* const* scores;                // rows; room for kMostAppended and kScoreSlack
  std::int32_t* const* positions;  // the same
  std::int32_t* counts;            // rows: entries so far
};

// Which items of a panel a row may still want: bit j for column j.
struct CodeHit {
  std::int32_t panel;
  std::int32_t row;
  std::uint64_t items;
};

// For 1, 2, 4 and 8 rows; true when something passed.
template <class T>
struct Tiles {
  bool (*of_rows[4])(const ScoreTile<T>& tile);
};

template <class T>
struct ScoreKernels {
  Tiles<T> append;
  Tiles<T> over;  // as append, with kPanelCols thresholds, and biases of the rows
  // As append for some items only: the first few of the hits, whose bits it clears. The tile has
  // `rows` rows; its panel and bias are those of panel 0. Returns how many hits are done with.
  std::int64_t (*append_hits)(const ScoreTile<T>& tile, std::int64_t rows, CodeHit* hits,
                              std::int64_t n_hits);
  // Parts n entries: those before the pivot in the total order to `better`, the others to `others`,
  // both in their order. One of the two may be `from`; the other one holds at least n entries.
  // Returns the number of the former.
  std::int64_t (*split)(const Scored<T>* from, std::int64_t n, Scored<T> pivot, Scored<T>* better,
                        Scored<T>* others);
  // Sorts at most kMostFew entries into the total order by n^2 comparisons.
  void (*sort_few)(Scored<T>* items, std::int64_t n);
};

struct ScoreTable {
  ScoreKernels<float> f32;
  ScoreKernels<double> f64;
};

// Those of the level in use.
template <class T>
const ScoreKernels<T>& score_kernels();

}  // namespace aimass::simd
