// Exact top-k of the products of queries and items: score = bias_i + q . v_i, the k best items of
// each query, no matrix of scores.
//
// Items come packed: sorted by norm, longest first, in panels of kPanelCols items (depth x cols).
// A block of queries goes through the panels in tiles of 8 queries; a tile's scores are compared
// with the queries' thresholds (the k-th best score so far) while they are in registers, and only
// the survivors are written. Three bounds save work and change no bit (LEMP: Teflioudi, Gemulla and
// Mykytiuk, SIGMOD 2015):
//   |q| |v| + bias bounds all that is still to come, so a query leaves as soon as no later panel
//   can reach its threshold; those that have left make room, the rest are packed together;
//   8-bit codes of queries and items bound the scores of a panel at a quarter of their cost or
//   less, and closely: what passes is computed in full, little else is. They are used while they
//   pay (for their predecessors see FEXIPRO: Li et al., SIGMOD 2017);
//   of many factors, the first ones bound the scores together with the lengths of the others: the
//   products of the other codes are computed only where these bounds do not suffice.
//
// Every score is the same sum in the same order wherever it is computed, so a result depends
// neither on the number of threads nor on the other queries. A query whose scores may overflow is
// refused with NumericalFailure.
// Time: O(n_queries * visited items * depth). Memory per thread: O(block * (k + depth)).
#pragma once

#include <cstdint>

#include "parallel.hpp"
#include "score_filter.hpp"
#include "score_items.hpp"

namespace aimass {

template <class T>
void score_topk(const T* queries, std::int64_t n_queries, const PackedItems<T>& items,
                std::int64_t k, const Filter& filter, std::int32_t* out_indices, T* out_scores,
                const Run& run);

}  // namespace aimass
