// The k best columns of every row of S = X Y for a sparse X (rows x inner) and a dense Y (inner x
// columns), S never stored: the lists of models with a dense item-item matrix (EASE).
//
// A block of rows is worked on by one thread, a panel of columns at a time: the panel is as wide as
// lets the rows of Y that the block needs stay in the second cache, so that they are read from
// memory once for all rows of the block. The scores of one row and panel stay in the first cache;
// those that reach the row's threshold are kept. A column that is not left out is a candidate
// whatever its score; a row without entries has no candidates.
//
// Time: nnz(X) * columns multiply-adds. Memory per thread: one panel of scores, and 3 k candidates
// for each row of a block. Every score is the sum over the row's entries in their order, so the
// result does not depend on the number of threads or on the other rows.
#pragma once

#include <cstdint>

#include "csr.hpp"
#include "parallel.hpp"
#include "spgemm_topk.hpp"

namespace aimass {

// y: x.n_cols rows of n_cols.
template <class T>
void spmm_topk(const Run& run, const Csr<T>& x, const T* y, std::int64_t n_cols, std::int64_t k,
               const Exclusion& exclusion, std::int32_t* out_indices, T* out_scores);

}  // namespace aimass
