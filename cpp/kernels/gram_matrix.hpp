// The whole of A'A for a sparse A as a dense symmetric matrix, for models that factorise it or
// descend on it (EASE, SLIM).
//
// The engine is that of gram_topk: columns relabelled by falling popularity, dense products where
// rows and columns are dense enough, a group of the most popular columns at a time, single columns
// for the rest. Every pair is summed once, by one thread and in a fixed order, so the result does
// not depend on the number of threads; then the matrix is made symmetric tile by tile.
//
// Time: half the sum of squared row lengths, less what groups and the dense part save, and three
// passes over the n x n result. Memory: the result, one copy of A and its group lists, 64 bytes per
// column and thread. Sums are of the type of A: counts are exact up to 2^24 in float32. The
// diagonal is summed in float64.
//
// Gustavson, Two fast algorithms for sparse matrices, 1978.
#pragma once

#include "csr.hpp"
#include "parallel.hpp"

namespace aimass {

// out: n_cols x n_cols.
template <class T>
void gram_matrix(const Run& run, const Csr<T>& in, T* out);

}  // namespace aimass
