// Items and queries in 8-bit whole numbers ("codes"), and which items may still reach a threshold.
// Included by files compiled with ISA flags: types only, see table.hpp.
#pragma once

#include <cstdint>

#include "score_kernels.hpp"

namespace aimass::simd {

constexpr std::int64_t kCodeGroup = 4;               // factors whose codes lie side by side
constexpr std::int64_t kCodeZero = 128;              // an item's code of 0; codes go from 1 to 255
constexpr std::int64_t kMaxCodeDepth = 8192;         // sums stay within 32 bits
constexpr std::int64_t kCodeCuts = 4;                // at most, see CodeScan
constexpr std::int64_t kGridFields = 4 + kCodeCuts;  // of a panel

// Some consecutive panels and 1, 2, 4 or 8 queries. A query q is per_step^-1 p + a rest of length D
// with whole numbers p, the items of a panel are step * c + a rest that is at most `error` long. So
//   q . v <= p . c * step / per_step + |p / per_step| * error + D * (length of v),
// and only where this and the bias reach the threshold is there something to compute exactly. p . c
// is a whole number without an error; all else is one whole number for each query and panel.
// For the first factors alone the same holds with |tail of q| * |tail of v| added, the
// Cauchy-Schwarz bound of the other factors. After some groups ("cuts") a scan compares the sums
// with this bound, and goes on only where an item may still reach its threshold.
template <class T>
struct CodeScan {
  std::int64_t n_groups;      // of kCodeGroup factors
  std::int64_t n_cuts;        // 0: no bound before the last group
  const std::int64_t* cuts;   // groups before each cut, ascending, below n_groups
  std::int64_t panel, stop;   // which panels
  const std::uint8_t* codes;  // n_panels x n_groups x kPanelCols x kCodeGroup
  // n_panels x kGridFields: 1 / step, error, largest length, largest |bias| (-1: no biases),
  // largest length of the tails after each cut
  const double* grids;
  const T* biases;              // n_panels x kPanelCols
  const std::int32_t* queries;  // n_groups x rows: kCodeGroup signed bytes each
  // For each row: the threshold less what rounding may add, 1 / (step of the query), the shares of
  // the grid's error and length, and -kCodeZero times the sum of its codes. For each cut and row:
  // the length of the tail, and -kCodeZero times the sum of the codes before it.
  const double* least;
  const double* per_step;
  const double* error_share;
  const double* length_share;
  const std::int32_t* start;
  const double (*tails)[kCodeCuts];             // of a row
  const std::int32_t (*cut_starts)[kCodeCuts];  // the same
  double bias_share;                            // of the largest |bias|
  CodeHit* hits;                                // at least 4 elements for each row and panel
};

template <class T>
struct CodeScans {
  std::int64_t (*of_rows[4])(const CodeScan<T>& scan);  // for 1, 2, 4 and 8 rows: number of hits
};

struct CodeTable {
  std::int32_t most;  // largest code of a query; 0: this level has no kernels for codes
  CodeScans<float> f32;
  CodeScans<double> f64;
};

// That of the level in use, and its scans.
const CodeTable& code_table();
template <class T>
const CodeScans<T>& code_scans();

}  // namespace aimass::simd
